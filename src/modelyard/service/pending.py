"""Records as they will be when a commit in the making has landed: what the next decision of a batch looks at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from modelyard.domain import events
from modelyard.domain.names import fold
from modelyard.domain.query_eval import evaluate, order_key
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move, Receipt
from modelyard.domain.versioning import label_key
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    Guard,
    Key,
    LabelKey,
    MetadataStore,
    ModelKey,
    MoveQuery,
    NumberKey,
    Page,
    Put,
    ReceiptKey,
    Record,
    SlugKey,
    Tally,
    TallyQuery,
    VersionKey,
    VersionQuery,
)
from modelyard.service.draft import Draft
from modelyard.service.pages import every

AT_ONCE: Final = 500
"""Rows that are asked for in one question."""


class Pending:
    """The reading half of a ``MetadataStore``, with the drafts of registrations laid over what is stored.

    Args:
        store: What is stored.
    """

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._records: dict[Key, Record] = {}
        self._expected: dict[Key, int] = {}
        self._guards: list[Guard] = []
        self._log: list[Event] = []
        self._blobs: dict[str, Blob | None] = {}
        self._new: list[Record] = []
        self._totals: dict[TallyQuery, tuple[int, int, int]] = {}

    def foresee(self, digests: Iterable[str]) -> None:
        """Read the rows of bytes that will be asked for, many at a time: a server answers each question in a trip."""
        names = sorted(set(digests))
        for start in range(0, len(names), AT_ONCE):
            some = tuple(names[start : start + AT_ONCE])
            rows = self._store.find(BlobQuery(among=some, limit=len(some))).items
            self._blobs |= dict.fromkeys(some) | {row.digest: row for row in rows}

    def take(self, draft: Draft) -> None:
        """Lay one more draft over the others."""
        for put in draft.records:
            first, *others = keys_of(put.record)
            if first not in self._expected:
                self._expected[first] = put.expected
                self._new += [] if put.expected and not self._was_collected(put.record) else [put.record]
            self._records |= dict.fromkeys((first, *others), put.record)
        self._guards += draft.guards
        self._log += draft.log

    def _was_collected(self, record: Record) -> bool:
        """True of bytes of which only the row was left, which no sum counts."""
        row = self._blobs.get(record.digest) if isinstance(record, Blob) else None
        return row is not None and row.state == "deleted"

    def draft(self) -> Draft | None:
        """All of it as one: each record once, as it is at the end; ``None`` if nothing changed."""
        if not self._log:
            return None
        draft = Draft(log=list(self._log), guards=list(self._guards))
        for key, expected in self._expected.items():
            record = replace(self._records[key], revision=expected + 1)
            draft.records.append(Put(record=record, expected=expected))
        return draft

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        """The record with that key as it will be, or ``None``; of a model that is not stored there is no version."""
        if key in self._records:
            return self._records[key]
        if isinstance(key, BlobKey) and key.digest in self._blobs:
            return self._blobs[key.digest]
        if isinstance(key, NumberKey | LabelKey) and self._expected.get(ModelKey(key.model_key)) == 0:
            return None
        return self._store.get(key)

    def find(self, query: Any) -> Page[Any]:
        """As the store answers, what is pending included; versions then come on one page, however many."""
        if isinstance(query, VersionQuery):
            return self._found(query)
        if isinstance(query, TallyQuery):
            return self._tally(query)
        return self._moves(query) if isinstance(query, MoveQuery) else self._store.find(query)

    def _tally(self, query: TallyQuery) -> Page[Tally]:
        """All in one sum. What is stored is counted once, and what is new once, however many entries ask."""
        count, size, seen = self._totals.get(query) or self._stored(query)
        kind = {"model": Model, "blob": Blob}.get(query.by, ModelVersion)
        for one in self._new[seen:]:
            if isinstance(one, kind) and _within(one, query):
                count, size = count + 1, size + getattr(one, "size", 0)
        self._totals[query] = count, size, len(self._new)
        return Page(items=(Tally(value=query.by, count=count, size=size),))

    def _stored(self, query: TallyQuery) -> tuple[int, int, int]:
        tallies = self._store.find(query).items
        return sum(tally.count for tally in tallies), sum(tally.size for tally in tallies), 0

    def _found(self, query: VersionQuery) -> Page[ModelVersion]:
        changed = self._versions()
        if not changed:
            return self._store.find(query)
        stored = every(self._store, query)
        kept = [version for version in stored if version.model_id not in changed]
        return Page(items=tuple(_ordered([*kept, *_asked(changed.values(), query)], query)))

    def _versions(self) -> dict[str, ModelVersion]:
        records = self._records.values()
        return {record.model_id: record for record in records if isinstance(record, ModelVersion)}

    def _moves(self, query: MoveQuery) -> Page[Move]:
        """What is pending is newer than all that is stored, so it comes before the first stored page."""
        page = self._store.find(query)
        if query.after is not None:
            return page
        found = [
            move
            for event in reversed(self._log)
            if fold(event.model) == query.model_key
            for move in events.moves(event)
            if move.pointer == query.pointer and (query.until is None or move.at <= query.until)
        ]
        return Page(items=(*found, *page.items), next=page.next)


def _within(record: Record, query: TallyQuery) -> bool:
    if not isinstance(record, ModelVersion):
        return True
    key = fold(record.name)
    below = query.namespace is None or key.startswith(f"{query.namespace}/")
    return query.model_key in (None, key) and below


def _asked(changed: Iterable[ModelVersion], query: VersionQuery) -> list[ModelVersion]:
    """Of the versions that a registration makes or changes, those that satisfy a query; none of them is deleted."""
    return [
        version
        for version in changed
        if query.model_key in (None, fold(version.name))
        and query.digest in (None, version.digest)
        and not query.deleted
        and (query.where is None or evaluate(query.where, version))
    ]


def _ordered(found: list[ModelVersion], query: VersionQuery) -> list[ModelVersion]:
    """As the query asks, ties broken by ``model_id`` descending."""
    found.sort(key=lambda version: version.model_id, reverse=True)
    if query.order:
        return sorted(found, key=lambda version: [order_key(order, version) for order in query.order])
    return sorted(found, key=lambda version: version.created_at, reverse=True)


def keys_of(record: Record) -> tuple[Key, ...]:
    """Every key that names one of the records that a registration writes, the one for good first."""
    if isinstance(record, ModelVersion):
        model = fold(record.name)
        label = LabelKey(model, label_key(record.version))
        return VersionKey(record.model_id), NumberKey(model, record.number), label
    if isinstance(record, Model):
        return ModelKey(record.key), SlugKey(record.slug)
    if isinstance(record, Receipt):
        return (ReceiptKey(record.key),)
    return (BlobKey(record.digest),)  # type: ignore[union-attr]
