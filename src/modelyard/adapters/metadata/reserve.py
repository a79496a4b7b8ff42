"""Room set aside for a full disk, so that what frees space can still be written down.

Deleting and collecting are commits too, and a commit needs some free pages. Without this, a disk that is full to the
last byte could only be helped from outside. Costs half a MiB per registry and one ``stat`` per opening.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard.domain.records import Blob, ModelVersion
from modelyard.ports.metadata import Changes

SIZE: Final = 512 * 1024
"""Bytes: six commits or so."""


def place(database: Path) -> Path:
    """Where the room is set aside."""
    return database.with_name(f"{database.name}-reserve")


def keep(database: Path) -> None:
    """Set the room aside unless it is; a disk that is full or read-only goes without."""
    with suppress(OSError):
        if _size(place(database)) < SIZE:
            _allocate(place(database))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return -1


def _allocate(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def spend(database: Path) -> None:
    """Give the room back to the disk, if there is any. The next opening sets it aside again."""
    with suppress(OSError):
        place(database).unlink()


def frees(changes: Changes) -> bool:
    """Whether a commit is on the way to free space: a version hidden or collected, bytes condemned, a row dropped."""
    return bool(changes.drops) or any(
        (isinstance(put.record, ModelVersion) and put.record.deleted)
        or (isinstance(put.record, Blob) and put.record.state != "live")
        for put in changes.puts
    )
