"""From a plan to processes that answer."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import StorageError
from modelyard.edge.metrics import Metrics
from modelyard.server.app import build, routes_of
from modelyard.server.plan import Plan
from modelyard.server.proving import prove, prove_direct, warn_of_links
from modelyard.settings import Settings
from modelyard.wiring import open_service, settle

BACKLOG: Final = 2048
"""Connections that may wait to be taken."""

THREADS_SECONDS: Final = 30.0
"""How long a database's driver is given to end its threads before workers are forked; it takes half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What whoever starts a server wants to know.

    Attributes:
        url: Where it answers.
        location: The registry.
        token: The first administrator's token, which is shown this once; empty on every later start.
        expires: Until when it is good, for people.
    """

    url: str
    location: str
    token: str = ""
    expires: str = ""


def serve(
    settings: Settings,
    location: str | Path | None,
    plan: Plan,
    tell: Callable[[Started], None] = lambda _: None,
) -> None:
    """Answer until told to stop by SIGTERM or SIGINT. Requests that are under way are finished.

    Args:
        tell: Called once connections are taken and signals are listened to.

    Raises:
        InvalidConfig: The plan is refused.
        StorageError: The address is taken, or the registry cannot be opened.
    """
    from modelyard.server import memory

    plan.check()
    memory.limit_arenas()
    settings, location = settle(settings, location)
    set_up_logs(settings, as_json=plan.json_logs)
    with bound(plan) as listening:
        prove(settings, workers=plan.workers)
        prove_direct(settings, plan)
        where, service = open_service(settings, location)
        try:
            started = partial(tell, _started(plan, listening, where, service))
            if plan.workers == 1:
                _answer(service, plan, listening, started)
                return
            silent = replace(plan, direct=None)  # to sign begins threads, which do not survive the fork
            metrics = Metrics(routes_of(build(service, silent).api), plan.workers)
        finally:
            service.close()
        _answer_together(settings, where, plan, listening, metrics, started)


def _answer(service: Any, plan: Plan, listening: socket.socket, started: Callable[[], None]) -> None:
    from modelyard.server.process import Process

    Process(build(service, plan), plan, when_started=started).run(sockets=[listening])


def _answer_together(
    settings: Settings,
    where: str,
    plan: Plan,
    listening: socket.socket,
    metrics: Metrics,
    started: Callable[[], None],
) -> None:
    """Each worker opens the registry for itself; the figures were made before the fork, so they share that memory."""
    from modelyard.server.process import Process
    from modelyard.server.workers import Workers

    parent = os.getpid()

    def work(number: int) -> None:
        _, service = open_service(settings, where)
        try:
            metrics.stripe(number)
            warn_of_links(service, plan)
            Process(build(service, plan, metrics=metrics), plan, parent=parent).run(sockets=[listening])
        finally:
            service.close()

    _until_alone()
    Workers(plan.workers, work, grace=plan.grace, when_started=started).run()


def _until_alone() -> None:
    """Wait for threads that are about to end: a driver's that was told to close looks up now and then only."""
    deadline = time.monotonic() + THREADS_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


def _started(plan: Plan, listening: socket.socket, where: str, service: Any) -> Started:
    url = plan.url(listening.getsockname()[1])
    made = service.access.first_token() if plan.authenticate else None
    if made is None:
        return Started(url=url, location=where)
    ends = made.token.expires_at
    return Started(
        url=url, location=where, token=made.secret, expires=f"{ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    )


def bound(plan: Plan) -> socket.socket:
    """A socket that listens where the plan says: connections wait in it until somebody answers.

    Raises:
        StorageError: The address is taken, or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    try:
        return socket.create_server((plan.host, plan.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StorageError(
            f"cannot listen on {plan.host}:{plan.port}: {error.strerror or error}; choose another --port or --host"
        ) from error


def set_up_logs(settings: Settings, *, as_json: bool) -> None:
    """Our lines and uvicorn's to the same place in the same form."""
    from modelyard.edge.logs import JsonLines, TextLines
    from modelyard.settings.logs import configure_logging

    configure_logging(settings)
    handlers = logging.getLogger("modelyard").handlers
    for handler in handlers:
        handler.setFormatter(JsonLines() if as_json else TextLines())
    theirs = logging.getLogger("uvicorn")
    theirs.handlers[:], theirs.propagate = handlers, False
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a caller's malformed request is no news
    sys.stderr.flush()
