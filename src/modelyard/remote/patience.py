"""When to try again: with pauses that grow and vary, and as long as something moves."""

from __future__ import annotations

from modelyard.domain.errors import Conflict, ModelyardError, RateLimited, Unreachable
from modelyard.remote.transport import FIRST_PAUSE, LONGEST_PAUSE, TRIES, wait


class Patience:
    """Counts failures in a row; ``moved`` starts the count again."""

    def __init__(self) -> None:
        self.moved()

    def moved(self) -> None:
        """Bytes have arrived since the last failure."""
        self._left = TRIES - 1
        self._pause = FIRST_PAUSE

    def wait(self, error: ModelyardError) -> None:
        """Pause, or raise ``error`` if it will not go away or there were too many."""
        if self._left == 0 or not isinstance(error, Unreachable | RateLimited | Conflict):
            raise error
        self._left -= 1
        after = error.data.get("retry_after")
        asked = min(float(after), LONGEST_PAUSE) if isinstance(after, int | float) else 0.0
        self._pause = wait(max(self._pause, asked))
