"""What kind of thing a value is, in the closed list of signature types; and what several values are together.

No library is imported to find out: types are known by their names, arrays by having a shape and a dtype.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from modelyard.domain.signature import FREE, TYPES, Field
from modelyard.domain.signature_verdict import WIDER

_SPELLINGS: Final = {
    "bool": "boolean",
    "double": "float64",
    "float": "float32",
    "halffloat": "float16",
    "half": "float16",
}
"""Words of NumPy, Arrow and torch for types that have another word here. (Python's own types never come as words.)"""

_BEGINNINGS: Final = {
    "str": "string",
    "utf8": "string",
    "large_str": "string",
    "bytes": "binary",
    "large_binary": "binary",
    "fixed_size_binary": "binary",
    "datetime": "datetime",
    "timestamp": "datetime",
    "timedelta": "duration",
    "duration": "duration",
    "date": "date",
    "time": "time",
    "decimal": "decimal",
    "categorical": "string",
    "enum": "string",
}
"""How dtypes with a width, unit or zone begin; the first that fits counts."""

_STRUCTURED: Final = frozenset({"object", "map", "any"})

_PYTHON: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "boolean"),
    (float, "float64"),
    (complex, "complex128"),
    (str, "string"),
    ((bytes, bytearray, memoryview), "binary"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
    (Decimal, "decimal"),
)
"""In an order in which a subclass comes before its base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a value, or of several together.

    Attributes:
        type: A signature's type; ``list`` where it has elements; empty where nothing was seen but empty values.
        optional: Whether an empty value was seen.
        length: Of a list; -1 where it differs.
        parts: Name and kind of an object's parts; a list's elements are one part without a name.
    """

    type: str = ""
    optional: bool = False
    length: int = FREE
    parts: tuple[tuple[str, Seen], ...] = ()

    @property
    def inner(self) -> Seen:
        """A list's elements."""
        return self.parts[0][1]

    def field(self, name: str = "") -> Field:
        """As a field that lies inside a row."""
        leaf, shape = self, []
        while leaf.type == "list":
            shape.append(leaf.length)
            leaf = leaf.inner
        parts = tuple(part.field(inner) for inner, part in leaf.parts)
        kind = "any" if leaf.type == "object" and not parts else leaf.type or "any"
        return Field(name=name, type=kind, shape=tuple(shape) or None, optional=self.optional, fields=parts)


MISSING: Final = Seen(optional=True)


def is_array(value: object) -> bool:
    """Whether it has a shape and a dtype: NumPy, torch, JAX, TensorFlow, SciPy's sparse matrices."""
    shape = getattr(value, "shape", None)
    return hasattr(value, "dtype") and hasattr(shape, "__iter__") and not isinstance(value, type)


def word(dtype: object) -> str:
    """The type that a dtype stands for; ``any`` where it leaves that to the values (``object``, ``category``)."""
    text = str(getattr(dtype, "name", None) or dtype).lower()
    text = text.removeprefix("torch.").removesuffix("[pyarrow]")
    if text in TYPES:
        return "any" if text in _STRUCTURED else text
    if text in _SPELLINGS:
        return _SPELLINGS[text]
    return next((ours for start, ours in _BEGINNINGS.items() if text.startswith(start)), "any")


def axes(array: Any) -> tuple[int, ...]:
    """Lengths of an array's axes; those that it does not know are free."""
    return tuple(axis if isinstance(axis, int) and axis >= 0 else FREE for axis in array.shape)


def is_missing(value: object) -> bool:
    """``None``, NaN, and pandas' ``NA`` and ``NaT``."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def describe(value: Any, *, free: bool, inner: bool = False) -> Seen:
    """What one value shows.

    Args:
        value: Anything.
        free: Whether lists may have any length; else they have the one seen.
        inner: Whether it lies in a list, where NaN is a number.
    """
    if value is None or (is_missing(value) and not inner):
        return MISSING
    if is_array(value):
        return array(value, free=free)
    if isinstance(value, Mapping):
        parts = tuple((str(key), describe(item, free=True)) for key, item in value.items())
        return Seen(type="object", parts=parts)
    if isinstance(value, list | tuple):
        elements = joined(describe(item, free=free, inner=True) for item in value)
        return _list(FREE if free or not value else len(value), elements)
    return Seen(type=_of_python(value))


def _of_python(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "int64" if -(2**63) <= value < 2**63 else "uint64" if 0 < value < 2**64 else "any"
    return next((name for kind, name in _PYTHON if isinstance(value, kind)), "any")


def array(value: Any, *, free: bool) -> Seen:
    """What an array shows; ``free`` as in `describe`. Arrays of Python objects are looked into."""
    kind = word(value.dtype)
    if kind == "any" and str(value.dtype) == "object":
        return describe(value.tolist(), free=free)
    found = Seen(type=kind)
    for axis in reversed(axes(value)):
        found = _list(FREE if free else axis, found)
    return found


def _list(length: int, elements: Seen) -> Seen:
    return Seen(type="list", length=length, parts=(("", elements),))


# --- together -----------------------------------------------------------------------------------------------


def joined(seen: Iterable[Seen]) -> Seen:
    """What holds for all of several values; ``any`` where they have nothing in common."""
    return reduce(_join, dict.fromkeys(seen), Seen())


def _join(a: Seen, b: Seen) -> Seen:
    optional = a.optional or b.optional
    if not (a.type and b.type):
        return replace(a if a.type else b, optional=optional)
    if a.type == b.type == "list":
        length = a.length if a.length == b.length else FREE
        return replace(_list(length, _join(a.inner, b.inner)), optional=optional)
    parts = _union(a.parts, b.parts) if a.type == b.type == "object" else ()
    return Seen(type=_common(a.type, b.type), optional=optional, parts=parts)


def _common(a: str, b: str) -> str:
    """The smallest type that takes all values of both; whole numbers go before others."""
    if a == b:
        return a
    both = {a, *WIDER.get(a, ())} & {b, *WIDER.get(b, ())}
    smallest = [name for name in TYPES if name in both and not any(name in WIDER.get(t, ()) for t in both)]
    return smallest[0] if smallest else "any"


def _union(a: Iterable[tuple[str, Seen]], b: Iterable[tuple[str, Seen]]) -> tuple[tuple[str, Seen], ...]:
    """All parts of two objects; those that one of them lacks are optional."""
    ours, theirs = dict(a), dict(b)
    return tuple(
        (name, _join(ours.get(name, MISSING), theirs.get(name, MISSING))) for name in {**ours, **theirs}
    )
