"""Answers to hot questions, given again word for word as long as nothing was committed since they were made.

Programs ask for ``model@champion`` again and again, far more often than anything changes. To find, check and write out
the same record each time costs more than everything else about such a request. The database says, for some
microseconds, whether it is still in the state in which the answer was made; so nobody ever sees a stale one, whichever
process wrote. Any commit to whatever model forgets all of them: that is the price of never having to think about which
answers it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from starlette.responses import Response

MOST: Final = 8 * 1024 * 1024
"""Bytes of answers that are kept; beyond it all are forgotten and it begins anew."""


class Ready(Response):
    """An answer whose bytes and headers are there already.

    Args:
        body: What is sent.
        raw_headers: Its headers as ASGI has them; copied, since every request adds its own.
    """

    def __init__(self, body: bytes, raw_headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = 200
        self.body = body
        self.raw_headers = raw_headers.copy()
        self.background = None


class Kept:
    """Answers of one event loop.

    Args:
        state: What the records' store is in: equal if nothing was committed between two calls.
    """

    def __init__(self, state: Callable[[], Hashable]) -> None:
        self._state = state
        self._made_in: Hashable = None
        self._answers: dict[Hashable, tuple[bytes, list[tuple[bytes, bytes]]]] = {}
        self._size = 0

    def given(self, question: Hashable, make: Callable[[], Response]) -> Response:
        """The answer that was given to the same question in the same state, or else what ``make`` makes.

        The state is looked at before the answer is made: what is committed meanwhile makes the answer newer than it is
        taken for, and it is forgotten one question too early, never too late.

        Args:
            question: Everything that the answer depends on, except for what is stored.
        """
        state = self._state()
        if state != self._made_in:
            self._forget(state)
        found = self._answers.get(question)
        if found is not None:
            return Ready(*found)
        answer = make()
        if answer.status_code == 200:
            self._keep(question, bytes(answer.body), answer.raw_headers.copy())
        return answer

    def _keep(self, question: Hashable, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        if self._size + len(body) > MOST:
            self._forget(self._made_in)
        if len(body) <= MOST // 8:
            self._answers[question] = body, headers
            self._size += len(body) + 1024  # what the question, the headers and the table take

    def _forget(self, state: Hashable) -> None:
        self._answers.clear()
        self._made_in, self._size = state, 0
