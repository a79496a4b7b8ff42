"""Parameters in an address: how values of a few simple types are written as text and read again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from modelyard.domain.canonical import NOT_FINITE, plain, utc_time
from modelyard.domain.errors import InvalidInput
from modelyard.domain.spelling import quoted

NOTHING: Final = "null"
"""How ``None`` is written where it means something else than leaving the parameter out."""

_WORDS: Final = {"true": True, "false": False}


def write(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and texts; a list is its name repeated.

    Raises:
        InvalidInput: A value is not of its kind: as a text it might be taken for one that is.
    """
    return [
        (name, _text(item, kinds[name], name))
        for name, value in values.items()
        for item in _each(value, kinds[name])
    ]


def _each(value: Any, kind: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) and _is_list(kind) else (value,)


def _text(value: Any, kind: Any, name: str) -> str:
    members = {
        item for member in _members(kind) for item in (get_args(member) if _is_list(member) else (member,))
    }
    if type(value) not in members and not any(
        isinstance(m, type) and isinstance(value, m) for m in members - {int}
    ):
        raise InvalidInput(f"{name!r} must be {_word(members)}, not {quoted(value)}", data={"field": name})
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))


def _word(members: set[Any]) -> str:
    return next((_WORD_FOR[member] for member in _WORD_FOR if member in members), "a text")


def read(asked: Sequence[tuple[str, str]], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name; names that no kind is known for stay texts, for the caller to refuse.

    Raises:
        InvalidInput: A text is not of its kind, or a parameter that is no list is given twice.
    """
    values: dict[str, Any] = {}
    for name, text in asked:
        kind = kinds.get(name, str)
        if _is_list(kind):
            values.setdefault(name, []).append(text)
        elif name in values:
            raise InvalidInput(f"{quoted(name)} is given twice", data={"field": name})
        else:
            values[name] = _value(kind, text, name)
    return values


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is_list(kind: Any) -> bool:
    return any(get_origin(member) in (Sequence, tuple, list) for member in _members(kind))


def _value(kind: Any, text: str, name: str) -> Any:
    members = _members(kind)
    if text == NOTHING and NoneType in members and str not in members:
        return None
    wanted = next(member for member in members if member is not NoneType)
    try:
        return _WORDS[text] if wanted is bool else _READERS[wanted](text)
    except (ValueError, KeyError) as error:
        raise InvalidInput(
            f"{name!r} must be {_word({wanted})}, not {quoted(text)}", data={"field": name}
        ) from error


_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


def _whole(text: str) -> int:
    """Python's own reader would take underscores, spaces and digits of every script."""
    if not re.fullmatch(r"[+-]?[0-9]{1,300}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not (_NUMBER.fullmatch(text) or text in NOT_FINITE.values()):
        raise ValueError(text)
    return float(text)


_READERS: Final[Mapping[Any, Any]] = {str: str, int: _whole, float: _number, datetime: utc_time}
_WORD_FOR: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    datetime: "a time such as 2026-03-01T12:00:00Z",
}
