"""Temporary files: private, locked while their writer lives, swept when it is gone.

The lock (``flock(2)``) dies with the process whatever kills it, so a sweep needs no guess about how long an
upload may take: a draft whose lock can be had has no writer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.adapters.blobs.copying import write_all
from modelyard.adapters.blobs.folders import folder

DRAFTS = "tmp"
# Read-only from birth: a descriptor that creates a file may write it whatever its mode says (open(2)).
READ_ONLY = 0o400


class Draft:
    """A file nobody else knows. ``descriptor`` reads and writes it; ``home`` is its open folder.

    A new one is made unless ``name`` and ``descriptor`` are those of one that is there and locked.
    """

    def __init__(self, home: int, name: str = "", descriptor: int = -1) -> None:
        self.home = home
        self.name = name or str(uuid.uuid4())
        self.descriptor = _create(home, self.name) if descriptor < 0 else descriptor
        self.published = False

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``, whole."""
        write_all(self.descriptor, data)

    def sync(self) -> None:
        """Make the bytes durable.

        A failed sync is never tried again: the kernel may have dropped the pages.
        """
        os.fsync(self.descriptor)

    def publish(self, place: int, name: str) -> os.stat_result:
        """Move the file to ``name`` in the open folder ``place``.

        Returns what ``fstat`` says after the move.
        """
        os.rename(self.name, name, src_dir_fd=self.home, dst_dir_fd=place)
        self.published = True
        return os.fstat(self.descriptor)


def _create(home: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        descriptor = os.open(name, flags, READ_ONLY, dir_fd=home)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sweep may have been faster between creation and lock; then the file has no name any more.
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            _unlink(home, name)
            raise
        os.close(descriptor)


def _unlink(home: int, name: str) -> None:
    with contextlib.suppress(OSError):  # On the way out of another error, which matters more.
        os.unlink(name, dir_fd=home)


@contextmanager
def drafting(root: Path) -> Iterator[Draft]:
    """Give a fresh draft; unless it was published, nothing of it is left afterwards."""
    with folder(root, DRAFTS) as home:
        draft = Draft(home)
        try:
            yield draft
        finally:
            if not draft.published:
                _unlink(home, draft.name)
            os.close(draft.descriptor)


def sweep_drafts(root: Path, *, older_than_seconds: float) -> int:
    """Remove drafts whose writer is gone and whose last write is that long ago; returns the bytes freed."""
    return sweep_named(root, "", older_than_seconds=older_than_seconds)


def sweep_named(root: Path, prefix: str, *, older_than_seconds: float) -> int:
    """``sweep_drafts`` for those whose names begin with ``prefix``."""
    with folder(root, DRAFTS) as home:
        names = [name for name in os.listdir(home) if name.startswith(prefix)]
        return sum(_sweep_one(home, name, older_than_seconds) for name in names)


def _sweep_one(home: int, name: str, older_than_seconds: float) -> int:
    try:
        found = os.stat(name, dir_fd=home, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or _age(found) < older_than_seconds:
            return 0
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=home)
    except FileNotFoundError:  # Published or thrown away by its writer meanwhile.
        return 0
    try:
        return _remove_if_abandoned(home, name, descriptor)
    finally:
        os.close(descriptor)


def _remove_if_abandoned(home: int, name: str, descriptor: int) -> int:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=home)
    except (BlockingIOError, FileNotFoundError):
        return 0
    return os.fstat(descriptor).st_size


def _age(found: os.stat_result) -> float:
    """Seconds since the last write; a clock set back must not make a draft immortal."""
    return max(0.0, time.time() - found.st_mtime)
