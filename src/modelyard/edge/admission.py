"""Letting callers in: recognised by the doorkeeper, and those who fail again and again told to wait."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from modelyard.domain.errors import NotAuthenticated, RateLimited
from modelyard.domain.permissions import Principal
from modelyard.domain.quota import Allowance
from modelyard.edge.doorkeeper import Doorkeeper, TokenDoorkeeper

FAILURES: Final = 10
"""Failed attempts that an address has a minute."""


class Admission:
    """Who sent a request.

    A right token is let in however many wrong ones came from the same address: 256 random bits cannot be tried out, and
    a lock-out would only help who wants to lock out others. The limit spares the log and the store.

    Args:
        doorkeeper: Recognises callers.
        now: The time.
    """

    def __init__(
        self, doorkeeper: Doorkeeper, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._doorkeeper = doorkeeper
        self._now = now
        self._failures = Allowance(FAILURES, FAILURES)

    async def principal(self, request: Request) -> Principal:
        """Who sent it.

        Raises:
            NotAuthenticated: Nobody that is known.
            RateLimited: The same, from an address that failed too often.
        """
        try:
            return await self._recognised(request)
        except NotAuthenticated:
            client = request.client.host if request.client else ""
            wait = self._failures.take(network(client), self._now())
            if wait:
                raise RateLimited(
                    f"more than {FAILURES} failed attempts a minute came from this address; wait, and check the token",
                    data={"retry_after": math.ceil(wait)},
                ) from None
            raise

    async def _recognised(self, request: Request) -> Principal:
        """Without a change of threads where nothing has to be looked up."""
        keeper = self._doorkeeper
        if not isinstance(keeper, TokenDoorkeeper):
            return keeper.recognise(request.headers)
        known = keeper.recall(request.headers)
        return known if known is not None else await run_in_threadpool(keeper.recognise, request.headers)


def network(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, since who has one has all below them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
