"""MessagePack (github.com/msgpack/msgpack, spec.md): spaCy's weights and tables. It has no magic number."""

from __future__ import annotations

from typing import Final

from modelyard.scanning.findings import Findings
from modelyard.scanning.source import Source

_MOST: Final = 5_000_000  # values
_MAPS: Final = {0xDE: 2, 0xDF: 4}
_ARRAYS: Final = {0xDC: 2, 0xDD: 4}
_BLOBS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED: Final = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
"""Marker -> bytes of what follows it, or of the length or count that follows it."""


def is_msgpack(source: Source, findings: Findings) -> bool:
    """True if the source is one map of MessagePack, read to its last byte.

    Some readers unpickle bytes that they find in one, so a value that looks like a pickle is a doubt.
    """
    source.stream.seek(0)
    first = source.peek(1)
    if not first or not (0x80 <= first[0] <= 0x8F or first[0] in _MAPS):
        return False
    waiting, seen = 1, 0
    while waiting:
        more = _value(source, findings)
        seen += 1
        if more < 0 or seen > _MOST:
            return False
        waiting += more - 1
    return not source.peek(1)


def _value(source: Source, findings: Findings) -> int:
    """Read one value but not the values inside it: how many those are, or -1 if there is none here."""
    byte = source.read(1)
    if not byte or byte[0] == 0xC1:
        return -1
    marker = byte[0]
    if marker < 0x80 or marker >= 0xE0:
        return 0
    if marker <= 0x9F:
        return (marker & 0x0F) * (2 if marker <= 0x8F else 1)
    if marker <= 0xBF:
        return _pass(source, marker & 0x1F, findings)
    if marker in _MAPS:
        return 2 * _number(source, _MAPS[marker])
    if marker in _ARRAYS:
        return _number(source, _ARRAYS[marker])
    if marker in _BLOBS:
        return _pass(source, _number(source, _BLOBS[marker]), findings)
    if marker in _EXTENSIONS:
        return _pass(source, _number(source, _EXTENSIONS[marker]) + 1, findings)
    return _pass(source, _FIXED[marker], findings)


def _number(source: Source, width: int) -> int:
    """A length or count; one that no file can have where the source ends before it does."""
    data = source.read(width)
    return int.from_bytes(data, "big") if len(data) == width else 1 << 62


def _pass(source: Source, count: int, findings: Findings) -> int:
    start = source.tell()
    if count > (source.size or 0) - start:
        return -1
    head = source.peek(2)
    source.stream.seek(start + count)
    if count > 3 and head[0] == 0x80 and 2 <= head[1] <= 5:
        source.stream.seek(start + count - 1)
        if source.read(1) == b".":
            findings.doubt("MessagePack with a value that looks like a pickle")
    return 0
