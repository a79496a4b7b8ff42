"""Walking a zip archive without trusting it (APPNOTE.TXT 6.3.10): flags, checksums and names decide nothing here."""

from __future__ import annotations

import itertools
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from modelyard.scanning.findings import Findings, Unreadable

MAX_ENTRIES: Final = 50_000
_MAX_DIRECTORY: Final = 16 << 20
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive: ``start`` and ``stored`` are where its raw bytes lie, ``method`` how they are packed."""

    name: str
    method: int
    start: int
    stored: int


@dataclass(frozen=True, slots=True)
class _Directory:
    offset: int
    size: int
    count: int


def members(stream: BinaryIO, size: int, findings: Findings) -> Iterator[Member]:
    """Every member that the central directory lists.

    Raises:
        Unreadable: The archive is malformed, or has too many entries.
    """
    directory = _directory(stream, size)
    if directory.count > MAX_ENTRIES:
        raise Unreadable(f"an archive of more than {MAX_ENTRIES} entries")
    if directory.size > _MAX_DIRECTORY:
        raise Unreadable("an archive with an oversized directory")
    spans: list[tuple[int, int]] = []
    stream.seek(directory.offset)
    raw = stream.read(directory.size)
    at = 0
    while at < len(raw):
        member, at = _entry(raw, at, stream, directory.offset, findings)
        if len(spans) >= MAX_ENTRIES:
            raise Unreadable(f"an archive of more than {MAX_ENTRIES} entries")
        spans.append((member.start, member.start + member.stored))
        yield member
    spans.sort()
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        raise Unreadable("archive entries that overlap")


def _directory(stream: BinaryIO, size: int) -> _Directory:
    tail_at = max(0, size - 65_557)
    stream.seek(tail_at)
    tail = stream.read(size - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise Unreadable("an archive without a directory")
    _, _, _, _, count, length, offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise Unreadable("bytes after the end of an archive")
    end = tail_at + at
    locator_at = at - _LOCATOR.size
    if locator_at >= 0 and tail[locator_at : locator_at + 4] == b"PK\x06\x07":
        _, _, where, _ = _LOCATOR.unpack_from(tail, locator_at)
        stream.seek(where)
        record = stream.read(_END64.size)
        if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
            raise Unreadable("an archive whose 64-bit directory is missing")
        *_, count, length, offset = _END64.unpack(record)
        end = where
    if offset + length != end:
        raise Unreadable("an archive with bytes before it or after its directory")
    return _Directory(offset, length, count)


def _entry(raw: bytes, at: int, stream: BinaryIO, limit: int, findings: Findings) -> tuple[Member, int]:
    if len(raw) - at < _ENTRY.size or raw[at : at + 4] != b"PK\x01\x02":
        raise Unreadable("an archive whose directory is malformed")
    fields = _ENTRY.unpack_from(raw, at)
    flags, method, stored, plain = fields[3], fields[4], fields[8], fields[9]
    name_length, extra_length, comment_length = fields[10:13]
    attributes, offset = fields[15], fields[16]
    at += _ENTRY.size
    name = raw[at : at + name_length]
    extra = raw[at + name_length : at + name_length + extra_length]
    stored, offset = _wide(extra, stored, plain, offset)
    start = _data_start(stream, offset, name, method, limit, findings)
    if start + stored > limit:
        raise Unreadable("an archive entry that runs past its end")
    text = name.decode("utf-8", "backslashreplace")
    _check(text, flags, attributes, findings)
    member = Member(name=text, method=method, start=start, stored=stored)
    return member, at + name_length + extra_length + comment_length


def _wide(extra: bytes, stored: int, plain: int, offset: int) -> tuple[int, int]:
    """Sizes above 4 GiB come from the extra field 0x0001, in a fixed order, only those that are needed."""
    full = 0xFFFFFFFF
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            values = [int.from_bytes(extra[4 + at : 12 + at], "little") for at in range(0, length - 7, 8)]
            if plain == full and values:
                values.pop(0)
            if stored == full and values:
                stored = values.pop(0)
            if offset == full and values:
                offset = values.pop(0)
            break
        extra = extra[4 + length :]
    return stored, offset


def _data_start(
    stream: BinaryIO, offset: int, name: bytes, method: int, limit: int, findings: Findings
) -> int:
    if offset + _LOCAL.size > limit:
        raise Unreadable("an archive entry that runs past its end")
    stream.seek(offset)
    local = stream.read(_LOCAL.size)
    if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
        raise Unreadable("an archive entry without its header")
    fields = _LOCAL.unpack(local)
    name_length, extra_length = fields[9], fields[10]
    if stream.read(name_length) != name or fields[3] != method:
        findings.doubt("an archive entry whose two headers differ")
    return int(offset + _LOCAL.size + name_length + extra_length)


def _check(name: str, flags: int, attributes: int, findings: Findings) -> None:
    if escapes(name):
        findings.refuse(f"archive entry {name!r} leaves the folder it is unpacked to")
    if stat.S_ISLNK(attributes >> 16):
        findings.refuse(f"archive entry {name!r} is a link")
    if flags & 0x2041:
        findings.doubt(f"archive entry {name!r} is marked as encrypted")


def escapes(name: str) -> bool:
    """True for absolute paths, drive letters, backslashes, NUL and ``..``."""
    return name.startswith("/") or any(c in name for c in "\\\0:") or ".." in name.split("/")
