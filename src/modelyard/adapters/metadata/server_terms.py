"""Searchable values as servers keep them: names that an index takes, numbers that compare exactly, folded copies.

A server has no ``fold`` of ours, so wherever folding a text changes it, the folded one is kept beside it as a value
of its own whose name begins with ``~``. Texts that folding leaves alone, which are most, cost nothing.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from math import isinf, nextafter
from typing import Any, Final

from modelyard.adapters.metadata.terms import Term, version_columns, version_terms
from modelyard.domain.names import fold
from modelyard.domain.records import ModelVersion

LONGEST: Final = 250
"""Characters of a name that is stored as it is; the path of an attribute may be longer."""

_KEPT: Final = 180
_FOLDED: Final = "~"
_COLUMNS: Final = ("framework", "algorithm", "created_by", "digest", "label")
_NINES: Final = str.maketrans("0123456789abcdef", "fedcba9876543210")


def short(field: str) -> str:
    """A name that fits into an index: itself, or its beginning and the SHA-256 of it all."""
    if len(field) <= LONGEST:
        return field
    whole = hashlib.sha256(field.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{field[:_KEPT]}#{whole}"


def server_terms(version: ModelVersion, number: Callable[[Any], Any]) -> dict[tuple[str, int], Term]:
    """Searchable values of a version by ``(field, ordinal)``.

    Args:
        version: The version.
        number: Makes a number what the database compares exactly.
    """
    found: dict[tuple[str, int], Term] = {}
    for (field, ordinal), (type_, value, text) in version_terms(version).items():
        name = short(field)
        found[name, ordinal] = (type_, None if value is None else number(value), text)
        if text is not None and (folded := fold(text)) != text:
            found[_FOLDED + name, ordinal] = ("f", None, folded)
    found.update(_columns(version))
    return found


def _columns(version: ModelVersion) -> Iterator[tuple[tuple[str, int], Term]]:
    row = version_columns(version)
    for name in _COLUMNS:
        if (folded := fold(row[name])) != row[name]:
            yield (_FOLDED + name, 0), ("f", None, folded)


def folded_column(name: str, column: str) -> str:
    """SQL of a folded column of the version ``v``."""
    return (
        "coalesce((SELECT f.text FROM version_terms f WHERE f.version = v.id "  # noqa: S608
        f"AND f.field = '{_FOLDED}{name}' AND f.ordinal = 0), {column})"
    )


def folded_term(alias: str) -> str:
    """SQL of a folded text in ``version_terms``."""
    return (
        f"coalesce((SELECT f.text FROM version_terms f WHERE f.version = {alias}.version "  # noqa: S608
        f"AND f.field = concat('{_FOLDED}', {alias}.field) AND f.ordinal = {alias}.ordinal), {alias}.text)"
    )


def sortable(value: float) -> str:
    """20 characters that sort as the numbers do, integers of 64 bits and floats alike, without rounding either.

    A sign, the bits of the magnitude as a double rounded towards zero (IEEE 754 doubles of one sign sort as their bits
    do), and what rounding took away, which is under 1024. Below zero every digit is turned round.
    """
    size = abs(value)
    near = float(size)
    rest = 0
    if not isinf(near):
        near = near if int(near) <= size else nextafter(near, 0.0)
        rest = int(size) - int(near)
    bits = struct.unpack(">Q", struct.pack(">d", near))[0]
    digits = f"{bits:016x}{rest:03x}"
    return "0" + digits.translate(_NINES) if value < 0 else "1" + digits
