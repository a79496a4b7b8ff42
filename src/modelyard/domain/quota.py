"""How much there may be, and counting what comes too often.

Pure bookkeeping, with the time as an argument and memory that cannot grow.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import QuotaExceeded

MOST_NAMES: Final = 10_000
"""Names that are told apart; those asked about longest ago are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much a registry takes in; ``None``: as much as comes.

    Attributes:
        models: Models.
        versions_per_model: Versions of one model, deleted ones not counted.
        bytes_per_model: Their bytes, before equal ones are shared.
        bytes_per_namespace: The same over all models whose names begin with one ``namespace/``.
        bytes_stored: Bytes of all that was registered, after equal ones are shared. What was sent and never registered
            is not counted; a collection takes it away.
    """

    models: int | None = None
    versions_per_model: int | None = None
    bytes_per_model: int | None = None
    bytes_per_namespace: int | None = None
    bytes_stored: int | None = None


def require_room(quota: str, limit: int, found: int, what: str, way_out: str) -> None:
    """Refuse what would go beyond a quota.

    Args:
        quota: The setting, below ``quotas``.
        limit: How much it grants.
        found: How much there would be.
        what: What is counted, for people.
        way_out: What to do about it.

    Raises:
        QuotaExceeded: There would be too much.
    """
    if found > limit:
        raise QuotaExceeded(
            f"{what} would be {found:,}, and quotas.{quota} allows {limit:,}; {way_out}",
            data={"quota": quota, "limit": limit, "found": found},
        )


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

    def take(self, name: str, now: datetime, amount: float = 1) -> float:
        """Take one, or ``amount``; 0 if there were so many, else nothing is taken: the seconds until there are."""
        with self._lock:
            bucket = self._filled(name, now)
            if bucket.left >= amount:
                bucket.left -= amount
                return 0.0
            return (amount - bucket.left) / self._rate

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
