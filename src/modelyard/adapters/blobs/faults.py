"""What the operating system says about a disk, in our own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.domain.errors import ModelyardError, StorageError, StorageFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ADVICE = {
    errno.ENOSPC: "Free some space and try again",
    errno.EDQUOT: "Free some space or raise the quota and try again",
    errno.EROFS: "The file system is mounted read-only: reads still work",
    errno.EACCES: "Check who owns the folder and its permissions",
    errno.EPERM: "Check who owns the folder and its permissions",
    errno.EMFILE: "Close files or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Close files or raise the system's limit of open files",
    errno.EIO: "The medium may be failing: check the system log before trying again",
    errno.ENOENT: "Check that the folder exists",
    errno.ENOLCK: "The file system must support flock",
}


def storage_error(doing: str, error: OSError) -> StorageError:
    """Translate ``error``, met while ``doing`` (as in "writing a temporary file of the blob store")."""
    kind = StorageFull if error.errno in _FULL else StorageError
    name = errno.errorcode.get(error.errno or 0, "unknown")
    advice = _ADVICE.get(error.errno or 0, "Check the disk and try again")
    return kind(
        f"{doing[:1].upper()}{doing[1:]} failed: {error.strerror or error} ({name}). {advice}.",
        data={"errno": name},
    )


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn every ``OSError`` of the block into ``StorageError`` or ``StorageFull``; our own errors pass."""
    try:
        yield
    except ModelyardError:
        raise
    except OSError as error:
        raise storage_error(doing, error) from error
