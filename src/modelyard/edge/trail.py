"""What one request leaves behind: for its log line, for the figures, and for whoever asks what happened to it."""

from __future__ import annotations

import os
from binascii import hexlify
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from modelyard.domain.permissions import Principal

KEY: Final = "modelyard.trail"


def new_id() -> str:
    """32 hex digits that nobody can guess. A third of the price of a ``uuid4``, and there is one per request."""
    return hexlify(os.urandom(16)).decode("ascii")


class Operations(Protocol):
    """Traces what is asked of the registry."""

    def operation(self, name: str) -> AbstractContextManager[None]:
        """Around one operation, by its name."""
        ...


@dataclass(slots=True)
class Trail:
    """Notes about one request, filled in as it passes.

    Attributes:
        request_id: Ours, in the answer, in its problem and in the log.
        route: Method and address with its parameters still in braces, so that it holds nobody's data; empty if none
            matched.
        principal: Who asked, once recognised.
        status: What was answered; 0 before.
        received, sent: Bytes of both bodies.
    """

    request_id: str = field(default_factory=new_id)
    route: str = ""
    principal: str = ""
    status: int = 0
    received: int = 0
    sent: int = 0
    when_recognised: Callable[[Principal], None] | None = None
    meter: Callable[[str, int], None] | None = None
    spans: Operations | None = None
    _who: str = ""

    def recognised(self, principal: Principal) -> None:
        """Note who asks; whoever limits callers may refuse now.

        Raises:
            RateLimited: This caller asks too often.
        """
        self.principal = principal.actor.name
        self._who = f"{principal.actor.kind}:{self.principal}"
        if self.when_recognised is not None:
            self.when_recognised(principal)

    def operation(self, name: str) -> AbstractContextManager[None]:
        """Around what is asked of the registry, by its name, for whoever traces requests."""
        return nullcontext() if self.spans is None else self.spans.operation(name)

    def metered(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of bytes that are to be stored, as long as whoever counts what a caller sends lets them pass.

        Raises:
            RateLimited: This caller has sent enough.
        """
        return iter(pieces) if self.meter is None else self._counted(pieces, self.meter)

    def _counted(self, pieces: Iterable[bytes], meter: Callable[[str, int], None]) -> Iterator[bytes]:
        for piece in pieces:
            meter(self._who, len(piece))
            yield piece


def trail(scope: Any) -> Trail:
    """The notes about the request of an ASGI scope; begun here if nobody began them."""
    found = scope.get(KEY)
    if found is None:
        found = scope[KEY] = Trail()
    return found  # type: ignore[no-any-return]
