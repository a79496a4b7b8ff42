"""Addresses of servers as people give them: copied from elsewhere, mistyped, with a password in them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from modelyard.domain.errors import InvalidConfig
from modelyard.domain.spelling import quoted

PREFIX: Final = "/api/v1"
"""What every path of the REST API begins with."""

_ODD: Final = re.compile(r"[?#\s]")


def server_address(given: str) -> str:
    """The address of a server as requests begin with it: no slash at its end, and without the path of the API.

    A path is kept, for a server behind a proxy. A user and a password are refused and not shown: they would be in
    every message and every log, and the server asks for a token.

    Raises:
        InvalidConfig: It is no address of a server, or it has a user, a query or a fragment.
    """
    before, at, behind = given.rpartition("@")
    if at:
        raise InvalidConfig(
            f"the address of a server: found a user or a password in it, at {before.partition('://')[0]:.10}://...@"
            f"{behind.partition('/')[0]}; leave them out, and give a token with MODELYARD_TOKEN"
        )
    parts = _parts(given)
    if parts is None or not parts.hostname or _ODD.search(given) or not given.isprintable():
        raise InvalidConfig(
            f"the address of a server: expected for example http://127.0.0.1:8000 or https://models.example.org, found "
            f"{quoted(given)}"
        )
    return given.rstrip("/").removesuffix(PREFIX)


def _parts(given: str) -> SplitResult | None:
    """The parts of an address; ``None`` if it has none: its port is no number, for example, or its host no name."""
    try:
        parts = urlsplit(given)
        (parts.hostname or "").encode("idna").decode("idna")
        return None if parts.port == 0 else parts
    except ValueError:
        return None
