"""Walking a tar archive (POSIX.1-2017, pax and ustar) header by header; nothing is unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.zips import MAX_ENTRIES, Member, escapes

_BLOCK: Final = 512
_FILES: Final = frozenset(b"0\x007")
_LINKS: Final = frozenset(b"12")
_NAMES: Final = frozenset(b"LKxg")  # longer names, which override the header's
_MAX_NAMES: Final = 1 << 20


def members(stream: BinaryIO, size: int, findings: Findings) -> Iterator[Member]:
    """Every regular file.

    Raises:
        Unreadable: The archive is malformed or has too many entries.
    """
    at = 0
    for _ in range(MAX_ENTRIES):
        stream.seek(at)
        header = stream.read(_BLOCK)
        if len(header) < _BLOCK:
            raise Unreadable("truncated archive")
        if not header.strip(b"\0"):
            return
        length = _number(header[124:136])
        if at + _BLOCK + length > size:
            raise Unreadable("an archive entry that runs past its end")
        kind = header[156]
        _check(header, kind, stream, length, findings)
        if kind in _FILES:
            name = header[:100].rstrip(b"\0").decode("utf-8", "backslashreplace")
            yield Member(name=name, method=0, start=at + _BLOCK, stored=length)
        at += _BLOCK + (length + _BLOCK - 1) // _BLOCK * _BLOCK
    raise Unreadable(f"an archive of more than {MAX_ENTRIES} entries")


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        raise Unreadable("a malformed archive header") from None


def _check(header: bytes, kind: int, stream: BinaryIO, length: int, findings: Findings) -> None:
    name = header[:100].rstrip(b"\0").decode("utf-8", "backslashreplace")
    prefix = header[345:500].rstrip(b"\0").decode("utf-8", "backslashreplace")
    if escapes(name) or (header[257:263] == b"ustar\0" and escapes(prefix)):
        findings.refuse(f"archive entry {name!r} leaves the folder it is unpacked to")
    if kind in _LINKS:
        findings.refuse(f"archive entry {name!r} is a link")
    elif kind in _NAMES:
        _check_names(stream.read(min(length, _MAX_NAMES)), kind, findings)
    elif kind not in _FILES and kind not in b"5":
        findings.refuse(f"archive entry {name!r} is a device or of an unknown kind")


def _check_names(body: bytes, kind: int, findings: Findings) -> None:
    if kind in b"LK":
        names = [body.rstrip(b"\0")]
    else:
        lines = body.split(b"\n")
        names = [line.partition(b"=")[2] for line in lines if line.partition(b"=")[0].endswith(b"path")]
    for name in names:
        text = name.decode("utf-8", "backslashreplace")
        if escapes(text):
            findings.refuse(f"archive entry {text!r} leaves the folder it is unpacked to")
