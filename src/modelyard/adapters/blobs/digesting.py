"""SHA-256 of files: alone, or on a second thread that follows a file while it is written.

``hashlib`` lets other threads run during a call, so hashing a written file from the page cache costs almost
nothing beside the writing, as long as each call gets 1 MiB or so: with small pieces the threads mostly wait
for each other.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

PIECE = 1 << 20
Progress = Callable[[int], None]


def digest_file(
    descriptor: int, size: int | None = None, progress: Progress | None = None
) -> tuple[str, int]:
    """Hash an open file from its start to its end, wherever its position is.

    With ``size`` it stops once it has read more: a file that grows as fast as it is read must not hold us for
    ever.

    Returns:
        The 64 hex digits and the number of bytes read.
    """
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    hasher, view, done = hashlib.sha256(), memoryview(bytearray(PIECE)), 0
    while (size is None or done <= size) and (count := os.preadv(descriptor, [view], done)):
        hasher.update(view[:count])
        done += count
        if progress is not None:
            progress(count)
    return hasher.hexdigest(), done


class Follower:
    """Hashes the file behind ``descriptor`` on its own thread, a step behind the writer.

    It reads what was written back from the page cache, so nothing is queued and the writer never waits. Use
    it as a context manager, so that the thread is gone before the descriptor is closed.

    Args:
        start: Bytes of the file that ``hasher`` has seen already; what is written is behind them.
        hasher: Goes on; without it a new one.
    """

    def __init__(self, descriptor: int, *, start: int = 0, hasher: _Hash | None = None) -> None:
        self._descriptor = descriptor
        self._start = start
        self._written = start
        self._announced = start
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._hasher = hasher or hashlib.sha256()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name="modelyard-sha256", daemon=True)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify()
        self._thread.join()

    def advance(self, count: int) -> None:
        """Say that ``count`` more bytes were written. Only the writing thread may call it."""
        self._written += count
        if self._written - self._announced >= PIECE:
            self._announce(ended=False)

    def finish(self) -> str:
        """Wait for the rest and return the 64 hex digits.

        Raises:
            OSError: The bytes could not be read back.
        """
        self._announce(ended=True)
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hasher.hexdigest()

    def _announce(self, *, ended: bool) -> None:
        with self._changed:
            self._announced = self._written
            self._ended = ended
            self._changed.notify()

    def _follow(self) -> None:
        view, done = memoryview(bytearray(PIECE)), self._start
        try:
            while (limit := self._limit(done)) > done:
                done += self._digest(view[: min(PIECE, limit - done)], done)
        except BaseException as error:
            self._error = error

    def _limit(self, done: int) -> int:
        """Wait until there is a whole piece to hash, or the end; ``done`` itself means stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._abandoned or self._announced - done >= PIECE)
            return done if self._abandoned else self._announced

    def _digest(self, view: memoryview, start: int) -> int:
        count = os.preadv(self._descriptor, [view], start)
        if count == 0:
            raise OSError(errno.EIO, "bytes just written cannot be read back")
        self._hasher.update(view[:count])
        return count
