"""Who asks: from the headers of a request to a principal."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from modelyard.domain.errors import NotAuthenticated
from modelyard.domain.permissions import Principal
from modelyard.edge import cookies

REMEMBERED: Final = 1.0
"""Seconds for which a caller is known without asking the registry: so long does a revoked token work elsewhere."""

MOST: Final = 10_000
"""Callers that are remembered."""


class Doorkeeper(Protocol):
    """Recognises callers."""

    def recognise(self, headers: Mapping[str, str]) -> Principal:
        """Who sent these headers.

        Raises:
            NotAuthenticated: Nobody that is known.
        """
        ...


@dataclass(frozen=True, slots=True)
class Everybody:
    """Takes every caller for the same one: for a server that only its own machine can reach, and for tests."""

    principal: Principal

    def recognise(self, headers: Mapping[str, str]) -> Principal:
        return self.principal


class Recogniser(Protocol):
    """Knows secrets: those of tokens, or those of sessions."""

    def recognise(self, secret: str) -> Principal:
        """Whose secret this is.

        Raises:
            NotAuthenticated: Nobody's that counts.
        """
        ...


class TokenDoorkeeper:
    """Recognises callers by their tokens. Thread-safe.

    Who was recognised is remembered for a second at most, under a digest of the token: a busy client costs one question
    to the store a second, and a token that was revoked in another process is refused within that second.

    Args:
        access: Where tokens are looked up.
        clock: Seconds that never go back.
    """

    def __init__(self, access: Recogniser, clock: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    def recall(self, headers: Mapping[str, str]) -> Principal | None:
        """Who sent these headers, if that is remembered; never waits for the store."""
        found = self._known.get(_digest(self._secret(headers)))
        if found is None or not 0 <= self._clock() - found[0] < REMEMBERED:
            return None
        return found[1]

    def recognise(self, headers: Mapping[str, str]) -> Principal:
        secret = self._secret(headers)
        began = self._clock()  # before the store is asked: what is revoked meanwhile must not live longer
        principal = self._access.recognise(secret)
        with self._lock:
            self._known[_digest(secret)] = began, principal
            self._known.move_to_end(_digest(secret))
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return principal

    def _secret(self, headers: Mapping[str, str]) -> str:
        return bearer(headers)


class SessionDoorkeeper(TokenDoorkeeper):
    """Recognises callers by the cookie of their session, in the same way.

    Args:
        sessions: Where sessions are looked up.
        cookie: What the cookie is called.
    """

    def __init__(
        self, sessions: Recogniser, cookie: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(sessions, clock)
        self._cookie = cookie

    def carries(self, headers: Mapping[str, str]) -> bool:
        """Whether it is asked: beside a token no cookie counts, not even beside one that is wrong."""
        return "authorization" not in headers and bool(self._secret(headers))

    def _secret(self, headers: Mapping[str, str]) -> str:
        return cookies.found(headers, self._cookie)


class PeopleDoorkeeper(TokenDoorkeeper):
    """Recognises programs by their tokens and browsers by their sessions, never one by both."""

    def __init__(self, access: Recogniser, sessions: SessionDoorkeeper) -> None:
        super().__init__(access)
        self._sessions = sessions

    def recall(self, headers: Mapping[str, str]) -> Principal | None:
        by_session = self._sessions.carries(headers)
        return self._sessions.recall(headers) if by_session else super().recall(headers)

    def recognise(self, headers: Mapping[str, str]) -> Principal:
        by_session = self._sessions.carries(headers)
        return self._sessions.recognise(headers) if by_session else super().recognise(headers)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def bearer(headers: Mapping[str, str]) -> str:
    """The token of ``Authorization: Bearer …`` (RFC 6750, section 2.1).

    Raises:
        NotAuthenticated: There is none.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise NotAuthenticated("this registry asks for a token: send 'Authorization: Bearer <token>'")
    return token.strip()
