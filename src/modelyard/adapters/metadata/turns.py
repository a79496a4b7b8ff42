"""One writer at a time, among threads and processes, without SQLite's polling.

A process that finds the database locked is put to sleep by SQLite for up to 100 ms at a time, whoever is next. Here
every writer first takes an advisory lock on an empty file beside the database, asking again within a millisecond. It is
a courtesy: what keeps the data right are SQLite's own locks and the revisions that a commit checks.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Final

PAUSE: Final = (0.0003, 0.0015)
"""Seconds between two tries, drawn evenly: a commit takes about as long."""


class Turn:
    """Whose turn it is to write to one database; may be taken again by the thread that holds it.

    Args:
        database: The file that is written; the lock lies beside it as ``<name>-turn``.
        patience: Seconds after which the writer goes on without the turn and leaves the waiting to SQLite.
    """

    def __init__(self, database: Path, *, patience: float) -> None:
        self._path = database.with_name(f"{database.name}-turn")
        self._patience = patience
        self._lock = RLock()
        self._depth = 0
        self._descriptor = -1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn; waits for whoever holds it."""
        with self._lock:
            if self._depth == 0:
                self._wait()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._descriptor >= 0:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _wait(self) -> None:
        """Until the lock is had, or patience ends, or there is no lock to be had (a disk that is read-only or full)."""
        deadline = time.monotonic() + self._patience
        try:
            if self._descriptor < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
            while time.monotonic() < deadline:
                with suppress(BlockingIOError):
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                time.sleep(random.uniform(*PAUSE))  # noqa: S311 - jitter, not a secret
        except OSError:
            return

    def close(self) -> None:
        """Let go of the file; the next writer opens it again. In a forked child this leaves the parent's turn alone."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
