"""Files on disk that are to be stored, opened so that what is read is what was meant."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.adapters.blobs.faults import storage_error
from modelyard.domain.errors import InvalidInput, StorageError

# O_NONBLOCK: opening a named pipe must not wait for its writer.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Source:
    """An open regular file; ``size`` is in bytes, as found when it was opened."""

    def __init__(self, path: Path, descriptor: int, found: os.stat_result) -> None:
        self.descriptor = descriptor
        self.size = found.st_size
        self._path = path
        self._found = found

    def check_unchanged(self, count: int) -> None:
        """Check that the ``count`` bytes read are the whole file and that nobody wrote to it meanwhile.

        Raises:
            StorageError: The file changed.
        """
        now = os.fstat(self.descriptor)
        if count == self.size == now.st_size and now.st_mtime_ns == self._found.st_mtime_ns:
            return
        raise StorageError(
            f"{str(self._path)!r} changed while it was read: it had {self.size} bytes at first, {count} were read, "
            f"now it has {now.st_size}. Nothing was stored; try again when its writer is done.",
            data={"path": str(self._path)},
        )


@contextmanager
def opening_source(path: Path) -> Iterator[Source]:
    """Open the regular file ``path``, not following a link at its last step.

    Raises:
        InvalidInput: It is a link, a folder or a device.
        StorageError: It cannot be opened.
    """
    descriptor = _open(path)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _wrong_kind(path, "not a regular file")
        yield Source(path, descriptor, found)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _wrong_kind(path, "a symbolic link") from error
        raise storage_error(f"opening {str(path)!r} to store it", error) from error


def _wrong_kind(path: Path, found: str) -> InvalidInput:
    return InvalidInput(
        f"{str(path)!r} cannot be stored: expected a regular file, found {found}. Give the path of the file itself.",
        data={"path": str(path)},
    )
