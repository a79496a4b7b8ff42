"""One connection, and the patience that a server has with it.

uvicorn waits for ever for the rest of a header, for the rest of a body, and for a reader. One slow caller costs little,
some thousands cost every other caller their turn. So each connection knows what it waits for and since when, and is
looked at once a second: no timer per read, which would cost each byte something.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelyard.domain.errors import InvalidInput, ModelyardError, Overloaded, TooLarge
from modelyard.edge.limits import Limits
from modelyard.server.large_bodies import LARGE, LargeBody
from modelyard.wire.problems import MEDIA_TYPE, problem

PROGRESS: Final = 16 * 1024
"""Bytes that count as going on."""

PIECE: Final = 512 * 1024
"""Bytes of a body that wait for the application before no more are read: with uvicorn's 64 KiB every read would be
followed by a pause, which halves the rate of uploads."""

WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with limits. See :class:`~modelyard.edge.limits.Limits`.

    It builds on names that uvicorn does not promise to keep; the tests of this module fail if one goes.
    """

    def __init__(self, *given: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits = limits
        self._awaits_first_byte = True
        self._head_since: float | None = None
        self._head_size = 0
        self._refusal: ModelyardError | None = None
        self._in_body = False
        self._at_head = False
        self._arrived = 0
        self._arrived_mark = (0.0, 0)
        self._unsent_mark = (0.0, 0)
        self._body: LargeBody | None = None

    # --- what happens ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_since = self.loop.time()
        if len(self.connections) > self._limits.connections:
            self._refuse(503, Overloaded("too many connections are open; try again", data={"retry_after": 1}))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._body = None

    def data_received(self, data: bytes) -> None:
        if self._awaits_first_byte:
            self._awaits_first_byte = False
            self._head_since = self.loop.time()
        super().data_received(data)
        if self._body is not None:
            self._hand_over(self._body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_size = 0
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure(len(name) + len(value) + 4)
        if not self._in_body:  # a trailer after the body must not become a header of the request
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_since = None
        self._in_body = True
        self._arrived_mark = (self.loop.time(), self._arrived)
        self._at_head = True
        super().on_headers_complete()
        self._at_head = False

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Called while the head ends, unless an earlier request waits for its answer: then once that has it."""
        if self._at_head and (size := self._announced()) >= LARGE:
            self._body = LargeBody(self, size)
            app = partial(self._body.serve, app)
        super()._start_asgi_task(cycle, app)

    def _announced(self) -> int:
        """Bytes of the body, if the head says how many; by now the parser has refused what is no number, or two."""
        if self.scope["method"] not in WITH_BODY or self.parser.should_upgrade():
            return 0  # the parser takes a request that asks for another protocol as one without a body
        return next((int(value) for name, value in self.headers if name == b"content-length"), 0)

    def on_body(self, body: bytes) -> None:
        self._arrived += len(body)
        if self._body is not None:
            self._body.take(body)
            return
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > PIECE:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_body, self._body = False, None
        super().on_message_complete()
        if self.cycle.response_complete:  # answered before its end, so nothing waits for the next one yet
            self._awaits_first_byte, self._head_since = True, self.loop.time()

    # --- large bodies ------------------------------------------------------------------------------------------------

    def note_arrived(self, count: int) -> None:
        """Bytes of a body came past the parser."""
        self._unset_keepalive_if_required()
        self._arrived += count

    def take_back(self) -> None:
        """The body has ended. The parser still waits for it, so what follows is for another one."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self.on_message_complete()
        self._hand_over(self)

    def _hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol read; how it wants to is looked at when reading begins."""
        if self.transport.is_closing():
            return
        if not self.flow.read_paused:
            self.transport.pause_reading()
        self.transport.set_protocol(protocol)
        if not self.flow.read_paused:
            self.transport.resume_reading()

    # --- limits ------------------------------------------------------------------------------------------------------

    def _measure(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.header_bytes:
            limit = self._limits.header_bytes
            self._refusal = TooLarge(
                f"address and headers are larger than the {limit:,} bytes taken here", data={"limit": limit}
            )
            raise httptools.HttpParserError("too large")  # caught by uvicorn, which then asks for a 400

    def send_400_response(self, msg: str) -> None:
        """The parser gave up: say so in the one shape."""
        if self._refusal is not None:
            self._refuse(431, self._refusal)
        else:
            self._refuse(400, InvalidInput("this is not a request in HTTP/1.1 as RFC 9112 has it"))

    def _refuse(self, status: int, error: ModelyardError) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # an answer is under way, and this would land in its middle
            return
        body = json.dumps(problem(error) | {"status": status}).encode()
        head = (
            f"HTTP/1.1 {status} -\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
            "X-Content-Type-Options: nosniff\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    # --- patience ----------------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Close the connection if it has been waited for long enough; called about once a second."""
        if self._is_late(now) or self._body_stalls(now) or self._reader_stalls(now):
            self.transport.abort()

    def _is_late(self, now: float) -> bool:
        if self._head_since is None:
            return False
        patience = self._limits.idle_seconds if self._awaits_first_byte else self._limits.header_seconds
        return now - self._head_since > patience

    def _body_stalls(self, now: float) -> bool:
        since, arrived = self._arrived_mark
        if not self._in_body or self.flow.read_paused or self._arrived - arrived >= PROGRESS:
            self._arrived_mark = (now, self._arrived)  # nobody has to wait for the caller
            return False
        return now - since > self._limits.stall_seconds

    def _reader_stalls(self, now: float) -> bool:
        since, unsent = self._unsent_mark
        left = self.transport.get_write_buffer_size()
        if not left or not unsent or left > unsent or unsent - left >= PROGRESS:
            self._unsent_mark = (now, left)
            return False
        return now - since > self._limits.stall_seconds
