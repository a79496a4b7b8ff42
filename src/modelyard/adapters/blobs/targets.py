"""Copies for people: a file that appears under its name whole, or not at all, and never over another."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.domain.errors import AlreadyExists

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


@contextmanager
def creating(target: Path) -> Iterator[int]:
    """Give a descriptor, for reading and writing, of a new file; it is named ``target`` when the block
    succeeds.

    The file is the caller's own, so it follows their umask. It is not synced: a copy can be made again.

    Raises:
        AlreadyExists: ``target`` is there, before or after.
        OSError: The folder of ``target`` is not there or refuses.
    """
    if os.path.lexists(target):
        raise _taken(target)
    draft = target.parent / f".modelyard-{uuid.uuid4()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o666)
    try:
        yield descriptor
        _name(draft, target)
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _name(draft: Path, target: Path) -> None:
    """Link, because unlike a rename it never replaces; where links are unknown, check and rename."""
    try:
        os.link(draft, target)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise _taken(target) from error
        os.rename(draft, target)


def _taken(target: Path) -> AlreadyExists:
    return AlreadyExists(
        f"{str(target)!r} exists already and is never overwritten. Give another path or remove it first.",
        data={"path": str(target)},
    )
