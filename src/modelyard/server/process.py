"""One process that answers: uvicorn, held to our promises about slow callers and about stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from modelyard.server import memory
from modelyard.server.connections import Connection
from modelyard.server.plan import Plan

if TYPE_CHECKING:
    from modelyard.server.app import Application

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_AFTER_GRACE: Final = 2.0
"""Seconds for requests to end once they were told that the grace is over."""


class Process(uvicorn.Server):
    """Answers until a signal, or :meth:`stop`; then takes nothing new and lets what is under way end.

    Args:
        app: What answers.
        plan: Limits and grace.
        parent: Process without which there is nothing to do; 0 for none.
        when_started: Called once connections are taken and signals are listened to.
    """

    def __init__(
        self,
        app: Application,
        plan: Plan,
        *,
        parent: int = 0,
        when_started: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(_config(app, plan))
        self._app, self._parent, self._when_started = app, parent, when_started

    def stop(self) -> None:
        """Begin to stop; for another thread or a signal handler."""
        self._app.draining = True
        self.should_exit = True

    def handle_exit(self, sig: int, frame: Any) -> None:
        """The second Ctrl-C does not wait any more."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again at the end, and an orderly stop would look like a crash."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.begin()
        await super().startup(sockets)
        self._when_started()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 10 == 0:
            self._look()
        if counter % (10 * memory.EVERY) == 0:
            memory.trim()
        return await super().on_tick(counter)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for each in list(self.server_state.connections):
            each.look(now)  # type: ignore[union-attr]
        self._app.note(len(self.server_state.connections))
        if self._parent and os.getppid() != self._parent:
            self.stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Requests that outlive the grace are told so, and are given a moment to end."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_AFTER_GRACE)
        self._app.end()


def _config(app: Application, plan: Plan) -> uvicorn.Config:
    connection: Callable[..., Connection] = partial(Connection, limits=plan.limits)
    return uvicorn.Config(
        app,
        http=connection,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(plan.behind_proxy),
        forwarded_allow_ips=list(plan.behind_proxy),
        timeout_keep_alive=int(plan.limits.idle_seconds),
        timeout_graceful_shutdown=int(plan.grace),
        ssl_certfile=plan.tls_cert,
        ssl_keyfile=plan.tls_key,
        backlog=2048,
    )
