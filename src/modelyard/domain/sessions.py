"""What a person has who logged in: a session of a browser, or a code that a program exchanges for a token.

Of both only the SHA-256 is kept, as with tokens. A person has so many places for them and no more: a login takes a free
place, or that of the session which was used the longest ago. So nothing has to be cleaned up, and whoever logs in again
and again fills no database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from modelyard.domain.canonical import fingerprint
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import NotAuthenticated
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor

RANDOM: Final = 32
"""Random bytes in a secret."""

PLACES: Final = 10
"""Sessions and codes that one person has at the same time."""

CODE_LIFE: Final = timedelta(minutes=5)
"""How long a program may take to fetch its token: as long as somebody needs to compare two words."""

USED_EVERY: Final = timedelta(minutes=1)
"""How often at most the last use is written down."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who logged in, as the provider vouches for them.

    Attributes:
        key: The provider and its own lasting name for them; see ``person_key``.
        name: What the history calls them.
        grants: What their groups give them, asked anew at each login.
    """

    key: str
    name: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One place of a person, taken.

    Attributes:
        session_id: ``<person key>.<place>``; says nothing about the secret.
        digest: SHA-256 of the secret, 64 hex digits.
        ends_at: From then on it is refused, however busy it was.
        idle_seconds: It ends when nobody used it for so long.
        used_at: When it was last used, to the minute.
        challenge: S256 challenge (RFC 7636) of the program that may exchange it for a token; empty: it is a session.
        ended_at: Since when it is refused: logged out, or exchanged.
    """

    session_id: str
    digest: str
    owner: Actor
    grants: tuple[Grant, ...]
    opened_at: datetime
    used_at: datetime
    ends_at: datetime
    idle_seconds: int
    challenge: str = ""
    ended_at: datetime | None = None
    revision: int = 0

    def state(self, now: datetime) -> str:
        """``open``, ``over`` (too old, or unused for too long) or ``ended``."""
        if self.ended_at is not None:
            return "ended"
        return "open" if self.is_open(now) else "over"

    @property
    def person(self) -> str:
        """What stands for the person whatever they are called; see ``person_key``."""
        return self.session_id.rpartition(".")[0]

    def is_open(self, now: datetime) -> bool:
        """Whether it still counts: not ended, not too old, not idle for too long."""
        idle = now - self.used_at >= timedelta(seconds=self.idle_seconds)
        return self.ended_at is None and now < self.ends_at and not idle


def person_key(issuer: str, subject: str) -> str:
    """What stands for a person whatever they are called: only both together are unique (OpenID Connect Core, 5.7)."""
    return fingerprint([issuer, subject]).removeprefix("sha256:")[:32]


def place_id(person: str, place: int) -> str:
    """The ``session_id`` of a place."""
    return f"{person}.{place}"


def place_to_take(taken: Sequence[Session | None], now: datetime) -> int:
    """A place that is free, or the one used the longest ago."""
    for place, session in enumerate(taken):
        if session is None or not session.is_open(now):
            return place
    return min(range(len(taken)), key=lambda place: _used(taken[place]))


def outdated(taken: Sequence[Session | None], newest: Session, now: datetime) -> list[Session]:
    """Sessions of the same person with other grants than the newest has: their groups have changed since."""
    return [
        each
        for each in taken
        if each is not None
        and each.session_id != newest.session_id
        and each.is_open(now)
        and each.grants != newest.grants
    ]


def _used(session: Session | None) -> float:
    return session.used_at.timestamp() if session is not None else 0.0


# --- secrets ---------------------------------------------------------------------------------------------------------


def write_secret(random: bytes) -> str:
    """32 random bytes in 43 characters that cookies and addresses take as they are."""
    return base64.urlsafe_b64encode(random).decode("ascii").rstrip("=")


def digest_of(secret: str) -> str:
    """What is kept of a secret.

    Raises:
        NotAuthenticated: It has another form. It is not repeated.
    """
    if _SECRET.fullmatch(secret) is None:
        raise NotAuthenticated("this is no session of this server; log in again")
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def require_open(session: Session | None, digest: str, now: datetime) -> Session:
    """The session that a presented secret belongs to.

    Raises:
        NotAuthenticated: There is none, or it is over, or it is a code.
    """
    if session is None or session.challenge or not hmac.compare_digest(session.digest, digest):
        raise NotAuthenticated("this server knows no such session; log in")
    if not session.is_open(now):
        raise NotAuthenticated("the session is over; log in again")
    return session


def require_exchangeable(session: Session | None, digest: str, verifier: str, now: datetime) -> Session:
    """The code that a program presents, which must be the program that asked for it.

    Raises:
        NotAuthenticated: There is none, it is over or was exchanged, or another program asked for it.
    """
    known = session is not None and session.challenge and hmac.compare_digest(session.digest, digest)
    if session is None or not known or not session.is_open(now):
        raise NotAuthenticated("this code is unknown, too old or used up; run the login again")
    if not hmac.compare_digest(challenge_of(verifier), session.challenge):
        raise NotAuthenticated("another program asked for this code; run the login again")
    return session


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2); empty for what is none."""
    if _VERIFIER.fullmatch(verifier) is None:
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode().rstrip("=")


def is_challenge(text: str) -> bool:
    """Whether it has the form of an S256 challenge."""
    return _CHALLENGE.fullmatch(text) is not None


def words_of(challenge: str) -> str:
    """Eight letters that a person compares: what the program shows with what the page shows."""
    found = base64.b32encode(hashlib.sha256(challenge.encode("utf-8", "replace")).digest()).decode()
    return f"{found[:4]}-{found[4:8]}"
