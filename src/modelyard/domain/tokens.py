"""API tokens: what a secret looks like, and what is kept of it.

A secret is ``my_``, 32 random bytes in 43 characters of base 62, and six more characters that are their CRC-32. The
prefix lets scanners of source code find it, the checksum tells a slip apart from an unknown token without a look-up
(the form that GitHub describes for its tokens). Only the secret's SHA-256 is kept: of 256 random bits nothing can be
guessed back, so a slow hash would cost time and protect nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from datetime import datetime, timedelta
from typing import Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, NotAuthenticated
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor
from modelyard.domain.text import check_text

PREFIX: Final = "my_"
RANDOM: Final = 32
"""Random bytes in a secret."""

NAME_LENGTH: Final = 200
LONGEST: Final = timedelta(days=3660)
"""The longest life that may be asked for; without an expiry a token lives until it is revoked."""

USED_EVERY: Final = timedelta(minutes=1)
"""How often at most the last use is written down."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY: Final = 43  # 62 ** 43 > 2 ** 256
_CHECK: Final = 6  # 62 ** 6 > 2 ** 32
_SECRET: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECK}}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token.

    Attributes:
        token_id: A ULID; says nothing about the secret.
        name: What it is for, as people call it.
        owner: Who acts when it is used: a person (``kind="user"``) or a program (``kind="service"``).
        grants: What it may do; nothing else.
        digest: SHA-256 of the secret, 64 hex digits; empty wherever a token is shown.
        expires_at: From then on it is refused; ``None``: never.
        used_at: When it was last used, to the minute; ``None``: never.
        revoked_at: Since when it is refused; ``None``: it is not revoked.
        first: It is the first administrator's. What it makes may outlive it: to make lasting ones is what it is for.
    """

    token_id: str
    name: str
    owner: Actor
    grants: tuple[Grant, ...]
    created_at: datetime
    created_by: str
    digest: str = ""
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    first: bool = False
    revision: int = 0

    def state(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token just made, with its secret, which nobody can show again."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(token={self.token!r}, secret='{PREFIX}...')"


# --- secrets ---------------------------------------------------------------------------------------------------------


def write_secret(random: bytes) -> str:
    """The secret over 32 random bytes."""
    body = _base62(int.from_bytes(random), _BODY)
    return PREFIX + body + _checksum(body)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECK)


def digest_of(secret: str) -> str:
    """What is kept of a secret.

    Raises:
        NotAuthenticated: It cannot be one of ours: another form, or a character is wrong. The secret is not repeated.
    """
    if _SECRET.fullmatch(secret) is None:
        raise NotAuthenticated(
            f"this is no token of a modelyard server: one begins with {PREFIX!r} and has "
            f"{len(PREFIX) + _BODY + _CHECK} characters; was it copied whole?"
        )
    body, check = secret[len(PREFIX) : -_CHECK], secret[-_CHECK:]
    if not hmac.compare_digest(_checksum(body), check):
        raise NotAuthenticated("the token has a slip in it: its checksum does not fit; copy it again")
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def require_valid(token: Token | None, digest: str, now: datetime) -> Token:
    """The token that a presented secret belongs to.

    Args:
        token: What was found under the digest.
        digest: Of the secret that was presented.

    Raises:
        NotAuthenticated: There is none, or it is expired or revoked. Whoever holds the secret of a token may learn
            which; a guess is only ever unknown.
    """
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise NotAuthenticated("this registry knows no such token; ask its administrators for one")
    state = token.state(now)
    if state != "valid":
        at = token.revoked_at if state == "revoked" else token.expires_at
        raise NotAuthenticated(
            f"the token {'was revoked' if state == 'revoked' else 'expired'} at {at:%Y-%m-%d %H:%M} UTC; "
            "ask for a new one"
        )
    return token


# --- what may be asked for -------------------------------------------------------------------------------------------


def check_name(name: str) -> str:
    """A token's name: 1 to 200 characters without control characters, no space at either end.

    Raises:
        InvalidInput: Anything else.
    """
    if not isinstance(name, str) or not name.strip() or name != name.strip() or len(name) > NAME_LENGTH:
        raise InvalidInput(
            f"name: a token needs a name of 1 to {NAME_LENGTH} characters that says what it is for, such as "
            "'nightly training'",
            data={"field": "name"},
        )
    if "\n" in name or "\t" in name:
        raise InvalidInput("name: a token's name is one line", data={"field": "name"})
    return check_text(name, NAME_LENGTH)


def check_owner(owner: Actor) -> Actor:
    """Who a token acts as: a name of 1 to 200 characters, ``user`` or ``service``.

    Raises:
        InvalidInput: Anything else.
    """
    if owner.kind not in ("user", "service"):
        raise InvalidInput(
            f"owner.kind: expected 'user' or 'service', found {owner.kind!r:.80}", data={"field": "owner"}
        )
    name = owner.name
    if not isinstance(name, str) or not name.strip() or name != name.strip() or len(name) > NAME_LENGTH:
        raise InvalidInput(
            f"owner.name: expected 1 to {NAME_LENGTH} characters, found {name!r:.80}", data={"field": "owner"}
        )
    check_text(name, NAME_LENGTH)
    return owner


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """An expiry lies in the future, and not absurdly far.

    Raises:
        InvalidInput: It does not, or has no time zone.
    """
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise InvalidInput("expires_at: a time needs a zone, such as 2027-01-01T00:00:00Z")
    if not now < expires_at <= now + LONGEST:
        raise InvalidInput(
            f"expires_at: expected a moment after {now:%Y-%m-%dT%H:%M:%SZ} and at most {LONGEST.days} days "
            f"later, found {expires_at:%Y-%m-%dT%H:%M:%SZ}",
            data={"field": "expires_at"},
        )
