"""A private folder to write a model into before it is stored: one per thread, made once, empty between uses.

Making and removing a folder for each registration would cost as much as synchronising the file to disk.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = threading.local()
_MADE: set[tuple[int, str]] = set()
"""Process and folder: a forked child must not remove what its parent still uses."""


@contextmanager
def staging() -> Iterator[Path]:
    """An empty folder for the block; a block inside a block gets another one."""
    if getattr(_HERE, "busy", False):
        with tempfile.TemporaryDirectory(prefix="modelyard-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    own = _own()
    _HERE.busy = True
    try:
        yield Path(own)
    finally:
        _HERE.busy = False
        _empty(own)


def _own() -> str:
    """This thread's folder; made anew in a forked child, or when somebody swept the temporary folder."""
    made: tuple[int, str] | None = getattr(_HERE, "made", None)
    if made is None or made[0] != os.getpid() or not _is_private(made[1]):
        made = _HERE.made = (os.getpid(), tempfile.mkdtemp(prefix="modelyard-"))
        _MADE.add(made)
    return made[1]


def _is_private(folder: str) -> bool:
    """Still our own folder: a sweeper may have removed it, and somebody else made one of that name."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _empty(folder: str) -> None:
    """Nearly always one file; whatever cannot simply be unlinked goes with the folder."""
    try:
        for entry in os.listdir(folder):
            os.unlink(os.path.join(folder, entry))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


@atexit.register
def _leave() -> None:
    for pid, folder in _MADE:
        if pid == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)
