"""Bytes that a server does not send itself: it names an address of its object store that is good for some minutes.

Nothing goes there but the question for bytes: no token and no header of the caller's. What comes back is hashed like
everything else, so the store need not be trusted with what the bytes are.
"""

from __future__ import annotations

import http.client
import re
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

    def get(self, link: str, headers: Mapping[str, str], size: int) -> HTTPResponse | None:
        """An answer with bytes; ``None`` if there is none, because the address is good no more or leads nowhere.

        An answer that does not say how long it is, or is not as long as what was asked for, is from somebody in
        between, such as the page of a network where one has to log in first. Redirected again one is not: the server
        itself knows where its bytes are.

        Args:
            headers: Of the question, with ``Range`` if not all bytes are wanted.
            size: Bytes that there are in all.
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
        except (
            OSError,
            ValueError,
            http.client.HTTPException,
        ):  # ValueError: a character that no address has
            self.close()
            return None
        expected = {200: size, 206: _asked(headers.get("Range", ""), size)}.get(answer.status)
        if expected is not None and answer.headers.get("Content-Length") == str(expected):
            return answer
        self.close()
        return None

    def close(self) -> None:
        """Close it; the next use opens another."""
        if self.line is not None:
            self.line.close()
            self.line = None


def _asked(bytes_range: str, size: int) -> int | None:
    """How many of ``size`` bytes a range has; ``None`` if none was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", bytes_range)
    return None if found is None else (int(found[2]) + 1 if found[2] else size) - int(found[1])
