"""A pipe between two threads: one reads what a caller gives, the other one hands it to the client.

The client asks an iterator for more from inside its own event loop, where nothing may wait for the same client again: a
caller whose bytes come out of another bucket would bring the process down. So the caller's iterator runs outside.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

HELD: Final = 2 << 20
"""Bytes that wait in it at most, and one chunk."""


class GivenUp(Exception):
    """The writing end broke off, so the upload must not be completed."""


class Channel(Iterator[bytes]):
    """Chunks in order. One thread calls ``send``, ``end`` and ``give_up``; the other iterates and calls ``close``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._given_up = False
        self._closed = False

    def send(self, data: bytes) -> bool:
        """Wait for room and add a chunk; false if nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._size < HELD)
            self._chunks.append(data)
            self._size += len(data)
            self._changed.notify_all()
            return not self._closed

    def end(self) -> None:
        """Everything was sent."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """There will be no end; the reader raises ``GivenUp``."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __next__(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._ended or self._given_up)
            if self._given_up:
                raise GivenUp
            if not self._chunks:
                raise StopIteration
            data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
            self._changed.notify_all()
            return data
