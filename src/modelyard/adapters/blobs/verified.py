"""Memory of which blobs were hashed, and what their files looked like then.

One text file per two hex digits, ``cache/<store>-verified/<2 hex>``, only ever appended to::

    \\n<64 hex> <size> <inode> <mtime in ns> <ctime in ns> .

The last line of a digest counts. It is a cache and nothing else: a torn, damaged, missing or unwritable file
only means that blobs are hashed once more, never an error. It trusts the file system to move mtime and ctime
on every write, so it sees whoever changes a file through the kernel, not a medium that rots underneath; deep
checks ignore it. Kernels before 6.13 stamp with a resolution of up to 10 ms: a change within that time after
the hashing escapes it.
"""

from __future__ import annotations

import os
from pathlib import Path

from modelyard.adapters.blobs.folders import folder

CACHE = "cache"
# About 8,000 lines. Forgetting a full file costs one re-read per blob and keeps the look-up far below a
# millisecond.
_LIMIT = 1 << 20
# Bytes below which hashing a file costs less than looking it up here, let alone than noting it.
WORTH = 64 << 10
# Neither a link nor a pipe planted in place of a file may lead or hold us.
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class VerifiedMemory:
    """Remembers ``(size, inode, mtime, ctime)`` of blobs that were hashed and found good."""

    def __init__(self, root: Path, store: str) -> None:
        self._root = root
        self._folder = f"{store}-verified"

    @property
    def folder_name(self) -> str:
        """The folder under ``cache`` that has to exist for anything to be remembered."""
        return self._folder

    def knows(self, hexdigits: str, found: os.stat_result) -> bool:
        """Whether this very file was hashed before and has not changed since."""
        if found.st_size < WORTH:
            return False
        lines = self._read(hexdigits[:2])
        start = lines.rfind(b"\n" + hexdigits.encode() + b" ")
        return start >= 0 and lines.startswith(_line(hexdigits, found), start)

    def record(self, hexdigits: str, found: os.stat_result) -> None:
        """Remember that the file, now as ``fstat`` says in ``found``, was hashed and is good."""
        if found.st_size < WORTH:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _PLAIN
        try:
            with folder(self._root, CACHE, self._folder) as home:
                descriptor = os.open(hexdigits[:2], flags, 0o600, dir_fd=home)
                try:
                    # One appending write is atomic among processes; a torn one lacks its full stop.
                    size = os.fstat(descriptor).st_size
                    if size > _LIMIT:
                        os.ftruncate(descriptor, 0)
                    os.write(descriptor, _line(hexdigits, found))
                finally:
                    os.close(descriptor)
        except OSError:
            return

    def _read(self, shard: str) -> bytes:
        try:
            with folder(self._root, CACHE, self._folder) as home:
                descriptor = os.open(shard, os.O_RDONLY | _PLAIN, dir_fd=home)
                try:
                    return os.read(descriptor, 2 * _LIMIT)
                finally:
                    os.close(descriptor)
        except OSError:
            return b""


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether nobody wrote to a file between two calls of ``fstat``.

    Reading it moves only atime, which is left out.
    """
    return _state(before) == _state(after)


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _line(hexdigits: str, found: os.stat_result) -> bytes:
    size, inode, mtime, ctime = _state(found)
    return f"\n{hexdigits} {size} {inode} {mtime} {ctime} .".encode()
