"""Logging in from a program: a browser goes to the server, and comes back to a port of this machine with a code.

The form is that of RFC 8252, section 7.3: loopback, a free port, PKCE. The code alone is of no use to whoever else sees
it, and the program takes only the answer to its own question.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from modelyard.domain.errors import InvalidInput, NotAuthenticated, NotFound, NotSupported
from modelyard.domain.sessions import challenge_of, words_of, write_secret
from modelyard.remote.transport import Transport

PATIENCE: Final = 300.0
"""Seconds for somebody to log in."""

EXCHANGE: Final = "/login/token"
"""Where a code becomes a token, by POST; a server without a provider has nothing there."""

PAGE: Final = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Modelyard</title>"
    b"<h1>Done</h1><p>You can close this page and go back to the program.</p></html>"
)


@dataclass(slots=True)
class Waiting:
    """A program that waits for its browser, on a port that is open until the ``with`` block ends.

    Attributes:
        url: The server, which is asked at once whether people can log in there.

    Raises:
        NotSupported: They cannot.
        Unreachable: It does not answer.
    """

    url: str
    _verifier: str = field(default_factory=lambda: write_secret(secrets.token_bytes(32)), repr=False)
    _state: str = field(default_factory=lambda: write_secret(secrets.token_bytes(32)), repr=False)
    _code: str = field(default="", repr=False)
    _listening: HTTPServer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _expect_people(self.url)
        self._listening = HTTPServer(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.server_close()

    @property
    def address(self) -> str:
        """What is to be opened in a browser on this machine."""
        query = {
            "port": self._listening.server_address[1],
            "challenge": challenge_of(self._verifier),
            "state": self._state,
        }
        return f"{self.url.rstrip('/')}/login?{urlencode(query)}"

    @property
    def words(self) -> str:
        """What the browser's page shows too, if it is about this program."""
        return words_of(challenge_of(self._verifier))

    def token(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for the browser, and fetch the token: ``token``, ``name`` and ``expires_at``.

        Raises:
            NotAuthenticated: Nobody came in time, or the server does not take the code.
        """
        deadline = time.monotonic() + patience
        while not self._code:
            self._listening.timeout = deadline - time.monotonic()
            if self._listening.timeout <= 0:
                raise NotAuthenticated(f"nobody logged in within {patience:.0f} seconds; run it again")
            self._listening.handle_request()
        transport = Transport(self.url)
        try:
            body = {"code": self._code, "verifier": self._verifier}
            found: dict[str, Any] = transport.ask("POST", EXCHANGE, body=body)
        finally:
            transport.close()
        return found

    def take(self, address: str) -> bool:
        """Whether a request is the answer that is waited for."""
        given = parse_qs(urlsplit(address).query)
        state, code = (given.get(name, [""])[0] for name in ("state", "code"))
        if not code or not secrets.compare_digest(state.encode(), self._state.encode()):
            return False
        self._code = code
        return True


def _handler(waiting: Waiting) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # of a connection that says nothing, while the browser's own waits behind it

        def do_GET(self) -> None:
            if not waiting.take(self.path):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(PAGE)))
            self.send_header("Content-Security-Policy", "default-src 'none'")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            """Nothing: the address holds the code."""

    return Handler


def _expect_people(url: str) -> None:
    transport = Transport(url)
    try:
        transport.ask("POST", EXCHANGE, body={})
    except InvalidInput:  # It misses the code, so it takes codes.
        return
    except (NotFound, NotAuthenticated):
        pass
    finally:
        transport.close()
    raise NotSupported(
        f"nobody can log in at {url}: it has no OpenID Connect provider. Give a token with MODELYARD_TOKEN; a server "
        "that was started with --no-auth needs none"
    )


def log_out(url: str, token: str) -> None:
    """End a token on its server.

    Raises:
        NotAuthenticated: It counted no more.
        Unreachable: The server does not answer.
    """
    transport = Transport(url, token)
    try:
        transport.ask("POST", "/logout", body={})
    finally:
        transport.close()
