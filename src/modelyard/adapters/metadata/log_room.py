"""Room in SQLite's write-ahead log, so that commits overwrite instead of appending.

A commit that makes the log grow changes the file's size, and syncing that waits for the file system's journal, which
everybody who stores bytes at the same moment waits for too. A log that has its size already is synced alone. SQLite
never looks behind the last valid frame, so zeros there mean nothing to it.

Costs 8 MiB of disk while a process that commits a lot has the registry open (SQLite removes the log with the last
connection), and a few milliseconds once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZE: Final = 8 * 1024 * 1024
"""Bytes: some forty registrations between two checkpoints."""

AFTER: Final = 3
"""Commits after which a process is taken for one that commits a lot."""

SPARE: Final = 16 * SIZE
"""Bytes that must be free: a disk that fills up has better uses for them."""


def make(database: Path) -> None:
    """Fill the log up to its size; only for who holds the database's write lock, since nobody else may append then.

    A disk that cannot give the room is left as it was.
    """
    with suppress(OSError):
        log = os.open(database.with_name(f"{database.name}-wal"), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _fill(log)
        finally:
            os.close(log)


def _fill(log: int) -> None:
    size = os.fstat(log).st_size
    disk = os.fstatvfs(log)
    if size == 0 or size >= SIZE or disk.f_bavail * disk.f_frsize < SPARE:
        return
    try:
        os.pwrite(log, bytes(SIZE - size), size)
    except OSError:
        os.ftruncate(log, size)
        raise
