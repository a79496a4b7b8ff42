"""Speaking to the provider: what it offers, its keys, and an ID token for the code that a browser brought."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from modelyard.domain.errors import MissingDependency, NotAuthenticated, Unreachable
from modelyard.domain.sessions import challenge_of
from modelyard.domain.spelling import quoted
from modelyard.edge.cookies import Pending
from modelyard.edge.id_tokens import UnknownKey, claims_of, keys_of
from modelyard.edge.oidc import Oidc, is_loopback

try:
    import httpx
except ImportError as error:
    raise MissingDependency("people log in with more packages: pip install 'modelyard[oidc]'") from error

PATIENCE: Final = 10.0
"""Seconds for one answer of the provider."""

LARGEST: Final = 1024 * 1024
"""Bytes of one answer."""

FRESH: Final = 3600.0
"""Seconds for which what the provider offers, and its keys, are not asked for again: keys that it took back count for
so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the provider says of itself (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    by_post: bool
    says_issuer: bool


class Provider:
    """One provider. Thread-safe.

    Args:
        oidc: What was agreed.
        clock: Seconds that never go back.
    """

    def __init__(self, oidc: Oidc, clock: Callable[[], float] = time.monotonic) -> None:
        self.oidc, self._clock = oidc, clock
        self._lock = threading.Lock()
        self._offer: tuple[float, Offer] | None = None
        self._keys: tuple[float, list[Any]] | None = None

    # --- what it offers ----------------------------------------------------------------------------------------------

    def offer(self) -> Offer:
        """What it offers, asked at most once an hour.

        Raises:
            Unreachable: It does not answer, or is another than the one agreed on.
        """
        with self._lock:
            if self._offer is None or self._clock() - self._offer[0] >= FRESH:
                self._offer = self._clock(), self._asked_offer()
            return self._offer[1]

    def _asked_offer(self) -> Offer:
        said = self._json("GET", f"{self.oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.oidc.issuer:
            raise Unreachable(
                "the OpenID provider calls itself otherwise than security.oidc.issuer says; both must be the same, "
                "with or without a slash at the end"
            )
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Offer(
            authorization=_address(said, "authorization_endpoint"),
            token=_address(said, "token_endpoint"),
            jwks=_address(said, "jwks_uri"),
            userinfo=_address(said, "userinfo_endpoint") if "userinfo_endpoint" in said else "",
            by_post="client_secret_basic" not in methods,
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )

    def _known_keys(self, *, anew: bool = False) -> list[Any]:
        address = self.offer().jwks
        with self._lock:
            if anew or self._keys is None or self._clock() - self._keys[0] >= FRESH:
                self._keys = self._clock(), keys_of(self._json("GET", address))
            return self._keys[1]

    # --- one login ---------------------------------------------------------------------------------------------------

    def address(self, pending: Pending) -> str:
        """Where the browser goes to log in."""
        given = {
            "response_type": "code",
            "client_id": self.oidc.client_id,
            "redirect_uri": self.oidc.callback,
            "scope": " ".join(self.oidc.scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge_of(pending.verifier),
            "code_challenge_method": "S256",
        }
        offered = self.offer().authorization
        return f"{offered}{'&' if '?' in offered else '?'}{urlencode(given)}"

    def claims(self, pending: Pending, code: str, now: datetime) -> dict[str, Any]:
        """What the provider says of whoever logged in.

        Raises:
            NotAuthenticated: It does not take the code, or what it says must not be believed.
            Unreachable: It does not answer.
        """
        answer = self._exchanged(code, pending.verifier)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotAuthenticated(
                "the provider sent no ID token; is this client registered for OpenID Connect?"
            )
        claims = self._checked(token, pending.nonce, now)
        if self.oidc.groups_claim in claims and self.oidc.name_claim in claims:
            return claims
        return self._more(claims, answer.get("access_token"))

    def _checked(self, token: str, nonce: str, now: datetime) -> dict[str, Any]:
        """With the keys that are known, and once more with those of this moment."""
        expected: dict[str, Any] = {
            "issuer": self.oidc.issuer,
            "client_id": self.oidc.client_id,
            "nonce": nonce,
            "now": now,
        }
        try:
            return claims_of(token, self._known_keys(), **expected)
        except UnknownKey:
            pass
        try:
            return claims_of(token, self._known_keys(anew=True), **expected)
        except UnknownKey:
            raise NotAuthenticated(
                "the provider's ID token is signed by none of the provider's keys"
            ) from None

    def _exchanged(self, code: str, verifier: str) -> dict[str, Any]:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.oidc.callback,
            "code_verifier": verifier,
        }
        offer, oidc = self.offer(), self.oidc
        auth = None
        if oidc.client_secret and not offer.by_post:
            auth = (
                quote(oidc.client_id, safe=""),
                quote(oidc.client_secret, safe=""),
            )  # RFC 6749, section 2.3.1
        else:
            given["client_id"] = oidc.client_id
            if oidc.client_secret:
                given["client_secret"] = oidc.client_secret
        return self._json("POST", offer.token, data=given, auth=auth)

    def _more(self, claims: dict[str, Any], access_token: object) -> dict[str, Any]:
        """With what only the UserInfo endpoint says; what the signed token says goes first."""
        address = self.offer().userinfo
        if not address or not isinstance(access_token, str):
            return claims
        said = self._json("GET", address, headers={"Authorization": f"Bearer {access_token}"})
        if said.get("sub") != claims["sub"]:
            raise NotAuthenticated("the provider spoke of somebody else when it was asked for more")
        return {**said, **claims}

    # --- the wire ----------------------------------------------------------------------------------------------------

    def _json(self, method: str, address: str, **given: Any) -> dict[str, Any]:
        try:
            with (
                httpx.Client(timeout=PATIENCE, follow_redirects=False) as client,
                client.stream(method, address, **given) as answer,
            ):
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        raise Unreachable(f"the OpenID provider's answer is larger than {LARGEST:,} bytes")
        except httpx.HTTPError as error:
            raise Unreachable(f"the OpenID provider does not answer: {type(error).__name__}") from error
        return _understood(body, answer.status_code, method)


def _understood(body: bytes, status: int, method: str) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if status == 200 and isinstance(said, dict):
        return said
    if method == "POST" and status in (400, 401):
        why = said.get("error") if isinstance(said, dict) else None
        shown = f" ({quoted(why)})" if isinstance(why, str) else ""
        raise NotAuthenticated(f"the provider did not take the code{shown}; begin again at /login")
    raise Unreachable(f"the OpenID provider answered {status}, and nothing that can be understood")


def _address(said: Mapping[str, Any], name: str) -> str:
    """An endpoint; secrets go there, so it must be encrypted, or on this machine."""
    found = said.get(name)
    if isinstance(found, str):
        parts = urlsplit(found)
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return found
    raise Unreachable(f"the OpenID provider names no {name} that begins with https://")
