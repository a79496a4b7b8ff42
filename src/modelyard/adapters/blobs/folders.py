"""Folders of a store, opened without ever following a link below the root.

Every step from the root down is an ``openat`` with ``O_NOFOLLOW``, so that a link planted in place of a
folder is refused instead of followed. The price is three or four system calls (about 10 µs) for each
operation; nothing stays open in between, so a store survives forks and holds no descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.domain.errors import StorageError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
PRIVATE = 0o700


@contextmanager
def folder(root: Path, *names: str) -> Iterator[int]:
    """Give a descriptor of ``root/names[0]/names[1]/...``.

    Raises:
        FileNotFoundError: A part is not there.
        StorageError: A part below the root is a link or not a folder.
    """
    descriptor = _open_below(root, names)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_below(root: Path, names: tuple[str, ...]) -> int:
    descriptor = os.open(root, _FOLDER)
    for depth, name in enumerate(names):
        try:
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _not_ours("/".join(names[: depth + 1])) from error
            raise
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _not_ours(inside: str) -> StorageError:
    return StorageError(
        f"The store's folder {inside!r} is a link or a file where a real folder was expected. "
        "It is not followed: find out who put it there, remove it, and run a full check.",
        data={"folder": inside},
    )


def make_folder(parent: int, name: str) -> bool:
    """Make ``name`` below the open folder ``parent``, for the owner only. Returns whether it was missing."""
    try:
        os.mkdir(name, PRIVATE, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def make_root(root: Path) -> None:
    """Make ``root`` and its missing parents, each durable before the next.

    The entry of ``root`` in its parent is synced even when it exists: another process may have made it and
    died before it came that far.
    """
    missing = [path for path in (root, *root.parents) if not path.exists()]
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            path.mkdir(PRIVATE)
        sync_path(path.parent)
    if not missing:
        # A parent that we may pass through but not read cannot be opened to be synced; it existed before us.
        with contextlib.suppress(PermissionError):
            sync_path(root.parent)


def sync_path(path: Path) -> None:
    """Make the entries of the folder ``path`` durable."""
    descriptor = os.open(path, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
