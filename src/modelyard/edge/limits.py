"""How much a server takes: the numbers, and who holds a place while being answered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from modelyard.domain.errors import Overloaded, RateLimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything a server has a limit for, besides what a parser or a rule of the registry limits.

    Attributes:
        connections: Open at once.
        requests: Under way at once.
        requests_per_caller: Of these, from one address.
        rate: Requests a second from one address, or under one token, over some seconds.
        upload_bytes_a_day: Bytes of files that one caller, by name, may send; ``None``: as many as it likes.
        header_bytes: Of a request's address and headers.
        header_seconds: From a connection's first moment, or the end of the last request, to the end of the headers
            once they have begun.
        stall_seconds: In which a body must bring, or a reader take, ``PROGRESS`` bytes.
        idle_seconds: Between two requests.
    """

    connections: int = 8192
    requests: int = 256
    requests_per_caller: int = 128
    rate: int = 5000
    upload_bytes_a_day: int | None = None
    header_bytes: int = 32 * 1024
    header_seconds: float = 15
    stall_seconds: float = 30
    idle_seconds: float = 45


class Places:
    """So many at once, and so many of them for one caller: a queue without an end would only hide the trouble.

    Belongs to one event loop and needs no lock.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most, self._most_each = most, most_each
        self._by_caller: dict[Hashable, int] = {}
        self.taken = 0

    @contextmanager
    def taking(self, caller: Hashable) -> Iterator[None]:
        """Hold one place.

        Raises:
            Overloaded: All are taken.
            RateLimited: This caller has its share.
        """
        mine = self._by_caller.get(caller, 0)
        if self.taken >= self._most:
            raise Overloaded(
                f"{self._most} requests are under way, which is all this server takes; come back in a second",
                data={"retry_after": 1},
            )
        if mine >= self._most_each:
            raise RateLimited(
                f"{mine} requests of yours are under way, which is all one caller gets; wait for one of them",
                data={"retry_after": 1},
            )
        self.taken += 1
        self._by_caller[caller] = mine + 1
        try:
            yield
        finally:
            self.taken -= 1
            if self._by_caller[caller] == 1:
                del self._by_caller[caller]
            else:
                self._by_caller[caller] -= 1
