"""A clock that a test sets, so that "a week later" costs nothing and two runs give the same identifiers."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class SettableClock:
    """A ``Clock`` that stands still until it is moved.

    Identifiers count up from the same start in every clock, so two registries that are driven step by step alike
    give their versions the same ``model_id``. Thread-safe.

    Args:
        start: The first moment, timezone-aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._made = 0

    def now(self) -> datetime:
        """The moment it was last set to."""
        with self._lock:
            return self._now

    def set(self, moment: datetime) -> None:
        """Jump to a moment, backwards too, as a machine's clock may."""
        with self._lock:
            self._now = moment

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move on (or back, with negative numbers) and return the new moment."""
        with self._lock:
            self._now += timedelta(days=days, seconds=seconds)
            return self._now

    def new_id(self) -> str:
        """A ULID whose 48 time bits are this clock's milliseconds and whose other 80 bits are a counter."""
        with self._lock:
            self._made += 1
            value = int(self._now.timestamp() * 1000) << 80 | self._made
        return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -5, -5))

    def pause(self, seconds: float) -> None:
        """Really waits, without moving: it is called only between the tries of competing threads."""
        time.sleep(seconds)
