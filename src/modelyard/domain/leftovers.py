"""How long what is only remembered for a while stays: answers to repeated requests, logins, tokens that ended.

What ended stays in the history; these records only serve to recognise somebody or something, and once nobody can be
recognised by them any more they would fill the database for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from modelyard.domain.records import Receipt
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token

KEYS_COUNT: Final = timedelta(days=90)
"""How long an idempotency key gives the first answer again. After that it is a new key, collected or not, so that what
happens never depends on when somebody cleaned up."""

UPLOADED_LATELY: Final = timedelta(days=1)
"""How long it counts that somebody sent bytes; after that they have to be sent again or be readable."""

LOGINS_COUNT: Final = timedelta(days=1)
"""How long a completed login is known as such. It has to be completed within minutes of its beginning."""

SESSIONS_STAY: Final = timedelta(days=1)
"""How long a session that is over is still listed."""

TOKENS_STAY: Final = timedelta(days=90)
"""How long a token that ended is still listed."""

IDEMPOTENCY, UPLOAD, LOGIN = "idem:", "upload:", "login:"
"""What keys of receipts begin with. Others, such as how far a work has come, are kept for ever."""

_LIVES: Final[Mapping[str, timedelta]] = {
    IDEMPOTENCY: KEYS_COUNT,
    UPLOAD: UPLOADED_LATELY,
    LOGIN: LOGINS_COUNT,
}


def is_past(receipt: Receipt, now: datetime) -> bool:
    """Whether a receipt does not count any more."""
    life = _LIVES.get(receipt.key[: receipt.key.find(":") + 1])
    return life is not None and now - receipt.at > life


def is_forgotten(session: Session, now: datetime) -> bool:
    """Whether a session was over for so long that nobody asks for it."""
    idle = session.used_at + timedelta(seconds=session.idle_seconds)
    return min(session.ends_at, idle, session.ended_at or idle) + SESSIONS_STAY < now


def is_spent(token: Token, now: datetime) -> bool:
    """Whether a token ended so long ago that nobody asks for it."""
    ends = [each for each in (token.expires_at, token.revoked_at) if each is not None]
    return bool(ends) and min(ends) + TOKENS_STAY < now
