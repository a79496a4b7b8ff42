"""Counting what comes too often: pure bookkeeping, with the time as an argument and memory that cannot grow."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MOST_NAMES: Final = 10_000
"""Names that are told apart; those asked about longest ago are forgotten first."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


class Allowance:
    """So many at once, then so many a minute, for each name. Thread-safe.

    Args:
        burst: How many may come at once.
        per_minute: How many come back in a minute.
    """

    def __init__(self, burst: float, per_minute: float) -> None:
        self._burst, self._rate = burst, per_minute / 60
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, now: datetime) -> float:
        """Take one; 0 if there was one left, else the seconds until there is."""
        with self._lock:
            bucket = self._filled(name, now)
            if bucket.left >= 1:
                bucket.left -= 1
                return 0.0
            return (1 - bucket.left) / self._rate

    def _filled(self, name: str, now: datetime) -> _Bucket:
        bucket = self._buckets.pop(name, None) or _Bucket(self._burst, now)
        passed = max(0.0, (now - bucket.at).total_seconds())
        bucket.left, bucket.at = min(self._burst, bucket.left + passed * self._rate), now
        self._buckets[name] = bucket
        if len(self._buckets) > MOST_NAMES:
            self._buckets.popitem(last=False)
        return bucket


class Denials:
    """Which refusals are written down: all of an honest mistake, few of a flood.

    Each caller has 20 at once and one a minute after; all together 200 and two a minute, which is 3 MB of events a
    day at most. What is left out is counted, and the next one that is written says how many.
    """

    def __init__(self) -> None:
        self._each, self._all = Allowance(20, 1), Allowance(200, 2)
        self._lock = threading.Lock()
        self._left_out = 0

    def admit(self, name: str, now: datetime) -> int | None:
        """How many were left out since the last one; ``None``: leave this one out too."""
        with self._lock:
            if self._each.take(name, now) or self._all.take("", now):
                self._left_out += 1
                return None
            left_out, self._left_out = self._left_out, 0
            return left_out
