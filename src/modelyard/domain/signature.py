"""What a model takes and gives: names, types and shapes of its inputs and outputs.

The JSON form, kept with each version, is what `Signature.to_mapping` writes and `signature_given.parse` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from modelyard.domain.canonical import SAFE_INTEGER, canonical
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import JSON
from modelyard.domain.spelling import hint, quoted
from modelyard.domain.text import check_text

TYPES: Final[Mapping[str, str]] = {
    "boolean": "true or false",
    "int8": "whole number of 8 bits",
    "int16": "whole number of 16 bits",
    "int32": "whole number of 32 bits",
    "int64": "whole number of 64 bits",
    "uint8": "whole number of 8 bits, not negative",
    "uint16": "whole number of 16 bits, not negative",
    "uint32": "whole number of 32 bits, not negative",
    "uint64": "whole number of 64 bits, not negative",
    "float16": "IEEE 754 number of 16 bits",
    "bfloat16": "number of 16 bits with the exponent of a float32",
    "float32": "IEEE 754 number of 32 bits",
    "float64": "IEEE 754 number of 64 bits",
    "complex64": "two float32",
    "complex128": "two float64",
    "decimal": "exact decimal number",
    "string": "text",
    "binary": "bytes",
    "datetime": "moment",
    "date": "day",
    "time": "time of day",
    "duration": "span of time",
    "object": "named parts, listed in `fields`",
    "map": "text keys to values of the one type in `fields`",
    "any": "a type that nobody stated",
}
"""Every type there is, and what it means. The list is closed: readers may rely on it."""

FORM: Final = '{"inputs": [{"name": "age", "type": "float64"}], "outputs": [{"type": "int64"}]}'
"""What a signature looks like, for error messages."""

FREE: Final = -1
MOST_FIELDS: Final = 100_000
DEEPEST: Final = 16
MOST_AXES: Final = 64  # NumPy's own limit (NPY_MAXDIMS)
LONGEST_NAME: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output.

    Attributes:
        name: Unique in its part; empty where there is only one and it has none, as with a bare array.
        type: A key of `TYPES`.
        shape: Lengths of all axes, rows first, with -1 for one that is free: ``(-1, 28, 28)``. ``None``: one value
            per row, as in a column of a table, which is compared as ``(-1,)``. ``()`` is a single value.
        optional: Whether it may be left out or empty.
        fields: Parts of an ``object``; the one, unnamed value of a ``map``. They lie inside a row, so their shapes
            have no axis of rows, and ``None`` is a single value.

    Raises:
        InvalidInput: Something of this is not so; the message names the field and the value.
    """

    name: str = ""
    type: str
    shape: tuple[int, ...] | None = None
    optional: bool = False
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        check_text(self.name, LONGEST_NAME, "signature, name of a field")
        _check_type(self.name, self.type)
        if self.shape is not None:
            object.__setattr__(self, "shape", _axes(self.name, self.shape))
        if not isinstance(self.optional, bool):
            raise _wrong(self.name, "true or false as optional", self.optional)
        object.__setattr__(self, "fields", tuple(self.fields))
        _check_parts(self)

    def to_mapping(self) -> dict[str, JSON]:
        """JSON, without what says nothing."""
        found: dict[str, JSON] = {"name": self.name} if self.name else {}
        found["type"] = self.type
        if self.shape is not None:
            found["shape"] = list(self.shape)
        if self.optional:
            found["optional"] = True
        if self.fields:
            found["fields"] = [part.to_mapping() for part in self.fields]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A setting that a caller may give with a prediction, such as ``temperature``.

    Attributes:
        name: Unique among the params.
        type: As for a field.
        default: What counts where the caller gives none.
        shape: ``None`` for one value, ``(-1,)`` for a list of them.
        fields: As for a field.

    Raises:
        InvalidInput: As for a field; or the default is no JSON.
    """

    name: str
    type: str
    default: JSON = None
    shape: tuple[int, ...] | None = None
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidInput("signature: a param needs a name.")
        checked = self.as_field()
        object.__setattr__(self, "shape", checked.shape)
        object.__setattr__(self, "fields", checked.fields)
        if self.shape not in (None, (FREE,)):
            raise _wrong(self.name, "no shape or [-1] for a param", list(checked.shape or ()))
        try:
            canonical(self.default)
        except (TypeError, ValueError, RecursionError):
            raise _wrong(self.name, "a JSON value as default", self.default) from None

    def as_field(self) -> Field:
        """The same without its default."""
        return Field(name=self.name, type=self.type, shape=self.shape, optional=True, fields=self.fields)

    def to_mapping(self) -> dict[str, JSON]:
        """JSON, with the default always written."""
        found = {**self.as_field().to_mapping(), "default": self.default}
        del found["optional"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives.

    Attributes:
        inputs: What it takes; ``None``: nobody described it, which is not the same as "nothing".
        outputs: What it gives, likewise.
        params: Settings that may come with each prediction.

    Raises:
        InvalidInput: A name stands twice, several fields and one without a name, or nothing is described at all.

    >>> Signature(inputs=(Field(name="age", type="int64"),)).to_mapping()
    {'inputs': [{'name': 'age', 'type': 'int64'}]}
    """

    inputs: tuple[Field, ...] | None = None
    outputs: tuple[Field, ...] | None = None
    params: tuple[Param, ...] = field(default=())

    def __post_init__(self) -> None:
        for part in ("inputs", "outputs", "params"):
            given = getattr(self, part)
            if given is None:
                continue
            fields = tuple(given)
            wanted = Param if part == "params" else Field
            if odd := [item for item in fields if not isinstance(item, wanted)]:
                raise InvalidInput(
                    f"signature {part}: expected {wanted.__name__}s, found {quoted(odd[0])}. Give {FORM}."
                )
            _check_names(part, fields)
            object.__setattr__(self, part, fields)
        if self.inputs is None and self.outputs is None and not self.params:
            raise InvalidInput(f"signature: nothing is described. Give inputs or outputs, such as {FORM}.")

    def to_mapping(self) -> dict[str, JSON]:
        """The JSON form; parts that nobody described are left out."""
        parts = {"inputs": self.inputs, "outputs": self.outputs, "params": self.params or None}
        return {
            name: [f.to_mapping() for f in fields] for name, fields in parts.items() if fields is not None
        }


# --- checks -------------------------------------------------------------------------------------------------


def _wrong(name: str, expected: str, found: object, near: str = "") -> InvalidInput:
    where = f"field {quoted(name)}" if name else "the field without a name"
    return InvalidInput(f"signature, {where}: expected {expected}, found {quoted(found)}.{near}")


def check_keys(item: Mapping[str, JSON], known: Sequence[str], where: str) -> None:
    """Refuse what a field says that nobody would read.

    Raises:
        InvalidInput: It names the key, the nearest known one, and the field.
    """
    for key in item:
        if key not in known:
            named = f", field {quoted(item['name'])}" if item.get("name") else ""
            raise InvalidInput(
                f"{where}{named}: expected the keys {', '.join(known)}, found {quoted(key)}."
                f"{hint(str(key), known)}"
            )


def _check_type(name: str, given: object) -> None:
    if not isinstance(given, str) or given not in TYPES:
        near = hint(given, TYPES) if isinstance(given, str) else ""
        raise _wrong(name, f"one of the types {', '.join(TYPES)}", given, near)


def _axes(name: str, shape: object) -> tuple[int, ...]:
    if not isinstance(shape, Sequence) or isinstance(shape, str) or len(shape) > MOST_AXES:
        raise _wrong(name, f"a list of at most {MOST_AXES} axis lengths as shape", shape)
    for axis in shape:
        if type(axis) is not int or not FREE <= axis <= SAFE_INTEGER:
            raise _wrong(name, "axis lengths in the shape: whole numbers, or -1 for a free one", axis)
    return tuple(shape)


def _check_parts(whole: Field) -> None:
    """An object has parts, a map one kind of value, everything else none."""
    parts = whole.fields
    if odd := [part for part in parts if not isinstance(part, Field)]:
        raise _wrong(whole.name, "Fields as fields", odd[0])
    if whole.type == "map":
        if len(parts) != 1 or parts[0].name:
            raise _wrong(whole.name, "one field without a name: what a map's values are", len(parts))
    elif whole.type == "object":
        if not parts or not all(part.name for part in parts):
            raise _wrong(whole.name, "named fields: the parts of an object", [part.name for part in parts])
        _check_names(f"of {quoted(whole.name)}", parts)
    elif parts:
        raise _wrong(whole.name, f"no fields in type {whole.type!r}", [part.name for part in parts])
    if _depth(whole) > DEEPEST:
        raise _wrong(whole.name, f"fields nested at most {DEEPEST} deep", "more")


def _depth(whole: Field) -> int:
    return 1 + max(map(_depth, whole.fields), default=0)


def _check_names(part: str, fields: Sequence[Field | Param]) -> None:
    if len(fields) > MOST_FIELDS:
        raise InvalidInput(f"signature {part}: expected at most {MOST_FIELDS} fields, found {len(fields)}.")
    seen: set[str] = set()
    for item in fields:
        if not item.name and len(fields) > 1:
            raise InvalidInput(
                f"signature {part}: one of {len(fields)} fields has no name; only a single field may have none."
            )
        if item.name in seen:
            raise InvalidInput(
                f"signature {part}: the name {quoted(item.name)} stands twice; names are unique."
            )
        seen.add(item.name)
