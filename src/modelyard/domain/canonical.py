"""One byte form for JSON: RFC 8785 (JCS), so that digests and hashes mean the same everywhere.

Two additions make every record expressible: integers beyond 2^53 - 1 and non-finite floats become strings, times become
ISO 8601 with microseconds and ``Z``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any

import rfc8785

SAFE_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader holds exactly (RFC 8785, section 3.2.2.3)."""


NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""``repr`` of the floats that JSON lacks, and the text that stands for them."""


_WRITTEN_ALIKE = frozenset((str, bool, type(None)))
"""Types whose values ``json`` writes as RFC 8785 does."""

_ALIKE = _WRITTEN_ALIKE | {int}
"""Types whose values are plain already."""


_SMALLEST_PLAIN = 1e-4
"""``repr`` writes smaller fractions with an exponent, ECMAScript only those below 1e-6, and in another way."""


class _OddFloat(Exception):
    """A float that ``repr`` and ECMAScript write differently."""


def utc_text(moment: datetime) -> str:
    """``2026-03-01T12:00:00.000000Z``: sortable, microseconds always written."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def utc_time(text: str) -> datetime:
    """The inverse of :func:`utc_text`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def plain(value: Any) -> Any:
    """Records, enums, times, tuples and sets as plain JSON values; keys and non-finite numbers become text."""
    kind = type(value)
    if kind in _ALIKE:
        return value
    if kind is not dict and isinstance(value, str | int | float):
        return _scalar(value)
    if kind is dict or isinstance(value, Mapping):
        return {str(key): item if type(item) in _ALIKE else plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return utc_text(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r:.80}")


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, int | str) or isfinite(value) else NOT_FINITE[repr(float(value))]


def canonical(value: Any) -> bytes:
    """UTF-8 bytes of the canonical form.

    ``json`` in C writes the same bytes as RFC 8785 unless a float needs an exponent or a key leaves the Basic
    Multilingual Plane (sorted by UTF-16 there); those rare values take the reference library, 10 times slower.
    """
    try:
        return _ENCODER.encode(_ready(value)).encode()
    except _OddFloat:
        return rfc8785.dumps(_exact(plain(value)))


def composed(members: Mapping[str, bytes]) -> bytes:
    """The canonical form of an object whose members' values are in it already; names in ASCII without quotes."""
    return b"{%s}" % b",".join([b'"%s":%s' % (name.encode(), members[name]) for name in sorted(members)])


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False
)


def sha256(data: bytes) -> str:
    """``sha256:`` plus the lower-case hex digest."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def fingerprint(value: Any) -> str:
    """Digest of the canonical form of any record or JSON value."""
    return sha256(canonical(value))


def _ready(value: Any) -> Any:
    """``plain`` and the numbers of RFC 8785 in one pass; raises on what only the reference library writes right."""
    kind = type(value)
    if kind in _WRITTEN_ALIKE:
        return value
    if kind is dict:
        if not _sort_alike(value):
            raise _OddFloat
        return {
            key if type(key) is str else str(key): item if type(item) in _WRITTEN_ALIKE else _ready(item)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [_ready(item) for item in value]
    if kind is int:
        return _integer(value)
    if kind is float:
        return _float(value, strict=True)
    return _ready(plain(value)) if not isinstance(value, int | float | str) else _ready(_base(value))


def _sort_alike(keys: Iterable[object]) -> bool:
    """Whether code points and UTF-16 units put these keys in the same order."""
    text = "".join([key for key in keys if type(key) is str])
    return text.isascii() or max(text) <= "\ud7ff"


def _base(value: Any) -> Any:
    """Enums and other subclasses of JSON's own types as those types."""
    inner = plain(value)
    return next(kind(inner) for kind in (str, int, float) if isinstance(inner, kind))


def _exact(value: Any) -> Any:
    """Plain JSON with numbers as the reference library takes them."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, float):
        return _float(value, strict=False)
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    return value


def _integer(value: int) -> int | str:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


def _float(value: float, *, strict: bool) -> Any:
    if not isfinite(value):
        return NOT_FINITE[repr(value)]
    if value.is_integer() and abs(value) <= SAFE_INTEGER:
        return int(value)
    if strict and (value.is_integer() or abs(value) < _SMALLEST_PLAIN):
        raise _OddFloat
    return value
