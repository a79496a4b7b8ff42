"""From JSON back to records, by their own annotations: the inverse of ``domain.canonical.plain``.

One reader for every frozen record means that a new field needs no second place. Unknown keys are refused: a reader
that drops what it does not know would lose facts in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from modelyard.domain import policy
from modelyard.domain.canonical import plain, utc_time

T = TypeVar("T")

WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    str: "a text",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}
"""What JSON calls our types."""

encode = plain
"""Records as plain JSON values."""


def decode(kind: type[T], data: Any) -> T:
    """A record of type ``kind`` from JSON values.

    Raises:
        ValueError: A key is unknown or missing, or a value has the wrong type; the message says where.
    """
    result: T = decode_as(kind, data, kind.__name__)
    return result


def decode_as(kind: Any, data: Any, where: str) -> Any:
    """The same for any annotation that records and requests use; ``where`` begins the message of an error."""
    try:
        return _read(kind, data, where)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{where} is malformed: {error}") from error


@cache
def hints(kind: Any) -> dict[str, Any]:
    """Annotations by field; those of a generic record with what its parameter stands for."""
    made = get_origin(kind) or kind
    found = get_type_hints(made, localns={"Policy": policy.Policy})
    if made is kind:
        return found
    stands_for = dict(zip(made.__parameters__, get_args(kind), strict=True))
    return {
        name: hint[tuple(stands_for[p] for p in hint.__parameters__)]
        if getattr(hint, "__parameters__", ())
        else hint
        for name, hint in found.items()
    }


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is policy.Policy:
        return policy.from_mapping(value)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_union(get_args(kind), value, where)
    if origin is Literal:
        return _one_of(get_args(kind), value, where)
    if origin is tuple or origin is Sequence:
        inner = get_args(kind)[0]
        return tuple(_read(inner, item, f"{where}[{i}]") for i, item in enumerate(_is(list, value, where)))
    if is_dataclass(origin):
        return _read_record(kind, _is(dict, value, where), where)
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        pairs = _is(dict, value, where).items()
        return {key: _read(inner, item, f"{where}.{key}") for key, item in pairs}
    if kind is None or kind is NoneType:
        return _is(NoneType, value, where)
    if kind is datetime:
        return utc_time(_is(str, value, where))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_record(kind, _is(dict, value, where), where)
    if kind is float:
        return _number(value, where)
    return value if kind is Any or not isinstance(kind, type) else _is(kind, value, where)


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """Unions are ``X | None``, of a list and an object, or of records: the first that has all the given keys."""
    if value is None and NoneType in kinds:
        return None
    meant = [k for k in kinds if k is not NoneType]
    fitting = (k for k in meant if _may_be(k, value))
    return _read(next(fitting, meant[0]), value, where)


def _may_be(kind: Any, value: Any) -> bool:
    """Whether a value has the shape of one member of a union."""
    made = get_origin(kind) or kind
    if is_dataclass(made):
        return isinstance(value, dict) and value.keys() <= hints(kind).keys()
    if made in (tuple, Sequence):
        return isinstance(value, list)
    return isinstance(value, dict) if made is Mapping else not isinstance(value, dict | list)


def _read_record(kind: Any, value: dict[str, Any], where: str) -> Any:
    kinds = hints(kind)
    if unknown := value.keys() - kinds.keys():
        raise ValueError(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
    given = {name: _read(kinds[name], item, f"{where}.{name}") for name, item in value.items()}
    made = get_origin(kind) or kind
    for f in fields(made):
        if f.name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where} lacks {f.name!r}")
    return made(**given)


def _number(value: Any, where: str) -> float:
    """JSON has no NaN or infinity, which travel as text, and one way to write 1.0, which is 1."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, not {value!r:.80}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{where} is larger than any number that is kept") from error


def _one_of(words: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in words:
        raise ValueError(f"{where} must be one of {', '.join(map(repr, words))}, not {value!r:.80}")
    return value


def _is(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {WORDS.get(kind, kind.__name__)}, not {value!r:.80}")
    return value
