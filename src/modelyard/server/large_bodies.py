"""The body of a large request, received by the system straight into the buffers that are handed on.

uvicorn's parser copies every byte of a body four times before the application has it. It has nothing to find in a body
whose length is known, so such a body passes beside it: the connection hands its transport over for that long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from modelyard.edge.buffers import BUFFERS

LARGE: Final = 1024 * 1024
"""Bytes that a body has to announce; the way past the parser costs two calls of the system."""

FIRST: Final = 64 * 1024
"""Bytes of the first piece: whoever announces much and sends nothing must not make the server hold much."""


class Lender(Protocol):
    """The connection that hands its transport over; ``cycle``, ``flow`` and ``transport`` are as uvicorn has them."""

    cycle: Any
    flow: Any
    transport: Any

    def note_arrived(self, count: int) -> None:
        """Bytes of the body arrived."""

    def take_back(self) -> None:
        """All of them did: what comes next is for the connection again."""

    def connection_lost(self, exc: Exception | None) -> None:
        """As for any protocol."""

    def pause_writing(self) -> None:
        """As for any protocol."""

    def resume_writing(self) -> None:
        """As for any protocol."""


class LargeBody(asyncio.BufferedProtocol):
    """Takes ``size`` bytes from the transport of a connection, and then gives the transport back.

    Nothing is read while a piece waits for the application. Its buffers are free once both it and the connection have
    ended: whatever still refers to this object then, such as the layer of TLS, does not keep them.

    Args:
        connection: Whose request it is; its cycle has just begun.
        size: Bytes that the head announced.
    """

    def __init__(self, connection: Lender, size: int) -> None:
        self._connection, self._cycle = connection, connection.cycle
        self._left = size
        self._ready: deque[memoryview] = deque()
        self._given = 0
        self._size = size
        self._is_lost = self._is_served = False
        self._begin(memoryview(bytearray(FIRST)))

    def _begin(self, buffer: memoryview) -> None:
        self._piece, self._filled = buffer[: self._left], 0

    # --- from the transport ------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go; never more room than the body has bytes, so what follows it is not touched."""
        return self._piece[self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        self._connection.note_arrived(nbytes)
        self._left -= nbytes
        if self._cycle.response_complete:
            self._ready.clear()  # it was answered without its body, which only has to pass
        else:
            self._fill(nbytes)
        if not self._left:
            self._connection.take_back()

    def take(self, data: bytes) -> None:
        """Bytes that came together with the head."""
        rest = memoryview(data)
        while rest:
            room = self.get_buffer(len(rest))
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self._left -= count
            self._fill(count)
            rest = rest[count:]

    def _fill(self, count: int) -> None:
        self._filled += count
        if self._filled < len(self._piece):
            return
        self._ready.append(self._piece)
        self._begin(BUFFERS.take() if self._left else memoryview(b""))
        if self._left:
            self._connection.flow.pause_reading()
        self._cycle.message_event.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
        self._is_lost = True
        self._let_go()

    def _let_go(self) -> None:
        if self._is_lost and self._is_served:
            self._ready.clear()
            self._begin(memoryview(b""))

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    # --- to the application ------------------------------------------------------------------------------------------

    async def serve(self, app: Any, scope: Any, _: Any, send: Any) -> Any:
        """Run an ASGI application whose body this is."""
        try:
            return await app(scope, self.receive, send)
        finally:
            self._is_served = True
            self._let_go()

    async def receive(self) -> dict[str, Any]:
        """ASGI's ``receive``. Pieces are views of buffers that nobody writes to as long as anybody holds them.

        What has arrived before the connection broke is given before that is told.
        """
        self._continue()
        while not self._ready:
            if self._cycle.disconnected and self._filled:
                self._ready.append(self._piece[: self._filled])
                self._filled = 0
            elif self._cycle.disconnected or self._cycle.response_complete:
                return {"type": "http.disconnect"}
            else:
                self._connection.flow.resume_reading()
                await self._cycle.message_event.wait()
                self._cycle.message_event.clear()
        piece = self._ready.popleft()
        self._given += len(piece)
        return {"type": "http.request", "body": piece, "more_body": self._given < self._size}

    def _continue(self) -> None:
        """Tell a caller who asked (RFC 9110, 10.1.1) that the body is wanted."""
        if self._cycle.waiting_for_100_continue and not self._connection.transport.is_closing():
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._cycle.waiting_for_100_continue = False
