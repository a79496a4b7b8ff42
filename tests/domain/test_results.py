"""Files of per-example results: which they are, what they hold, what pairs up."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import results
from modelyard.domain.errors import InvalidInput
from modelyard.domain.evidence import PairedOutcomes, PairedScores
from modelyard.domain.records import FileEntry
from modelyard.domain.results import Results


def lines(*rows: Any) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def entry(path: str, role: str = "artifact") -> FileEntry:
    return FileEntry(path=path, size=1, digest=f"sha256:{path}", role=role)


# --- which files ---


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("results.jsonl", ""),
        ("results.parquet", ""),
        ("results/test.jsonl", "test"),
        ("results/iris/test.parquet", "iris/test"),
        ("results.json", None),
        ("results/test.csv", None),
        ("old/results.jsonl", None),
        ("my_results.jsonl", None),
        ("results", None),
    ],
)
def test_the_path_says_what_data_the_results_are_on(path: str, place: str | None) -> None:
    assert results.place_of(path) == place


def test_of_two_forms_the_one_that_everyone_can_read_counts() -> None:
    found = results.by_place([entry("results.parquet"), entry("results.jsonl"), entry("results/a.parquet")])
    assert {place: file.path for place, file in found.items()} == {
        "": "results.jsonl",
        "a": "results/a.parquet",
    }


def test_a_file_of_the_model_itself_is_no_result() -> None:
    assert results.by_place([entry("results.jsonl", role="model")]) == {}


# --- reading ---


def test_numbers_and_booleans_are_read_and_texts_are_left_to_people() -> None:
    data = lines(
        {"example_id": 1, "correct": True, "log_loss": 0.5, "label": "cat", "at": None},
        {"example_id": "b", "correct": False, "log_loss": 2, "label": 7},
    )
    found = results.parse_lines(data + b"\n\n")
    assert found.ids == ("1", "b")
    assert {name: list(values) for name, values in found.columns.items()} == {
        "accuracy": [1.0, 0.0],
        "log_loss": [0.5, 2.0],
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "at least one example, found none"),
        (b"[1]", "line 1: expected a JSON object with 'example_id'"),
        (b'{"correct": true}', "line 1: expected a JSON object with 'example_id'"),
        (b'{"example_id": 1, "loss": NaN}', "line 1: .*found NaN"),
        (b'{"example_id": 1, "loss": 1e999}', "within"),
        (b'{"example_id": 1, "loss": -1e101}', "'1', 'loss': expected a number within"),
        (b'{"example_id": 1, "loss": ' + b"9" * 400 + b"}", "line 1, 'loss': the number is too large"),
        (b'{"example_id": 1, "loss": ' + b"[" * 100_000, "line 1"),
        (b"\xff\xfe", "line 1"),
        ('{"example_id": 1, "loss": 1}'.encode("utf-16"), "line 1"),
        (b'{"example_id": 1, "loss": 1, "loss": 2}', "line 1: .*a key twice"),
        (lines({"example_id": 1, "loss": 1}, {"example_id": 2}), "line 2, 'loss': expected a number"),
        (lines({"example_id": 1, "loss": 1}, {"example_id": 2, "loss": "x"}), "found 'x'"),
        (lines({"example_id": 1, "loss": 1}, {"example_id": "1", "loss": 1}), "'1' stands there twice"),
        (lines({"example_id": True, "loss": 1}), "example_id: expected a whole number"),
        (lines({"example_id": 1.5, "loss": 1}), "example_id: expected a whole number"),
        (lines({"example_id": "", "loss": 1}), "1 to 200 characters"),
        (lines({"example_id": "x" * 201, "loss": 1}), "1 to 200 characters"),
        (lines({"example_id": 1, "label": "x"}), "1 to 100 columns of numbers or booleans"),
        (lines({"example_id": 1} | {f"m{i}": i for i in range(101)}), "found 101"),
        (
            lines({"example_id": 1, "correct": True, "accuracy": 1}),
            "two columns stand for the metric 'accuracy'",
        ),
        (lines({"example_id": 1, "\x1b[2J": 1}), "Metric name"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        results.parse_lines(data)


def test_more_examples_than_are_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_EXAMPLES", 2)
    with pytest.raises(InvalidInput, match="at most 2 examples"):
        results.parse_lines(lines(*({"example_id": i, "loss": i} for i in range(3))))


def test_more_numbers_than_are_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_NUMBERS", 5)
    rows = [{"example_id": i, "loss": i, "mae": i} for i in range(3)]
    assert results.parse_lines(lines(*rows[:2])).ids == ("0", "1")
    with pytest.raises(InvalidInput, match=r"at most 5 numbers .* found more in 2 columns"):
        results.parse_lines(lines(*rows))


def test_a_byte_order_mark_before_utf_8_is_no_harm() -> None:
    assert results.parse_lines(b"\xef\xbb\xbf" + lines({"example_id": 1, "loss": 1})).ids == ("1",)


NUMBERS = st.floats(-1e100, 1e100).filter(lambda value: value == 0 or abs(value) > 1e-100)
"""Whose squares are numbers too."""


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_mean_and_deviation_are_those_of_the_examples(values: list[float]) -> None:
    found = results.parse_lines(lines(*({"example_id": i, "x": v} for i, v in enumerate(values))))
    assert found.mean("x") == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9)
    if len(values) == 1:
        assert found.deviation("x") is None
    else:
        expected = statistics.stdev(values)
        assert math.isclose(
            found.deviation("x") or 0.0, expected, rel_tol=1e-6, abs_tol=1e-9 * max(map(abs, values))
        )


# --- pairing ---


def of(**values: float) -> Results:
    return Results(ids=tuple(values), columns={"m": list(values.values())})


def test_right_and_wrong_are_counted_where_only_one_side_is_right() -> None:
    left, right = of(a=1, b=1, c=0, d=0), of(a=1, b=0, c=1, d=0)
    assert results.paired(left, right, "m") == PairedOutcomes(only_a=1, only_b=1, n=4)


def test_numbers_are_subtracted_example_by_example_whatever_their_order() -> None:
    found = results.paired(results.in_order(of(b=1.5, a=2.0)), results.in_order(of(a=2.5, b=1.0)), "m")
    assert isinstance(found, PairedScores)
    assert list(found.differences) == [0.5, -0.5]


def test_only_the_same_examples_can_be_paired() -> None:
    assert results.unpairable(of(a=1, b=2), of(b=3, a=4)) == ""
    assert "1 only of a, 2 only of b, 1 of both" in results.unpairable(of(a=1, b=2), of(b=3, c=4, d=5))
