"""From JSON back to records, by their own annotations: the inverse of ``domain.canonical.plain``.

One reader for every frozen record means that a new field needs no second place. Unknown keys are refused: a reader
that drops what it does not know would lose facts in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from modelyard.domain import policy
from modelyard.domain.canonical import plain, utc_time

T = TypeVar("T")

encode = plain
"""Records as plain JSON values."""


def decode(kind: type[T], data: Any) -> T:
    """A record of type ``kind`` from JSON values.

    Raises:
        ValueError: A key is unknown or missing, or a value has the wrong type; the message says where.
    """
    try:
        result: T = _read(kind, data, kind.__name__)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error
    return result


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns={"Policy": policy.Policy})


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is policy.Policy:
        return policy.from_mapping(value)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_union(get_args(kind), value, where)
    if origin is tuple:
        inner = get_args(kind)[0]
        return tuple(_read(inner, item, f"{where}[{i}]") for i, item in enumerate(_is(list, value, where)))
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        pairs = _is(dict, value, where).items()
        return {key: _read(inner, item, f"{where}.{key}") for key, item in pairs}
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
    """Unions in records are ``X | None``."""
    if value is None and NoneType in kinds:
        return None
    return _read(next(k for k in kinds if k is not NoneType), value, where)


def _read_record(kind: type, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    if unknown := value.keys() - hints.keys():
        raise ValueError(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
    given = {name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    for f in fields(kind):
        if f.name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where} lacks {f.name!r}")
    return kind(**given)


def _number(value: Any, where: str) -> float:
    """JSON has no NaN or infinity; they travel as text."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, not {value!r:.80}")
    return value


def _is(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {kind.__name__}, not {type(value).__name__}")
    return value
