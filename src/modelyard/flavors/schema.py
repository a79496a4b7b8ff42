"""From an example of what a model takes or gives to the fields of a signature.

Tables of pandas and polars, arrays of any library, dicts of columns, lists of records, and plain values. The number
of rows of an example says nothing about the next call, so the axis of rows is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.signature import FREE, Field, Signature
from modelyard.flavors import values

LOOKED_AT: Final = 10_000
"""Values of a column without a type of its own, and records of a list, that are looked at."""


def infer_signature(inputs: Any = None, outputs: Any = None) -> Signature:
    """The signature that examples show.

    Args:
        inputs: Example of what the model takes: a pandas or polars table, an array or tensor, a dict of columns, a
            list of records, or a plain value.
        outputs: Example of what it gives.

    Raises:
        InvalidInput: Neither is given, one is empty or of another kind, or two columns have one name.

    >>> infer_signature([{"age": 31, "city": "Ulm"}, {"age": 28.5}], [0, 1]).to_mapping()["outputs"]
    [{'type': 'int64', 'shape': [-1]}]
    """
    return Signature(
        inputs=None if inputs is None else infer(inputs, "inputs"),
        outputs=None if outputs is None else infer(outputs, "outputs"),
    )


def infer(example: Any, what: str) -> tuple[Field, ...]:
    """The fields that an example shows.

    Args:
        example: As for `infer_signature`.
        what: What to call it in an error message.

    Raises:
        InvalidInput: It is empty, or of a kind that shows no fields.
    """
    try:
        fields = _fields(example)
    except RecursionError:  # a list in itself
        fields = None
    if fields is None:
        raise InvalidInput(
            f"{what}: expected a table, an array, a dict of columns, a list of records or a plain value, found a "
            f"value of type {type(example).__name__}. Convert it, or give signature=."
        )
    if not fields:
        raise InvalidInput(
            f"{what}: expected at least one column or row, found none. Give an example of one row."
        )
    return fields


def _fields(example: Any) -> tuple[Field, ...] | None:
    library, kind = type(example).__module__.partition(".")[0], type(example).__name__
    if library in ("pandas", "polars") and kind in _TABLES:
        return _TABLES[kind](example, library)
    if isinstance(example, Mapping):
        return tuple(_named(key, _column(item)) for key, item in example.items())
    if isinstance(example, list | tuple):
        return _listed(example)
    if values.is_array(example):
        return _array(example)
    found = values.describe(example, free=False)
    return (Field(type=found.type, shape=()),) if found.type not in ("", "any") else None


def _named(name: object, field: Field) -> Field:
    return replace(field, name=str(name))


def _rows(inside: Field) -> Field:
    """One value of each row as a column of them."""
    return inside if inside.shape is None else replace(inside, shape=(FREE, *inside.shape))


# --- tables -------------------------------------------------------------------------------------------------


def _frame(table: Any, library: str) -> tuple[Field, ...]:
    """A pandas or polars table, column by column."""
    if library == "polars":
        return tuple(_named(column.name, _polars(column)) for column in table.iter_columns())
    return tuple(_named(name, _pandas(table.iloc[:, index])) for index, name in enumerate(table.columns))


def _lazy(table: Any, library: str) -> tuple[Field, ...]:
    """A polars query: its schema is known without running it, whether values are missing is not."""
    return tuple(_named(name, _rows(_polars_type(dtype))) for name, dtype in table.collect_schema().items())


def _series(column: Any, library: str) -> tuple[Field, ...]:
    name = "" if column.name is None else column.name
    return (_named(name, _polars(column) if library == "polars" else _pandas(column)),)


_TABLES: Final = {"DataFrame": _frame, "LazyFrame": _lazy, "Series": _series}


def _pandas(column: Any) -> Field:
    kind = values.word(getattr(column.dtype, "categories", column).dtype)
    if kind == "any":
        return _rows(_joined(column))
    # NaN is a number; what the other types use for "nothing there" is not a value of theirs
    numbers = getattr(column.dtype, "kind", "O") in "fc"
    return Field(type=kind, optional=not numbers and bool(column.isna().any()))


def _joined(column: Iterable[Any]) -> Field:
    """What the first values of a column have in common."""
    return values.joined(values.describe(item, free=True) for item in islice(column, LOOKED_AT)).field()


def _polars(column: Any) -> Field:
    found = _polars_type(column.dtype)
    if str(column.dtype) == "Object":
        found = _joined(column)
    return replace(_rows(found), optional=found.optional or column.null_count() > 0)


def _polars_type(dtype: Any) -> Field:
    """A polars type; ``List`` and ``Array`` are axes, ``Struct`` is an object."""
    if parts := getattr(dtype, "fields", None):
        inside = tuple(_named(part.name, _polars_type(part.dtype)) for part in parts)
        return Field(type="object", fields=inside)
    if (inner := getattr(dtype, "inner", None)) is not None:
        lengths = getattr(
            dtype, "shape", (FREE,)
        )  # an Array of Arrays has one shape and the innermost type below
        found = _polars_type(_innermost(inner) if len(lengths) > 1 else inner)
        return replace(found, shape=(*lengths, *(found.shape or ())))
    return Field(type=values.word(dtype))


def _innermost(dtype: Any) -> Any:
    while getattr(dtype, "shape", None) is not None:
        dtype = dtype.inner
    return dtype


# --- arrays, dicts and lists --------------------------------------------------------------------------------


def _array(array: Any) -> tuple[Field, ...]:
    """An array; one with named fields is a table."""
    if parts := getattr(array.dtype, "names", None):
        return tuple(_named(name, _free_rows(array[name])) for name in parts)
    return (_free_rows(array),)


def _free_rows(array: Any) -> Field:
    """An array as it is, but for the number of its rows."""
    found = values.array(array, free=False).field()
    return replace(found, shape=(FREE, *(found.shape or ())[1:]) if values.axes(array) else ())


def _column(item: Any) -> Field:
    """One column of a dict: an array, a column of a table, a list, or the value of the only row."""
    library, kind = type(item).__module__.partition(".")[0], type(item).__name__
    if library in ("pandas", "polars") and kind == "Series":
        return _polars(item) if library == "polars" else _pandas(item)
    if values.is_array(item):
        return _free_rows(item)
    if isinstance(item, list | tuple):
        return _rows(values.joined(values.describe(one, free=False) for one in item[:LOOKED_AT]).field())
    return _rows(values.describe(item, free=True).field())


def _listed(rows: list[Any] | tuple[Any, ...]) -> tuple[Field, ...]:
    """Records, several arrays for several arguments, or the rows of an array."""
    if not rows:
        return ()
    if all(isinstance(row, Mapping) for row in rows):
        whole = values.joined(values.describe(row, free=True) for row in rows[:LOOKED_AT])
        return tuple(_rows(part.field(name)) for name, part in whole.parts)
    if isinstance(rows, tuple) and all(values.is_array(row) for row in rows):
        return tuple(_named(index, _free_rows(row)) for index, row in enumerate(rows))
    inside = values.joined(values.describe(row, free=False, inner=True) for row in rows[:LOOKED_AT]).field()
    return (replace(inside, shape=(FREE, *(inside.shape or ())), optional=False),)
