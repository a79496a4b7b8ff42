"""Several processes over one listening socket: started by fork, started again if one dies, stopped together.

They share the socket, so a connection that a dying worker had not accepted yet goes to the next one; with a socket for
each (``SO_REUSEPORT``) it would be reset.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from modelyard.domain.errors import StorageError

log: Final = logging.getLogger("modelyard.server")

_WATCHED: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
_YOUNG: Final = 1.0
"""Seconds: who dies sooner has not answered anybody."""
_MOST_YOUNG: Final = 5
"""That many young deaths on end, and something is wrong that starting again does not mend."""
_LONGER: Final = 5.0
"""Seconds beyond the grace after which a worker is killed."""


class Workers:
    """Keeps ``count`` processes going.

    Args:
        work: What each does, given its number; it ends when the process gets SIGTERM.
        grace: Seconds that it may take to end then.
        when_started: Called once all are started and signals are listened to.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[int], None],
        *,
        grace: float,
        when_started: Callable[[], None] = lambda: None,
    ) -> None:
        self._count, self._work, self._grace, self._when_started = count, work, grace, when_started
        self._running: dict[int, tuple[int, float]] = {}
        self._young_deaths = 0

    def run(self) -> None:
        """Until SIGTERM or SIGINT.

        Raises:
            StorageError: Workers die as soon as they are started.
        """
        if threading.active_count() > 1:
            raise RuntimeError("a process with threads must not be forked")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            for number in range(self._count):
                self._start(number)
            self._when_started()
            while signal.sigwait(_WATCHED) == signal.SIGCHLD:
                self._replace_dead()
        finally:
            self._stop_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, number: int) -> None:
        child = os.fork()
        if child:
            self._running[child] = (number, time.monotonic())
            return
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            self._work(number)
            status = 0
        except Exception:
            log.exception("worker %d failed", number)
        finally:
            os._exit(status)

    def _replace_dead(self) -> None:
        for child, number, since, status in self._ended():
            young = time.monotonic() - since < _YOUNG
            self._young_deaths = self._young_deaths + 1 if young else 0
            if self._young_deaths >= _MOST_YOUNG:
                raise StorageError(
                    f"workers die as soon as they are started ({_how(status)}); the log above tells why"
                )
            log.error("worker %d (process %d) %s; another takes its place", number, child, _how(status))
            self._start(number)

    def _ended(self) -> list[tuple[int, int, float, int]]:
        """Who has ended since the last call: process, number, when it was started, wait status.

        All of them leave the table at once: a number that was waited for may be somebody else's process by now, and
        must never be signalled.
        """
        found = []
        for child in list(self._running):
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                found.append((child, *self._running.pop(child), status))
        return found

    def _stop_all(self) -> None:
        self._tell_all(signal.SIGTERM)
        deadline = time.monotonic() + self._grace + _LONGER
        while self._running:
            left = deadline - time.monotonic()
            if left <= 0:
                self._tell_all(signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, max(0.05, min(left, 1.0)))
            self._ended()

    def _tell_all(self, what: signal.Signals) -> None:
        for child in self._running:
            os.kill(child, what)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
