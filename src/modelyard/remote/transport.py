"""Requests and answers over one pool of connections: errors keep their class, and what may be asked again is."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.errors import MissingDependency, ModelyardError, NotAuthenticated, Unreachable
from modelyard.wire.address import PREFIX, server_address
from modelyard.wire.problems import raised

if TYPE_CHECKING:
    import httpx

TRIES: Final = 5
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers that mean "not now"; any other is final."""
WHERE_TO_PUT_IT: Final = (
    "set MODELYARD_TOKEN, give ModelRegistry(..., token=...), or fetch one with `modelyard login`"
)


class Transport:
    """Speaks to one server. Thread-safe; a forked child starts with connections of its own.

    Args:
        url: The server's address, such as ``https://models.example.org``; a path in it is kept.
        token: Sent as ``Authorization: Bearer``; never shown, pickled or logged. White space around it, such as the
            line break of the file it was read from, is left out.

    Raises:
        InvalidConfig: ``url`` is no address of a server.
        NotAuthenticated: The token has characters that no token has.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0) -> None:
        self.url = server_address(url)
        self._token = _sendable(token)
        self.timeout = timeout
        self._client: httpx.Client | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"Transport({self.url!r})"

    @property
    def client(self) -> httpx.Client:
        """Connections of this process; those inherited by a fork belong to the parent and are left alone."""
        if self._client is None or self._pid != os.getpid():
            self._client, self._pid = self._connect(), os.getpid()
        return self._client

    def _connect(self) -> httpx.Client:
        try:
            import httpx
        except ImportError as error:
            raise MissingDependency(
                "talking to a server needs httpx: pip install 'modelyard[client]'"
            ) from error
        return httpx.Client(headers=self.headers, timeout=self.timeout, follow_redirects=False)

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request."""
        headers = {"User-Agent": "modelyard"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
    ) -> Any:
        """JSON for JSON. ``safe``: asking twice does no more than asking once, so a lost answer is asked for again.

        Raises:
            ModelyardError: What the server raised, as the same class.
            Unreachable: No answer.
        """
        import httpx

        pause = FIRST_PAUSE
        for left in range(TRIES - 1, -1, -1):
            try:
                answer = self.client.request(
                    method, self.url + path, params=tuple(query or ()), json=body, headers=headers
                )
            except httpx.TransportError as error:
                if left and (safe or _carried_nothing(error)):
                    pause = wait(pause)
                    continue
                raise self.unreachable(error, unheard=not (safe or _carried_nothing(error))) from error
            if left and answer.status_code in AGAIN and (safe or answer.status_code == 429):
                pause = wait(max(pause, _retry_after(answer.headers)))
                continue
            return self.read(answer)
        raise AssertionError("the last try always returns or raises")

    def read(self, answer: httpx.Response) -> Any:
        """The JSON of a good answer.

        Raises:
            ModelyardError: What the answer tells.
        """
        try:
            told = answer.json() if answer.content else None
        except ValueError:
            told = None
        if answer.is_success:
            return told
        error = raised(told, status=answer.status_code)
        if isinstance(error, NotAuthenticated) and not self._token and PREFIX in answer.url.path:
            raise NotAuthenticated(f"{self.url} asks for a token: {WHERE_TO_PUT_IT}")
        raise error

    @contextmanager
    def stream(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: Any = None
    ) -> Iterator[httpx.Response]:
        """An answer whose bytes are read piece by piece.

        Raises:
            ModelyardError: What the server raised.
            Unreachable: No answer, or it broke off.
        """
        import httpx

        try:
            with self.client.stream(method, self.url + path, headers=headers, content=content) as answer:
                if not answer.is_success:
                    answer.read()
                    self.read(answer)
                yield answer
        except httpx.TransportError as error:
            raise self.unreachable(error) from error

    def unreachable(self, error: Exception, *, unheard: bool = False) -> ModelyardError:
        """What to say when the network failed; ``unheard``: a change that was asked for may have been made."""
        what = f"no answer from {self.url}: {str(error).rstrip('.') or type(error).__name__}. "
        if unheard:
            tls = f". {self._advice(error)}" if self.url.startswith("http:") and _is_no_answer(error) else ""
            return Unreachable(
                f"{what}The connection was lost while a change was asked for, so it may have been made or not: look "
                f"with `modelyard history` before you ask again{tls}"
            )
        return Unreachable(what + self._advice(error))

    def _advice(self, error: Exception) -> str:
        """What to do about it, as far as the network's own words tell."""
        scheme, _, rest = self.url.partition("://")
        if "WRONG_VERSION_NUMBER" in str(error):  # OpenSSL's word for an answer that is no TLS
            return f"A server is there that does not speak TLS: is its address http://{rest}?"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "Is this its name? If its certificate is signed by your own authority, name that in SSL_CERT_FILE"
        if scheme == "http" and _is_no_answer(error):
            return f"Was the server stopped just now? If it takes TLS only, its address is https://{rest}"
        return "Is the server running, and is this its address?"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = None


def _is_no_answer(error: Exception) -> bool:
    """Whether the other side hung up, or said something else than HTTP: with TLS it does so too."""
    import httpx

    return isinstance(error, httpx.RemoteProtocolError)


def _carried_nothing(error: Exception) -> bool:
    """Whether no request was sent: a connection was refused. Any other may have done its work unheard."""
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _sendable(token: str | None) -> str | None:
    """A token as a header can carry it; an error about it would otherwise come from below and show it."""
    bare = (token or "").strip()
    if not (bare.isascii() and bare.isprintable()):
        raise NotAuthenticated(
            "the token has characters that no token has; was it copied whole, and nothing else?"
        )
    return bare or None


def wait(pause: float) -> float:
    """Sleep about ``pause`` seconds; returns how long to sleep the next time."""
    time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
    return min(pause * 2, LONGEST_PAUSE)


def _retry_after(headers: Mapping[str, str]) -> float:
    word = headers.get("retry-after", "")
    return min(float(word), LONGEST_PAUSE) if word.isascii() and word.isdigit() else 0.0
