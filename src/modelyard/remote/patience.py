"""When to try again: with pauses that grow and vary, and as long as something moves or a server that answered may be on
its way back."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Final, TypeVar

from modelyard.domain.errors import Conflict, ModelyardError, ModelyardWarning, RateLimited, Unreachable
from modelyard.remote.transport import FIRST_PAUSE, LONGEST_PAUSE, TRIES, wait

AWAY: Final = 60.0
"""Seconds for which a server that answered is asked again: one that is restarted first lets requests end, for 30 unless
it is told otherwise, and takes no new ones meanwhile; then it has to start."""

T = TypeVar("T")


class Patience:
    """How long one transfer goes on after failures in a row; ``moved`` begins a new row.

    A server that never answered is given up after a few tries: its address may be wrong. One that has answered is
    waited for by time, too, since it is probably being restarted.

    Args:
        heard: The server has answered already.
        clock: Seconds that never go back; tests bring their own.
        pause: Sleeps about so many seconds, and says how many the next time; so does this.
    """

    def __init__(
        self,
        *,
        heard: bool = False,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], float] = wait,
    ) -> None:
        self._heard, self._clock, self._sleep = heard, clock, pause
        self._start_again()

    def _start_again(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE

    def moved(self) -> None:
        """Bytes have arrived since the last failure."""
        self._heard = True
        self._start_again()

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to a question that makes its own few tries: where nobody ever answered, those are enough.

        Raises:
            ModelyardError: What asking raised in the end.
        """
        while True:
            try:
                answer = question()
            except ModelyardError as error:
                if isinstance(error, Unreachable) and not self._heard:
                    raise
                self.wait(error)
            else:
                self._heard = True
                return answer

    def wait(self, error: ModelyardError) -> None:
        """Pause, or raise ``error`` if it will not go away or did not for too long."""
        if not isinstance(error, Unreachable | RateLimited | Conflict):
            raise error
        if self._failures == 0:
            self._since = self._clock()
        self._failures += 1
        if self._failures >= TRIES:
            self._beyond_a_few(error)
        after = error.data.get("retry_after")
        asked = min(float(after), LONGEST_PAUSE) if isinstance(after, int | float) else 0.0
        self._pause = self._sleep(max(self._pause, asked))

    def _beyond_a_few(self, error: ModelyardError) -> None:
        """Raise ``error``, or warn that it may take long from here on."""
        if not self._heard:
            raise error
        lasted = self._clock() - self._since
        if lasted >= AWAY:
            error.reasons += (f"it had answered before, and was asked again for {lasted:.0f} seconds since",)
            raise error
        if self._failures == TRIES:
            warnings.warn(
                ModelyardWarning(
                    f"the transfer waits and is tried again for up to {AWAY:.0f} seconds: {error.detail}"
                ),
                stacklevel=2,
            )
