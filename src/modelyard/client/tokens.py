"""Requests for tokens from what people write (``writer on risk/*``), and lists of who may call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from modelyard.client.arguments import found
from modelyard.domain.errors import InvalidInput
from modelyard.domain.permissions import Grant, parse_grant
from modelyard.domain.records import Actor
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import LONGEST, Token
from modelyard.ports.metadata import Page
from modelyard.ports.service import CreateToken, RegistryService

T = TypeVar("T")
LIFE = 90.0
"""Days that a token lives unless it is said otherwise."""


def request(
    name: str,
    grants: Any,
    *,
    owner: str | None = None,
    service: bool = False,
    days: float | None = LIFE,
    reason: str | None = None,
) -> CreateToken:
    """What to ask for; see ``ModelRegistry.create_token``."""
    if service and owner is None:
        raise InvalidInput("owner: a token of a service needs the service's name, such as 'trainer'")
    return CreateToken(
        name=name,
        grants=tuple(_grants(grants)),
        owner=None if owner is None else Actor(name=owner, kind="service" if service else "user"),
        expires_at=None if days is None else _expiry(days),
        reason=reason or "",
    )


def _expiry(days: float) -> datetime:
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 < days <= LONGEST.days:
        raise InvalidInput(
            f"days: expected a number above 0 and up to {LONGEST.days}, or None for ever; found {found(days)}"
        )
    return datetime.now(UTC) + timedelta(days=days)


def _grants(given: Any) -> Iterator[Grant]:
    for item in given if isinstance(given, Sequence) and not isinstance(given, str) else [given]:
        if isinstance(item, Grant):
            yield item
        elif isinstance(item, str):
            yield parse_grant(item)
        else:
            raise InvalidInput(f"grants: expected text such as 'writer on risk/*', found {found(item)}")


def every(service: RegistryService) -> Iterator[Token]:
    """All tokens, in the order in which they were made."""
    return _pages(service.list_tokens)


def every_session(service: RegistryService) -> Iterator[Session]:
    """All sessions, person by person."""
    return _pages(service.list_sessions)


def _pages(ask: Callable[[int, str | None], Page[T]]) -> Iterator[T]:
    after: str | None = None
    while True:
        page = ask(500, after)
        yield from page.items
        if (after := page.next) is None:
            return
