"""A large download over several connections at once.

One connection carries what fits between two acknowledgements, and stores give each of them its share: over a long way
either is less than the network could take. So several fetch a range each, and the ranges are handed on in their order.
The partial file is therefore always a beginning of the whole: whoever comes later goes on with it, whatever killed this
process, and its digest is worked out while it grows. The price is memory for the ranges that wait for their turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, cast

from modelyard.domain.errors import Unreachable
from modelyard.remote.connections import PIECE, Connection

if TYPE_CHECKING:
    from modelyard.remote.transport import Transport

WAYS: Final = 4
"""Connections."""
RANGE: Final = 4 * PIECE
"""Bytes of a range: so large that asking for it costs little beside it."""
AHEAD: Final = 6
"""Ranges in memory: one that is written, one for each connection, and one that waits."""
WORTH: Final = 32 * PIECE
"""Bytes from which on several connections are opened."""


class Ranges:
    """The bytes of one address from a place on, in order.

    Each piece is good until the next one is asked for.

    Args:
        path: Address on the server.
        start: Bytes that are here already.
        size: Bytes that there are.

    Attributes:
        understood: False once everything was sent where a range was asked for; then the pieces end early.
    """

    def __init__(self, transport: Transport, path: str, start: int, size: int) -> None:
        self._path, self._start, self._size = path, start, size
        self._lines = [Connection(transport) for _ in range(WAYS)]
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        for line in self._lines:
            self._idle.put(line)
        self._ended = False
        self.understood = True

    def __iter__(self) -> Generator[bytes, None, None]:
        """Raises what asking raises: ``Unreachable`` where a try brought nothing, or what the server raised."""
        pool = ThreadPoolExecutor(WAYS, "modelyard-range")
        try:
            yield from self._in_order(pool)
        finally:
            self._ended = True
            for line in self._lines:
                line.hang_up()
            pool.shutdown(cancel_futures=True)
            for line in self._lines:
                line.close()

    def _in_order(self, pool: ThreadPoolExecutor) -> Iterator[bytes]:
        under_way: deque[tuple[memoryview, Future[memoryview]]] = deque()
        for place in range(self._start, self._size, RANGE):
            if len(under_way) < AHEAD:
                buffer = memoryview(bytearray(min(RANGE, self._size - place)))
            else:
                buffer, first = under_way.popleft()
                if not (found := first.result()):
                    return
                yield cast(bytes, found)
            under_way.append((buffer, pool.submit(self._fetch, place, buffer[: self._size - place])))
        for _, future in under_way:
            if not (found := future.result()):
                return
            yield cast(bytes, found)

    def _fetch(self, place: int, wanted: memoryview) -> memoryview:
        """One range; nothing if ranges are not understood. A connection that broke is made anew if bytes came."""
        line = self._idle.get()
        try:
            done = before = 0
            while done < len(wanted):
                try:
                    for count in self._pieces(line, place + done, wanted[done:]):
                        done += count
                except Unreachable:
                    if self._ended or done == before:
                        raise
                    before = done
                if not self.understood:
                    return wanted[:0]
            return wanted
        finally:
            self._idle.put(line)

    def _pieces(self, line: Connection, place: int, wanted: memoryview) -> Iterator[int]:
        """Fill ``wanted``; yields how many bytes have come each time."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={place}-{place + len(wanted) - 1}"}
        with line.receive(self._path, headers, size=self._size) as answer:
            if answer.status != 206 or answer.headers.get("Content-Length") != str(len(wanted)):
                self.understood = False
                return
            while wanted:
                count = answer.readinto(wanted[:PIECE])
                if count == 0 or self._ended:
                    raise ConnectionError("the connection ended before the last byte of a range")
                yield count
                wanted = wanted[count:]
