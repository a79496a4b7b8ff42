"""Room in SQLite's write-ahead log, so that commits overwrite instead of appending.

A commit that makes the log grow changes the file's size, and syncing that waits for the file system's journal, which
everybody who stores bytes at the same moment waits for too. A log that has its size already is synced alone. SQLite
never looks behind the last valid frame, so zeros there mean nothing to it.

Costs 17 MiB of disk while a process that commits a lot has the registry open (SQLite removes the log with the last
connection), and a few milliseconds twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZES: Final[Mapping[int, int]] = {3: 8 * 1024 * 1024, 6: 17 * 1024 * 1024}
"""Bytes that the log gets when a process has committed so often. The last is all that is written between two
checkpoints, some ninety registrations; in two steps, so that a handful of commits does not pay for it."""

SPARE: Final = 128 * 1024 * 1024
"""Bytes that must be free: a disk that fills up has better uses for them."""

PIECE: Final = 64 * 1024
"""Bytes that are written at once. Linux caches a file in the pieces in which it was written, and looks through a whole
one at each later write: after one write of 8 MiB, those of a commit can take three times as long."""


def make(database: Path, size: int) -> None:
    """Fill the log up to ``size`` bytes.

    Only for who holds the database's write lock, since nobody else may append then. A disk that cannot give the room
    is left as it was.
    """
    with suppress(OSError):
        log = os.open(database.with_name(f"{database.name}-wal"), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _fill(log, size)
        finally:
            os.close(log)


def _fill(log: int, wanted: int) -> None:
    size = os.fstat(log).st_size
    disk = os.fstatvfs(log)
    if size == 0 or size >= wanted or disk.f_bavail * disk.f_frsize < SPARE:
        return
    try:
        for start in range(size - size % PIECE, wanted, PIECE):
            _zero(log, max(start, size), min(start + PIECE, wanted))
    except OSError:
        os.ftruncate(log, size)
        raise


def _zero(log: int, start: int, end: int) -> None:
    os.pwrite(log, bytes(end - start), start)
