"""A proxy in front of several HTTP servers, as balancers are: each request goes to the next one that takes it.

It answers 502 for a server that breaks off before it answered, and breaks off itself where an answer broke off. It
remembers nothing of who was served where, so whatever a server keeps to itself shows.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

PIECE = 256 * 1024
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RoundRobin:
    """Takes connections on ``port`` of loopback for the servers on ``targets``, which may come and go."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.targets = list(targets)
        self.served = dict.fromkeys(targets, 0)
        self.broken = 0
        self.port = 0
        self._turns = itertools.count()

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=PIECE)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, EOFError, asyncio.CancelledError
        ):  # the last at the end, which nobody waits for
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection may go on."""
        head = await reader.readuntil(b"\r\n\r\n")
        server = await self._connected()
        if server is None:
            return await self._refuse(writer)
        sending = asyncio.create_task(_send(head, reader, server[1]))
        try:
            answer = await server[0].readuntil(b"\r\n\r\n")
        except (OSError, EOFError):
            return await self._refuse(writer)
        else:
            writer.write(answer)
            bodiless = head.startswith(b"HEAD ") or answer[9:12] in (b"204", b"304")
            await _body({} if bodiless else _headers(answer), server[0], writer)
            return sending.done() and _headers(answer).get(b"connection") != b"close"
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            server[1].close()

    async def _refuse(self, writer: asyncio.StreamWriter) -> bool:
        self.broken += 1
        writer.write(BAD_GATEWAY)
        await writer.drain()
        return False

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next server that takes a connection."""
        for _ in range(len(self.targets)):
            port = self.targets[next(self._turns) % len(self.targets)]
            with suppress(OSError):
                found = await asyncio.open_connection("127.0.0.1", port, limit=PIECE)
                self.served[port] = self.served.get(port, 0) + 1
                return found
        return None


async def _send(head: bytes, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError, EOFError):
        sink.write(head)
        await _body(_headers(head), source, sink)


async def _body(
    headers: dict[bytes, bytes], source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Pass on what follows a head."""
    if headers.get(b"transfer-encoding") == b"chunked":
        while size := await _chunk(source, sink):
            await _exactly(size + 2, source, sink)
        await _exactly(2, source, sink)
    await _exactly(int(headers.get(b"content-length", 0)), source, sink)
    await sink.drain()


async def _chunk(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> int:
    line = await source.readuntil(b"\r\n")
    sink.write(line)
    return int(line.split(b";")[0], 16)


async def _exactly(count: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while count:
        data = await source.read(min(count, PIECE))
        if not data:
            raise EOFError
        count -= len(data)
        sink.write(data)
        await sink.drain()


def _headers(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs if name}


@contextmanager
def balancing(targets: Sequence[int]) -> Iterator[RoundRobin]:
    """A proxy on a thread of its own."""
    proxy, ready = RoundRobin(targets), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(ready, stop)))
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
