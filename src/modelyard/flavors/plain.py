"""Parameters of an estimator as strict JSON and back: what JSON has no word for is tagged, what is code is refused.

Tags are one-item objects: ``{"$float": "nan"}``, ``{"$tuple": [...]}``, ``{"$dict": [[key, value], ...]}`` and
``{"$int": "..."}`` for whole numbers that not every JSON reader keeps (RFC 8259, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from modelyard.domain.errors import LoadRefused

_SAFE: Final = 2**53
_DEEP: Final = 8


class NotPlain(Exception):
    """The value holds something that is no number, text, list or dict of these."""


def encode(value: Any, depth: int = 0) -> Any:
    """The value as JSON, from which ``decode`` gives an equal one (numpy's scalars come back as Python's).

    Raises:
        NotPlain: It holds a function, an array, a random state or another object.
    """
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE else {"$int": str(int(value))}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if depth >= _DEEP or not isinstance(value, list | tuple | dict):
        raise NotPlain(f"a {type(value).__name__} cannot be written as data")
    return _encoded(value, depth + 1)


def _encoded(value: list[Any] | tuple[Any, ...] | dict[Any, Any], depth: int) -> Any:
    if isinstance(value, list):
        return [encode(item, depth) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, depth) for item in value]}
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(item, depth) for key, item in value.items()}
    return {"$dict": [[encode(key, depth), encode(item, depth)] for key, item in value.items()]}


def is_plain(value: Any) -> bool:
    """True if ``encode`` can write the value."""
    try:
        encode(value)
    except NotPlain:
        return False
    return True


def decode(value: Any) -> Any:
    """The value that ``encode`` was given.

    Raises:
        LoadRefused: It is not what ``encode`` writes.
    """
    try:
        return _decoded(value)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LoadRefused(f"recorded parameters are damaged, near {str(value)[:80]!r}") from error


def _decoded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_decoded(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag in _TAGS:
            return _TAGS[tag](inner)
    return {key: _decoded(item) for key, item in value.items()}


_TAGS: Final[dict[str, Any]] = {
    "$float": float,
    "$int": int,
    "$tuple": lambda inner: tuple([_decoded(item) for item in inner]),
    "$dict": lambda inner: {_decoded(key): _decoded(item) for key, item in inner},
}
