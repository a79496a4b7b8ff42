"""Bytes that a server does not send itself: it names an address of its object store that is good for some minutes.

Nothing goes there but the question for bytes: no token and no header of the caller's. What comes back is hashed like
everything else, so the store need not be trusted with what the bytes are.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from modelyard.remote.lines import opened, origin, target


def is_safe(link: str, url: str) -> bool:
    """Whether a server at ``url`` may send one to ``link``: over TLS, or as unprotected as the server itself is."""
    try:
        parts = urlsplit(link)
        port_is_right = parts.port != 0
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or not port_is_right:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and urlsplit(url).scheme == "http")


class Direct:
    """A connection to wherever one was sent; kept for the next question to the same store.

    Args:
        timeout: Seconds of silence after which it is given up.

    Attributes:
        line: The connection, if there is one.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._to = ("", "", 0)
        self.line: HTTPConnection | None = None

    def get(self, link: str, headers: Mapping[str, str]) -> HTTPResponse | None:
        """An answer with bytes; ``None`` if there is none, because the address is good no more or leads nowhere.

        Redirected again one is not: the server itself knows where its bytes are.
        """
        try:
            if self.line is None or self._to != origin(link):
                self.close()
                self.line, self._to = opened(link, self._timeout), origin(link)
            self.line.putrequest("GET", target(link), skip_accept_encoding=True)
            for name, value in {"User-Agent": "modelyard", **headers}.items():
                self.line.putheader(name, value)
            self.line.endheaders()
            answer = self.line.getresponse()
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        if answer.status in (200, 206):
            return answer
        self.close()
        return None

    def close(self) -> None:
        """Close it; the next use opens another."""
        if self.line is not None:
            self.line.close()
            self.line = None
