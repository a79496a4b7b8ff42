"""Per-example results in parquet files, good and bad."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from modelyard.adapters import parquet
from modelyard.adapters.statistics import ScipyStatistics
from modelyard.domain import results
from modelyard.domain.errors import InvalidInput, MissingDependency

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def file(**columns: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def test_numbers_and_booleans_of_every_width_are_read() -> None:
    data = file(
        example_id=["a", "b"],
        correct=[True, False],
        log_loss=pa.array([0.5, 2.5], pa.float32()),
        mae=pa.array([1, 2], pa.uint8()),
        label=["x", "y"],
        seen=pa.array([None, None], pa.timestamp("us")),
    )
    found = ScipyStatistics().read_parquet(data)
    assert found.ids == ("a", "b")
    assert {name: list(values) for name, values in found.columns.items()} == {
        "accuracy": [1.0, 0.0],
        "log_loss": [0.5, 2.5],
        "mae": [1.0, 2.0],
    }


def test_a_frame_of_pandas_and_one_of_polars_are_read() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"example_id": [3, 1, 2], "correct": [True, True, False]}
    target = io.BytesIO()
    pandas.DataFrame(columns).to_parquet(target)
    first = parquet.read(target.getvalue())
    target = io.BytesIO()
    polars.DataFrame(columns).write_parquet(target)
    assert parquet.read(target.getvalue()) == first
    assert first.ids == ("3", "1", "2")


def test_more_rows_than_one_batch_are_read_in_order() -> None:
    count = parquet.BATCH + 10
    found = parquet.read(file(example_id=list(map(str, range(count))), loss=list(range(count))))
    assert len(found.ids) == count
    assert (found.ids[-1], found.columns["loss"][-1]) == (str(count - 1), count - 1)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": [1], "loss": [1.0]}, "one column 'example_id'"),
        ({"example_id": ["a", "a"], "loss": [1.0, 2.0]}, "twice"),
        ({"example_id": [1, 1], "loss": [1.0, 2.0]}, "'1' stands there twice"),
        ({"example_id": ["a", None], "loss": [1.0, 2.0]}, "'example_id': expected a value for every example"),
        ({"example_id": ["a", "b"], "loss": [1.0, None]}, "'loss': expected a value for every example"),
        ({"example_id": ["a"], "loss": [float("nan")]}, "expected a number within"),
        ({"example_id": ["a"], "loss": [float("inf")]}, "expected a number within"),
        ({"example_id": ["x" * 201], "loss": [1.0]}, "at most 200 characters"),
        ({"example_id": [1.5], "loss": [1.0]}, "expected a whole number"),
        ({"example_id": ["a"], "label": ["b"]}, "1 to 100 columns"),
        (
            {"example_id": pa.array([], pa.string()), "loss": pa.array([], pa.float64())},
            "at least one example",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parquet.read(file(**columns))


def test_a_column_that_stands_there_twice_is_refused() -> None:
    target = io.BytesIO()
    pq.write_table(pa.table([[1], [1.0], [2.0]], names=["example_id", "loss", "loss"]), target)
    with pytest.raises(InvalidInput, match="no name twice"):
        parquet.read(target.getvalue())


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"{}"])
def test_what_is_no_parquet_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a readable parquet file"):
        parquet.read(data)


def test_a_file_cut_off_or_bent_anywhere_is_refused_or_read_and_never_worse() -> None:
    data = file(example_id=list("abcdefgh"), loss=[float(i) for i in range(8)])
    for place in range(0, len(data), 7):
        for bad in (data[:place], data[:place] + b"\xff" + data[place + 1 :]):
            try:
                parquet.read(bad)
            except InvalidInput:
                continue


def test_a_small_file_that_names_one_long_example_a_million_times_stays_small() -> None:
    dictionary = pa.DictionaryArray.from_arrays(
        pa.array([0] * 500_000, pa.int32()), pa.array(["x" * 100_000])
    )
    data = file(example_id=dictionary, loss=[1.0] * 500_000)
    assert len(data) < 5_000_000
    with pytest.raises(InvalidInput, match="twice"):
        parquet.read(data)


def test_more_examples_than_are_read_are_refused_before_any_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_EXAMPLES", 2)
    with pytest.raises(InvalidInput, match="at most 2 examples"):
        parquet.read(file(example_id=[1, 2, 3], loss=[1.0, 2.0, 3.0]))


def test_a_small_file_of_many_constant_columns_is_refused_before_it_unfolds() -> None:
    column = pa.array([1.0] * 60_000)
    data = file(example_id=list(range(60_000)), **{f"m{index}": column for index in range(90)})
    assert len(data) < 2_000_000
    with pytest.raises(InvalidInput, match=r"at most 5,000,000 numbers .* found more in 90 columns"):
        parquet.read(data)


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingDependency, match=r"pip install 'modelyard\[stats\]'"):
        parquet.read(b"")
