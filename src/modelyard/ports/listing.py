"""Questions for all records of a kind, page by page, in the order of their own keys."""

from __future__ import annotations

from modelyard.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuery:
    """Tokens by id, which is the order in which they were made; expired and revoked ones included."""

    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Sessions by id, so that those of one person come together; those that are over included."""

    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptQuery:
    """Receipts by key, ascending."""

    limit: int = 100
    after: str | None = None
