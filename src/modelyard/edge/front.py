"""The front of a server: what happens to every request before and after the part that answers it.

In order: a request id, the ``Host``, the pace, a free place; then the answer, with the headers that every answer has;
then one line in the log and one more in the figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelyard.domain.errors import InvalidInput, ModelyardError, Overloaded, RateLimited
from modelyard.domain.permissions import Principal
from modelyard.domain.quota import Allowance
from modelyard.edge.admission import network
from modelyard.edge.answers import as_problem
from modelyard.edge.hosts import Hosts
from modelyard.edge.limits import Limits, Places
from modelyard.edge.logs import AccessLog
from modelyard.edge.metrics import Metrics
from modelyard.edge.trail import KEY, Trail

if TYPE_CHECKING:
    from modelyard.edge.tracing import Spans

BURST_SECONDS: Final = 4
"""How many seconds' worth of requests may come at once."""

MINUTES: Final = 24 * 60
"""Of a day."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_FOREVER: Final = (b"strict-transport-security", b"max-age=31536000")


class Front:
    """Wraps the application of one worker.

    Args:
        app: Answers; takes what :func:`modelyard.edge.trail.trail` gives as its notes.
        limits: How much is taken at once.
        hosts: Names by which the server may be addressed; any if not given, which only a test should do.
        metrics: Where requests are counted.
        log: Where they are written down.
        encrypted: Callers come over TLS, so their browsers may be told never to come otherwise.

    Attributes:
        spans: Where requests are traced; ``None``: nowhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits | None = None,
        hosts: Hosts | None = None,
        metrics: Metrics | None = None,
        log: AccessLog | None = None,
        encrypted: bool = False,
    ) -> None:
        limits = limits or Limits()
        self._app, self._hosts, self._metrics, self._log = app, hosts, metrics, log
        self._headers: Sequence[tuple[bytes, bytes]] = (*_HEADERS, *((_FOREVER,) if encrypted else ()))
        self._rate = limits.rate
        self._pace = Allowance(limits.rate * BURST_SECONDS, limits.rate * 60)
        self._daily = limits.upload_bytes_a_day
        self._sent = Allowance(self._daily or 1, (self._daily or 1) / MINUTES)
        self.spans: Spans | None = None
        self.places = Places(limits.requests, limits.requests_per_caller)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        began, at = time.perf_counter(), time.time()
        client = caller((scope.get("client") or ("unknown",))[0])
        meter = self._meter if self._daily is not None else None
        notes = scope[KEY] = Trail(when_recognised=self._recognised, meter=meter, spans=self.spans)
        exchange = Exchange(notes, receive, send, self._headers)
        try:
            with nullcontext() if self.spans is None else self.spans.request(scope, notes):
                await self._pass(client, scope, exchange)
        finally:
            seconds = time.perf_counter() - began
            if self._metrics is not None:
                self._metrics.count(notes.route, notes.status, seconds, notes.received, notes.sent)
            if self._log is not None:
                self._log.write(at, notes, scope["method"], client, seconds)

    async def _pass(self, client: str, scope: Scope, exchange: Exchange) -> None:
        try:
            if self._hosts is not None:
                self._hosts.check(scope["headers"])
            self._take(client)
            with self.places.taking(client):
                await self._app(scope, exchange.receive, exchange.send)
        except ModelyardError as error:
            await self._refuse(error, scope, exchange)
        except asyncio.CancelledError:
            # The server has waited for as long as it may. What was uploaded stays, and can be continued.
            if exchange.begun:
                raise
            stopping = Overloaded(
                "the server is being stopped; ask again, it may be back", data={"retry_after": 2}
            )
            await self._refuse(stopping, scope, exchange)

    async def _refuse(self, error: ModelyardError, scope: Scope, exchange: Exchange) -> None:
        response = as_problem(error, request_id=exchange.notes.request_id)
        response.headers["X-Request-ID"] = exchange.notes.request_id
        if not isinstance(error, InvalidInput):
            response.headers["Connection"] = "close"
        await response(scope, exchange.receive, exchange.send)

    def _recognised(self, principal: Principal) -> None:
        if principal.token_id:
            self._take(f"token {principal.token_id}")

    def _meter(self, who: str, count: int) -> None:
        if wait := self._sent.take(who, datetime.now(UTC), count):
            name = who.partition(":")[2]
            raise RateLimited(
                f"{name!r} may send {self._daily:,} bytes of files a day and has sent them; go on later",
                data={"retry_after": max(1, round(wait))},
            )

    def _take(self, who: str) -> None:
        if wait := self._pace.take(who, datetime.now(UTC)):
            raise RateLimited(
                f"more than {self._rate} requests a second came from here; come back in a second",
                data={"retry_after": max(1, round(wait))},
            )


@lru_cache(maxsize=1024)
def caller(address: str) -> str:
    """What counts as one caller before a token is looked at."""
    return network(address)


class Exchange:
    """One request's two directions, watched."""

    __slots__ = ("_headers", "_receive", "_send", "begun", "notes")

    def __init__(
        self, notes: Trail, receive: Receive, send: Send, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self.notes, self._receive, self._send, self._headers = notes, receive, send, headers
        self.begun = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.notes.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.notes.status = message["status"]
            given: list[Any] = list(message.get("headers", ()))
            names = {name for name, _ in given}
            given += [header for header in self._headers if header[0] not in names]
            message["headers"] = given
        else:
            self.notes.sent += len(message.get("body", b""))
        await self._send(message)
