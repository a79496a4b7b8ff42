"""What examples show: every kind of table, array and list that people have at hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput
from modelyard.domain.signature import FREE, TYPES, Signature
from modelyard.domain.signature_verdict import verdict
from modelyard.flavors import schema, values
from modelyard.flavors.schema import infer, infer_signature

polars = pytest.importorskip("polars")

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def shown(example: Any) -> list[Any]:
    """Each field in short: name, type, shape where it has one, and ``?`` where it is optional."""
    return [short(field) for field in infer(example, "input_example")]


def short(field: Any) -> Any:
    parts: list[Any] = [field.name, field.type + ("?" if field.optional else "")]
    if field.shape is not None:
        parts.append(field.shape)
    return (*parts, [short(part) for part in field.fields]) if field.fields else tuple(parts)


# --- tables -------------------------------------------------------------------------------------------------


def test_a_pandas_table_column_by_column() -> None:
    table = pd.DataFrame(
        {
            "i": [1, 2],
            "small": np.array([1, 2], "int8"),
            "f": [1.5, float("nan")],
            "b": [True, False],
            "s": ["x", "y"],
            "gap": ["x", None],
            "when": pd.to_datetime(["2026-03-01", None]),
            "zoned": pd.to_datetime(["2026-03-01"] * 2).tz_localize("Europe/Berlin"),
            "span": pd.to_timedelta([1, 2], unit="s"),
            "kind": pd.Categorical(["a", "b"]),
            "code": pd.Categorical([7, 9]),
            "nullable": pd.array([1, None], dtype="Int64"),
            3: [1, 2],
        }
    )
    assert shown(table) == [
        ("i", "int64"),
        ("small", "int8"),
        ("f", "float64"),
        ("b", "boolean"),
        ("s", "string"),
        ("gap", "string?"),
        ("when", "datetime?"),
        ("zoned", "datetime"),
        ("span", "duration"),
        ("kind", "string"),
        ("code", "int64"),
        ("nullable", "int64?"),
        ("3", "int64"),
    ]


def test_columns_of_python_objects_are_looked_into() -> None:
    table = pd.DataFrame(
        {
            "money": [Decimal("1.5"), Decimal(2)],
            "day": [dt.date(2026, 3, 1), None],
            "vector": [[1.0, 2.0], [3.0]],
            "array": [np.zeros(3, "float32"), np.zeros(3, "float32")],
            "mixed": pd.Series([1, "x"], dtype=object),
            "raw": [b"x", b"y"],
            "who": [{"id": 1}, {"id": 2, "name": "ann"}],
            "none": pd.Series([None, None], dtype=object),
        }
    )
    assert shown(table) == [
        ("money", "decimal"),
        ("day", "date?"),
        ("vector", "float64", (-1, -1)),
        ("array", "float32", (-1, -1)),
        ("mixed", "any"),
        ("raw", "binary"),
        ("who", "object", [("id", "int64"), ("name", "string?")]),
        ("none", "any?"),
    ]


def test_arrow_types_in_pandas() -> None:
    pytest.importorskip("pyarrow")
    kinds = ("int32[pyarrow]", "double[pyarrow]", "float[pyarrow]", "bool[pyarrow]", "string[pyarrow]")
    table = pd.DataFrame({kind: pd.Series([None], dtype=kind) for kind in kinds})
    assert [field.type for field in infer(table, "x")] == [
        "int32",
        "float64",
        "float32",
        "boolean",
        "string",
    ]


def test_a_polars_table_column_by_column() -> None:
    table = polars.DataFrame(
        {
            "i": [1, None],
            "f": [1.5, float("nan")],
            "s": ["x", "y"],
            "when": [NOON, NOON],
            "day": [NOON.date(), NOON.date()],
            "clock": [NOON.time(), NOON.time()],
            "span": [dt.timedelta(1), dt.timedelta(2)],
            "raw": [b"x", b"y"],
            "list": [[1, 2], [3]],
            "who": [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}],
        },
    ).with_columns(
        polars.col("s").cast(polars.Categorical).alias("kind"),
        polars.Series("grid", [[[1, 2], [3, 4]]] * 2, dtype=polars.Array(polars.Int8, (2, 2))),
        polars.Series("pair", [[1.0, 2.0]] * 2, dtype=polars.Array(polars.Float32, 2)),
        polars.Series("money", [Decimal("1.5")] * 2, dtype=polars.Decimal(10, 2)),
        polars.Series("nothing", [None, None]),
        polars.Series("things", [Decimal("NaN"), Decimal(1)], dtype=polars.Object),
    )
    expected = [
        ("i", "int64?"),
        ("f", "float64"),
        ("s", "string"),
        ("when", "datetime"),
        ("day", "date"),
        ("clock", "time"),
        ("span", "duration"),
        ("raw", "binary"),
        ("list", "int64", (-1, -1)),
        ("who", "object", [("id", "int64"), ("tags", "string", (-1,))]),
        ("kind", "string"),
        ("grid", "int8", (-1, 2, 2)),
        ("pair", "float32", (-1, 2)),
        ("money", "decimal"),
        ("nothing", "any?"),
        ("things", "decimal"),
    ]
    assert shown(table) == expected
    assert shown(table.drop("things").lazy()) == [
        (name, kind.rstrip("?"), *rest) for name, kind, *rest in expected[:-1]
    ]


def kind(value: object) -> str:
    """An example in a test's name: not by its contents, which may be an address that is new each time."""
    return type(value).__name__


@pytest.mark.parametrize(
    ("column", "field"),
    [
        (pd.Series([1, 2], name="p"), ("p", "int64")),
        (pd.Series([1.0, 2.0]), ("", "float64")),
        (polars.Series("p", ["x"]), ("p", "string")),
        (polars.Series(["x"]), ("", "string")),
    ],
)
def test_a_single_column(column: Any, field: Any) -> None:
    assert shown(column) == [field]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'a' stands twice"):
        infer_signature(pd.DataFrame([[1, 2]], columns=["a", "a"]))


# --- arrays, dicts and lists --------------------------------------------------------------------------------


class Tensor:
    """As torch's: the dtype's text has the library in front, and sizes come in a tuple of its own."""

    class Size(tuple[int, ...]):
        __slots__ = ()

    def __init__(self, dtype: str, *shape: int) -> None:
        self.dtype, self.shape = f"torch.{dtype}", Tensor.Size(shape)


@pytest.mark.parametrize(
    ("example", "fields"),
    [
        (np.zeros((5, 4)), [("", "float64", (-1, 4))]),
        (np.zeros((5, 28, 28), "uint8"), [("", "uint8", (-1, 28, 28))]),
        (np.zeros(5, bool), [("", "boolean", (-1,))]),
        (np.array(3.5, "float32"), [("", "float32", ())]),
        (np.float32(3.5), [("", "float32", ())]),
        (np.array(["a", "bcd"]), [("", "string", (-1,))]),
        (np.array([b"a"]), [("", "binary", (-1,))]),
        (np.array(["2026-03-01"], "datetime64[D]"), [("", "datetime", (-1,))]),
        (np.array(["a", "b"], object), [("", "string", (-1,))]),
        (np.array([["a", 1]], object), [("", "any", (-1, 2))]),
        (np.zeros(2, [("a", "int8"), ("b", "float64", (3,))]), [("a", "int8", (-1,)), ("b", "float64", (-1, 3))]),
        (Tensor("float32", 8, 3, 224, 224), [("", "float32", (-1, 3, 224, 224))]),
        (Tensor("bfloat16", 8), [("", "bfloat16", (-1,))]),
        (Tensor("bool", 8), [("", "boolean", (-1,))]),
        (Tensor("qint8", 8), [("", "any", (-1,))]),
        ({"x": np.zeros((5, 4)), "y": Tensor("int64", 5)}, [("x", "float64", (-1, 4)), ("y", "int64", (-1,))]),
        ({"a": [1, 2], "b": ["x", None]}, [("a", "int64"), ("b", "string?")]),
        ({"a": [[1, 2], [3, 4]], "b": [[1], [1, 2]]}, [("a", "int64", (-1, 2)), ("b", "int64", (-1, -1))]),
        ({"a": pd.Series([1]), "b": polars.Series([1.0])}, [("a", "int64"), ("b", "float64")]),
        ({"a": 1, "b": "x", "c": {"d": True}}, [("a", "int64"), ("b", "string"), ("c", "object", [("d", "boolean")])]),
        ([{"a": 1}, {"a": 2.5, "b": "x"}], [("a", "float64"), ("b", "string?")]),
        ([{"a": 1}, {"a": None}], [("a", "int64?")]),
        ([{"a": None}, {"a": 1}], [("a", "int64?")]),
        ([{"a": [1, 2]}, {"a": []}], [("a", "int64", (-1, -1))]),
        ([{"a": [1, 2]}, {"a": 1}], [("a", "any")]),
        ([{"a": {"x": 1}}, {"a": {"y": 1}}], [("a", "object", [("x", "int64?"), ("y", "int64?")])]),
        ([{"a": {"x": 1}}, {"a": {"x": 2.5}}], [("a", "object", [("x", "float64")])]),
        ([{"a": {}}], [("a", "any")]),
        ([1, 2, 3], [("", "int64", (-1,))]),
        ([1, 2.5], [("", "float64", (-1,))]),
        ([1.0, float("nan")], [("", "float64", (-1,))]),
        (["a", "b"], [("", "string", (-1,))]),
        ([[1, 2], [3, 4], [5, 6]], [("", "int64", (-1, 2))]),
        ([[1, 2], [3]], [("", "int64", (-1, -1))]),
        ([True, 1], [("", "int64", (-1,))]),
        ([1, "x"], [("", "any", (-1,))]),
        ([2**63], [("", "uint64", (-1,))]),
        ([2**64], [("", "any", (-1,))]),
        ((np.zeros((5, 4)), np.zeros(5, "int8")), [("0", "float64", (-1, 4)), ("1", "int8", (-1,))]),
        ((1, 2), [("", "int64", (-1,))]),
        ("text", [("", "string", ())]),
        (b"bytes", [("", "binary", ())]),
        (0.5, [("", "float64", ())]),
        (True, [("", "boolean", ())]),
        (1 + 2j, [("", "complex128", ())]),
        (NOON, [("", "datetime", ())]),
    ],
    ids=kind,
)  # fmt: skip
def test_what_an_example_shows(example: Any, fields: Any) -> None:
    assert shown(example) == fields


@pytest.mark.parametrize("example", [[], {}, (), pd.DataFrame(), polars.DataFrame()], ids=kind)
def test_an_empty_example_is_refused(example: Any) -> None:
    with pytest.raises(InvalidInput, match="input_example: expected at least one column or row"):
        infer(example, "input_example")


@pytest.mark.parametrize("example", [object(), lambda: 1, {1, 2}, float("nan"), Signature], ids=kind)
def test_what_shows_nothing_is_refused_by_its_type(example: Any) -> None:
    with pytest.raises(InvalidInput, match=f"output_example: .*{type(example).__name__}"):
        infer(example, "output_example")


def test_a_list_in_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidInput, match="found a value of type list"):
        infer(endless, "input_example")


def test_both_sides_may_be_shown_or_one() -> None:
    found = infer_signature([[1, 2]], [0.5])
    assert (found.inputs and found.inputs[0].shape, found.outputs and found.outputs[0].type) == (
        (-1, 2),
        "float64",
    )
    assert infer_signature(outputs=[0.5]).inputs is None
    with pytest.raises(InvalidInput, match="nothing is described"):
        infer_signature()


# --- laws ---------------------------------------------------------------------------------------------------

CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ROWS = st.lists(
    st.dictionaries(st.sampled_from("abc"), CELLS | st.lists(CELLS, max_size=2)), min_size=1, max_size=5
)


@given(ROWS)
def test_the_order_of_records_means_nothing(rows: list[dict[str, Any]]) -> None:
    if not any(rows):
        return
    assert verdict(infer_signature(rows), infer_signature(rows[::-1])).verdict == "identical"


@given(ROWS)
def test_showing_a_record_twice_shows_nothing_new(rows: list[dict[str, Any]]) -> None:
    if any(rows):
        assert infer_signature(rows) == infer_signature(rows + rows)


@given(
    st.sampled_from(sorted(set(TYPES) & set(np.sctypeDict) - {"object"})),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_arrays_of_any_number_of_rows_show_the_same(kind: str, shape: list[int], rows: int) -> None:
    one, other = (infer(np.zeros((n, *shape), kind), "x") for n in (1, rows))
    assert one == other
    assert (one[0].type, one[0].shape) == (kind, (FREE, *shape))


def test_no_more_than_a_sample_of_a_long_column_is_looked_at() -> None:
    rows: list[Any] = [1] * schema.LOOKED_AT + ["far away"]
    assert shown(rows) == [("", "int64", (-1,))]
    assert shown(pd.DataFrame({"a": pd.Series(rows, dtype=object)})) == [("a", "int64")]


def test_a_dtype_that_is_unknown_is_any() -> None:
    assert values.word("object") == "any"
    assert values.word("quaternion") == "any"


@pytest.mark.long
def test_real_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (make test-frameworks)")
    assert shown(torch.zeros(8, 3, dtype=torch.bfloat16)) == [("", "bfloat16", (-1, 3))]
    assert shown({"x": torch.zeros(8, dtype=torch.int64), "y": torch.zeros(8, 2) > 0}) == [
        ("x", "int64", (-1,)),
        ("y", "boolean", (-1, 2)),
    ]
