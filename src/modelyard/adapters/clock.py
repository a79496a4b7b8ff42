"""The machine's clock, and identifiers that sort by it."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case, as in the ULID specification."""


class SystemClock:
    """UTC from the operating system; ULIDs that rise within a process even inside one millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        """48 bits of milliseconds, 80 random bits; the same or a smaller value than the last one becomes last + 1."""
        value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
        with self._lock:
            self._last = value = max(value, self._last + 1)
        return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -5, -5))

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)
