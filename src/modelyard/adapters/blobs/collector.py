"""The right to collect: one holder for each root, let go of by death."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.folders import make_root
from modelyard.domain.errors import Conflict


@contextmanager
def collector_lock(root: Path) -> Iterator[None]:
    """Hold an advisory lock (``flock(2)``) on the folder ``root`` itself, so that no lock file is left over.

    Raises:
        Conflict: Another thread or process holds it; nothing was waited for.
    """
    with storage_errors("locking the registry's folder for collection"):
        descriptor = _open_root(root)
    try:
        _lock(descriptor, root)
        yield
    finally:
        os.close(descriptor)


def _open_root(root: Path) -> int:
    if not root.exists():
        make_root(root)
    return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _lock(descriptor: int, root: Path) -> None:
    with storage_errors("locking the registry's folder for collection"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another collection is running in {str(root)!r}. Nothing was removed; try again when it has ended.",
                data={"root": str(root)},
            ) from error
