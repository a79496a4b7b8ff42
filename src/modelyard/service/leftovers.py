"""Dropping records that only served to recognise somebody or something, once they are past that."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from modelyard.domain import leftovers
from modelyard.domain.answers import Forgotten
from modelyard.domain.errors import Conflict
from modelyard.ports.metadata import (
    Changes,
    Drop,
    ReceiptKey,
    ReceiptQuery,
    SessionKey,
    SessionQuery,
    TokenKey,
    TokenQuery,
)
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

Drops: TypeAlias = Iterator[Drop]
AT_ONCE = 200
"""Records dropped in one commit: a few thousand would keep a database's other writers waiting."""


def due(service: LocalService) -> Forgotten:
    """What dropping at this moment would drop. Reads every such record: a preview may take its time."""
    return Forgotten(
        receipts=sum(1 for _ in _receipts(service)),
        sessions=sum(1 for _ in _sessions(service)),
        tokens=sum(1 for _ in _tokens(service)),
    )


def forget(service: LocalService) -> Forgotten:
    """Drop them."""
    return Forgotten(
        receipts=_drop(service, _receipts(service)),
        sessions=_drop(service, _sessions(service)),
        tokens=_drop(service, _tokens(service)),
    )


def _receipts(service: LocalService) -> Drops:
    now = service.clock.now()
    for each in every(service.store, ReceiptQuery()):
        if leftovers.is_past(each, now):
            yield Drop(key=ReceiptKey(each.key), expected=each.revision)


def _sessions(service: LocalService) -> Drops:
    now = service.clock.now()
    for each in every(service.store, SessionQuery()):
        if leftovers.is_forgotten(each, now):
            yield Drop(key=SessionKey(each.session_id), expected=each.revision)


def _tokens(service: LocalService) -> Drops:
    """The oldest stays: that there is one keeps a restart from handing out another first administrator's token."""
    now = service.clock.now()
    for each in islice(every(service.store, TokenQuery()), 1, None):
        if leftovers.is_spent(each, now):
            yield Drop(key=TokenKey(each.token_id), expected=each.revision)


def _drop(service: LocalService, drops: Drops) -> int:
    """How many went. Who uses one of them in this moment keeps it."""
    done = 0
    while some := tuple(islice(drops, AT_ONCE)):
        try:
            service.store.commit(Changes(drops=some))
            done += len(some)
        except Conflict:
            done += sum(_drop_one(service, each) for each in some)
    return done


def _drop_one(service: LocalService, drop: Drop) -> bool:
    try:
        service.store.commit(Changes(drops=(drop,)))
    except Conflict:
        return False
    return True
