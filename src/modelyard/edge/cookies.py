"""Cookies: the one that a session is in, and the one that remembers a login while the browser is at the provider.

``__Host-`` makes a browser take a cookie only from this very host, over TLS, for all of it (RFC 6265bis, 4.1.3.2).
Without TLS, which is only allowed on this machine, a browser would refuse that prefix, so there the names are plain; a
program that listens on another port of the same machine then sees them too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import cookie_parser

from modelyard.domain.errors import NotAuthenticated

SESSION: Final = "modelyard-session"
LOGIN: Final = "modelyard-login"
SECURELY: Final = "__Host-"
LOGIN_LIFE: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""


def name_of(cookie: str, *, secure: bool) -> str:
    """What a cookie is called."""
    return SECURELY + cookie if secure else cookie


def found(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; empty if it is not there."""
    sent = headers.get("cookie", "")
    return cookie_parser(sent).get(name, "") if name in sent else ""


def is_by_session(headers: Mapping[str, str]) -> bool:
    """Whether a request would be let in for a cookie, which browsers send along whoever made them ask."""
    if "authorization" in headers:
        return False
    return any(found(headers, name_of(SESSION, secure=secure)) for secure in (False, True))


def to_set(name: str, value: str, *, secure: bool, seconds: int | None = None) -> str:
    """A ``Set-Cookie``; ``seconds=0`` takes it away, ``None`` keeps it until the browser ends."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if secure:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A login that was begun.

    Attributes:
        state: What the provider has to send back.
        nonce: What the ID token has to hold.
        verifier: Of the challenge that the provider got (RFC 7636).
        then: Address on this server to go on to.
        port: Where a program on the browser's machine waits; 0: nobody does.
        challenge: That program's own.
        program_state: What the program wants to see again.
    """

    state: str
    nonce: str
    verifier: str
    then: str = ""
    port: int = 0
    challenge: str = ""
    program_state: str = ""


def sealed(pending: Pending, key: bytes, now: datetime) -> str:
    """The login as a cookie's value that nobody else can make."""
    until = int((now + LOGIN_LIFE).timestamp())
    body = base64.urlsafe_b64encode(json.dumps([until, asdict(pending)]).encode()).decode().rstrip("=")
    return f"{body}.{_signature(body, key)}"


def unsealed(value: str, key: bytes, now: datetime) -> Pending:
    """The login of a cookie.

    Raises:
        NotAuthenticated: There is none, or it is not ours, or it took too long.
    """
    body, _, signature = value.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body, key).encode()):
        raise NotAuthenticated(
            "this browser began no login here, or under another address of this server; begin again at /login"
        )
    until, pending = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if now.timestamp() >= until:
        raise NotAuthenticated("the login took too long; begin again at /login")
    return Pending(**pending)


def _signature(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
