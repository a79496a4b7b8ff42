"""Time and identity, as arguments, so that tests choose them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the time and fresh identifiers. Thread-safe."""

    def now(self) -> datetime:
        """Timezone-aware UTC, microsecond resolution."""
        ...

    def new_id(self) -> str:
        """A lower-case, 26-character ULID; sorts by time, unique across processes."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait, as between two tries of a commit."""
        ...
