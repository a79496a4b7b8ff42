"""Small blobs that this process stored a moment ago: what is asked about them right then needs no trip to the store."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

MOST: Final = 8 << 20
"""Bytes held in all."""
SECONDS: Final = 60.0
"""How long. What is removed from a store leaves a record of it for a day, so whoever finds none knows that what it
stored this recently is there."""


class RecentObjects:
    """Bytes by digest, as the store acknowledged them. Thread-safe; what was stored first is forgotten first."""

    def __init__(self, *, most: int = MOST, seconds: float = SECONDS) -> None:
        self._turn = threading.Lock()
        self._most, self._seconds = most, seconds
        self._size = 0
        self._kept: OrderedDict[str, tuple[bytes, float, float]] = OrderedDict()

    def record(self, hexdigits: str, data: bytes) -> None:
        """Remember bytes that the store has just acknowledged, unless they are too many."""
        if len(data) > self._most:
            return
        with self._turn:
            self._drop(hexdigits)
            self._kept[hexdigits] = data, time.time(), time.monotonic()
            self._size += len(data)
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def find(self, hexdigits: str) -> bytes | None:
        """The bytes, if they were stored within the time and are still held.

        Neither clock may say that it is longer ago: one stands still while a machine sleeps, the other can be set.
        """
        with self._turn:
            data, at, tick = self._kept.get(hexdigits, (None, 0.0, 0.0))
            if data is None:
                return None
            if 0 <= time.time() - at <= self._seconds and time.monotonic() - tick <= self._seconds:
                return data
            self._drop(hexdigits)
            return None

    def forget(self, hexdigits: str) -> None:
        """They are gone, or may be."""
        with self._turn:
            self._drop(hexdigits)

    def _drop(self, hexdigits: str) -> None:
        data, _, _ = self._kept.pop(hexdigits, (b"", 0.0, 0.0))
        self._size -= len(data)
