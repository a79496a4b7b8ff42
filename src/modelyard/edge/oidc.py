"""What is agreed with an OpenID Connect provider, and who somebody is by what it says of them."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from modelyard.domain.errors import InvalidConfig, InvalidInput, NotAuthenticated
from modelyard.domain.permissions import Grant, parse_grant
from modelyard.domain.sessions import Person, person_key
from modelyard.domain.spelling import quoted
from modelyard.settings.model import OidcSettings

ARROW: Final = "->"
EVERYBODY: Final = "*"
USUAL: Final = ("email", "profile")
"""Scopes that are asked for unless others are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """The agreement.

    Attributes:
        issuer: The provider, as it calls itself.
        base: How browsers reach this server, without a slash at the end.
        grants: Pairs of a group and what it may do.
        life: How long a session or a program's token lives.
        idle: How long a session lives without use.
        key: Signs what a browser keeps while it is at the provider. All workers share it.
    """

    issuer: str
    client_id: str
    base: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid",)
    name_claim: str = "email"
    groups_claim: str = "groups"
    grants: tuple[tuple[str, Grant], ...] = ()
    life: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def callback(self) -> str:
        """Where the provider sends people back to; it has to be told so."""
        return f"{self.base}/login/callback"

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.base.startswith("https://")


def agreed(settings: OidcSettings, public_url: str | None) -> Oidc | None:
    """The agreement that the settings describe; ``None``: people do not log in here.

    Raises:
        InvalidConfig: Something is missing or unsafe.
    """
    if settings.issuer is None:
        return None
    if settings.client_id is None:
        raise InvalidConfig(
            "security.oidc.client_id: expected what the provider calls this server, found nothing"
        )
    if public_url is None:
        raise InvalidConfig(
            "server.public_url: expected the address to which the provider sends people back, found nothing; set it, "
            "or give --public-url"
        )
    _check_encrypted("security.oidc.issuer", settings.issuer)
    _check_encrypted("server.public_url", public_url)
    secret = _secret(settings)
    return Oidc(
        issuer=settings.issuer,
        client_id=settings.client_id,
        client_secret=secret,
        base=public_url.rstrip("/"),
        scopes=tuple(dict.fromkeys(("openid", *(settings.scopes or USUAL)))),
        name_claim=settings.name_claim,
        groups_claim=settings.groups_claim,
        grants=mapped(settings.grants),
        life=timedelta(hours=settings.hours),
        idle=timedelta(minutes=settings.idle_minutes),
        key=_key(secret),
    )


def _check_encrypted(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return
    raise InvalidConfig(f"{name}: expected an address that begins with https://, since people log in over it")


def is_loopback(host: str) -> bool:
    """Whether only this machine is meant."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(settings: OidcSettings) -> str:
    if settings.client_secret is not None or settings.client_secret_file is None:
        return settings.client_secret or ""
    try:
        return Path(settings.client_secret_file).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise InvalidConfig(
            f"security.oidc.client_secret_file: {settings.client_secret_file!r} cannot be read: {error}"
        ) from error


def _key(secret: str) -> bytes:
    """From the secret, so that several machines in front of one registry agree; without one, of this start only."""
    if not secret:
        return secrets.token_bytes(32)
    return hmac.new(secret.encode(), b"modelyard login cookie", hashlib.sha256).digest()


def mapped(lines: Iterable[str]) -> tuple[tuple[str, Grant], ...]:
    """``ml-team -> writer on risk/*`` as group and grant.

    In a variable a list's items are separated by commas, which a grant may hold too: what has no arrow goes on with
    the item before.

    Raises:
        InvalidConfig: A line has another form, or is about a role that is not there.
    """
    whole: list[str] = []
    for line in lines:
        if ARROW not in line and whole:
            whole[-1] += f", {line.strip()}"
        else:
            whole.append(line)
    return tuple(_pair(line) for line in whole)


def _pair(line: str) -> tuple[str, Grant]:
    group, arrow, grant = (part.strip() for part in line.rpartition(ARROW))
    if not (group and arrow):
        raise InvalidConfig(
            "security.oidc.grants: expected 'GROUP -> GRANT', such as 'ml-team -> writer on risk/*', found "
            f"{quoted(line)}"
        )
    try:
        return group, parse_grant(grant)
    except InvalidInput as error:
        raise InvalidConfig(f"security.oidc.grants: in {quoted(line)}: {error.detail}") from error


# --- who it is -------------------------------------------------------------------------------------------------------


def person(oidc: Oidc, claims: Mapping[str, Any]) -> Person:
    """Who somebody is. Their grants may be none.

    Raises:
        NotAuthenticated: The claims do not name them.
    """
    groups = groups_of(claims.get(oidc.groups_claim))
    grants = dict.fromkeys(grant for group, grant in oidc.grants if group == EVERYBODY or group in groups)
    return Person(
        key=person_key(oidc.issuer, str(claims["sub"])), name=_name(oidc, claims), grants=tuple(grants)
    )


def groups_of(claim: object) -> frozenset[str]:
    """Group names: a list of texts, or one text."""
    if isinstance(claim, str):
        return frozenset({claim})
    if isinstance(claim, list):
        return frozenset(each for each in claim if isinstance(each, str))
    return frozenset()


def _name(oidc: Oidc, claims: Mapping[str, Any]) -> str:
    """An address that nobody verified may be somebody else's, so it names nobody."""
    found = claims.get(oidc.name_claim)
    if not isinstance(found, str) or not found.strip() or found != found.strip() or not found.isprintable():
        raise NotAuthenticated(
            f"the provider did not say the claim {quoted(oidc.name_claim)} by which people are named here; whoever "
            "runs this server sets security.oidc.name_claim or security.oidc.scopes"
        )
    if oidc.name_claim != "email":
        return found
    if claims.get("email_verified") is not True:
        raise NotAuthenticated(
            "the provider did not verify your e-mail address, by which people are named here; verify it there, or ask "
            "whoever runs this server to set security.oidc.name_claim"
        )
    return found.casefold()
