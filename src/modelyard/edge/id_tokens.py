"""ID tokens: signed by a key of the pinned provider, with an algorithm of our list, for us, for this login, now.

The rules are those of OpenID Connect Core 1.0, section 3.1.3.7, and of RFC 8725. Whatever a token says about where its
key is to be found (``jku``, ``x5u``, ``jwk``, ``x5c``) is not looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from modelyard.domain.errors import MissingDependency, NotAuthenticated
from modelyard.domain.spelling import quoted

try:
    from joserfc import jws, jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
except ImportError as error:
    raise MissingDependency("people log in with more packages: pip install 'modelyard[oidc]'") from error

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key that only the provider has. ``none`` and the ones with a shared secret are not among them."""

KINDS: Final = (RSAKey, ECKey, OKPKey)
SMALLEST_RSA: Final = 2048
LEEWAY: Final = timedelta(seconds=60)
"""How far the clocks of provider and server may be apart."""

LONGEST: Final = 64 * 1024
"""Characters of an ID token."""


class UnknownKey(Exception):
    """The token is signed by a key that is not among those known: they may have been changed."""


def keys_of(document: object) -> list[Any]:
    """The keys of a JWK set that can verify a signature; others in it are passed over (RFC 7517, section 5)."""
    given = document.get("keys") if isinstance(document, dict) else None
    return [key for each in (given if isinstance(given, list) else ()) if (key := _key(each)) is not None]


def _key(data: object) -> Any:
    if not isinstance(data, dict) or data.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if data.get("use", "sig") != "sig" or data.get("alg", ALGORITHMS[0]) not in ALGORITHMS:
        return None
    if data.get("kty") == "RSA" and len(str(data.get("n", ""))) * 6 < SMALLEST_RSA:
        return None  # weighed before it is read: 6 bits a character
    try:
        return JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def claims_of(
    token: str, keys: Sequence[Any], *, issuer: str, client_id: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """What a token says, once all of it was checked.

    Raises:
        UnknownKey: None of the keys has signed it, by its id.
        NotAuthenticated: It must not be believed; the message says why.
    """
    if len(token) > LONGEST:
        raise NotAuthenticated("the provider's ID token is too large")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise NotAuthenticated("the provider's ID token is not a signed JWT") from error
    key = _chosen(keys, header)
    try:
        claims = jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError) as error:
        raise NotAuthenticated(f"the signature of the provider's ID token does not hold: {error}") from error
    for wrong in _wrong(claims, issuer, client_id, nonce, now):
        raise NotAuthenticated(
            f"the provider's ID token must not be believed: {wrong}; begin again at /login"
        )
    return claims


def _chosen(keys: Sequence[Any], header: dict[str, Any]) -> Any:
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise NotAuthenticated(
            f"the provider's ID token is signed by {quoted(str(algorithm))}; expected one of {', '.join(ALGORITHMS)}"
        )
    kid = header.get("kid")
    found = [key for key in keys if kid is None or key.as_dict().get("kid") == kid]
    if kid is None and len(found) > 1:
        raise NotAuthenticated("the provider's ID token does not say which of several keys signed it")
    if not found:
        raise UnknownKey
    return found[0]


def _wrong(claims: dict[str, Any], issuer: str, client_id: str, nonce: str, now: datetime) -> Iterable[str]:
    """What of the claims is not as it has to be."""
    if claims.get("iss") != issuer:
        yield f"it was issued by {quoted(str(claims.get('iss')))}, not by {quoted(issuer)}"
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    if client_id not in meant:
        yield "it was made for another client"
    party = claims.get("azp")
    if (party is not None and party != client_id) or (len(meant) > 1 and party is None):
        yield "another client may use it"
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        yield "it belongs to another login"
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        yield "it does not say whom it is about"
    yield from _wrong_times(claims, now)


def _wrong_times(claims: dict[str, Any], now: datetime) -> Iterable[str]:
    expires, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    if not _is_number(expires) or moment >= expires + leeway:  # type: ignore[operator]
        yield "it has expired"
    if not _is_number(issued) or issued > moment + leeway:  # type: ignore[operator]
        yield "it does not say when it was made, or in the future"
    if begins is not None and (not _is_number(begins) or begins > moment + leeway):
        yield "it does not hold yet"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
