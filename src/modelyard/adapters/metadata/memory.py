"""Records in dictionaries: the oracle that every other store is compared with, and a registry without a disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, TypeVar, cast

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata.changes import (
    check_form,
    check_tally,
    describe,
    key_of,
    other_keys,
    stale,
    taken,
)
from modelyard.adapters.metadata.rows import copied, decode_version, dump, encode_version, micros
from modelyard.adapters.metadata.terms import holder_key, model_search, single_stages, version_files
from modelyard.domain.events import moves, subjects
from modelyard.domain.names import fold
from modelyard.domain.query import Field, Order, evaluate, order_key
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move
from modelyard.ports.metadata import (
    BlobQuery,
    Changes,
    EventQuery,
    Key,
    ModelKey,
    ModelQuery,
    MoveQuery,
    Page,
    Positioned,
    Record,
    Tally,
    TallyQuery,
    VersionQuery,
)

T = TypeVar("T")
NEWEST_FIRST = (Order(Field("created"), True),)


class MemoryMetadata:
    """A :class:`~modelyard.ports.metadata.MetadataStore` in memory; one lock, nothing outlives the process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._records: dict[Key, Record] = {}
        self._aliases: dict[Key, Key] = {}  # slug, number, label -> the key that names the record for good
        self._log: list[Positioned] = []

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        """The record with that key, or ``None``."""
        with self._lock:
            return self._records.get(self._aliases.get(key, key))

    def find(self, query: Any) -> Page[Any]:
        """One page of the answer to ``query``."""
        with self._lock:
            return _FINDERS[type(query)](self, query)

    def events(self, after: int, limit: int) -> Sequence[Positioned]:
        """Positions are places in one list, so nothing can be skipped."""
        with self._lock:
            return tuple(self._log[max(after, 0) : max(after, 0) + limit])

    def _all(self, kind: type[T]) -> list[T]:
        return [record for record in self._records.values() if isinstance(record, kind)]

    def _find_versions(self, query: VersionQuery) -> Page[ModelVersion]:
        order = query.order or NEWEST_FIRST
        found = [version for version in self._all(ModelVersion) if _asked(version, query)]
        found.sort(key=lambda version: _place(version, order))
        if query.after is not None:
            last = decode_version(json.loads(_text(query, query.after)))
            found = [version for version in found if _place(version, order) > _place(last, order)]
        return _page(query, found, lambda version: dump(encode_version(version)))

    def _find_models(self, query: ModelQuery) -> Page[Model]:
        word = fold(query.contains)
        found = [model for model in self._all(Model) if word in model_search(model)]
        return _keyed_page(query, found, lambda model: [model.name, model.key])

    def _find_moves(self, query: MoveQuery) -> Page[Move]:
        found = [
            move
            for event in self._chain(query.model_key)
            for move in moves(event)
            if move.pointer == query.pointer and (query.until is None or move.at <= query.until)
        ]
        return _keyed_page(query, found, lambda move: [-micros(move.at), -move.sequence])

    def _find_events(self, query: EventQuery) -> Page[Event]:
        sign = -1 if query.newest_first else 1
        found = [
            item
            for item in self._log
            if (query.model_key is None or fold(item.event.model) == query.model_key)
            and (not query.subject or query.subject in subjects(item.event))
            and (query.until is None or item.event.at <= query.until)
        ]
        page = _keyed_page(
            query, found, lambda p: [sign * (p.position if query.model_key is None else p.event.sequence)]
        )
        return Page(items=tuple(item.event for item in page.items), next=page.next)

    def _find_blobs(self, query: BlobQuery) -> Page[Blob]:
        named = {digest for version in self._all(ModelVersion) for digest in version_files(version)}
        found = [
            blob
            for blob in self._all(Blob)
            if query.digest in (None, blob.digest)
            and not (query.unreferenced and blob.digest in named)
            and (query.idle_since is None or blob.touched_at <= query.idle_since)
            and query.state in (None, blob.state)
        ]
        return _keyed_page(query, found, lambda blob: [blob.digest])

    def _tally(self, query: TallyQuery) -> Page[Tally]:
        check_tally(query)
        if query.by == "model":
            return _total("models", [0 for _ in self._all(Model)])
        if query.by == "blob":
            return _total("blobs", [b.size for b in self._all(Blob) if b.state != "deleted"])
        counts: dict[str, tuple[int, int]] = {}
        for version in self._all(ModelVersion):
            if not _hidden(version) and query.model_key in (None, fold(version.name)):
                count, size = counts.get(value := str(getattr(version, query.by)), (0, 0))
                counts[value] = count + 1, size + version.size
        rows = sorted(counts.items(), key=lambda row: (-row[1][0], row[0]))[: query.limit]
        return Page(items=tuple(Tally(value=v, count=count, size=size) for v, (count, size) in rows))

    def _chain(self, model_key: str) -> Iterable[Event]:
        return (item.event for item in self._log if fold(item.event.model) == model_key)

    def alone(self) -> AbstractContextManager[object]:
        """The one lock."""
        return self._lock

    # --- writing -----------------------------------------------------------------------------------------------------

    def commit(self, changes: Changes) -> None:
        """Check everything, then change everything: nothing between can fail."""
        check_form(changes)
        with self._lock:
            for guard in changes.guards:
                self._expect(guard.key, guard.expected)
            for drop in changes.drops:
                self._expect(drop.key, drop.expected)
            for put in changes.puts:
                self._expect(key_of(put.record), put.expected)
            after = {key_of(put.record): copied(put.record) for put in changes.puts}
            self._check_unique(after)
            self._check_holders(after)
            self._check_sequences(changes.events)
            self._apply(changes, after, [copied(event) for event in changes.events])

    def _apply(self, changes: Changes, after: dict[Key, Record], events: list[Event]) -> None:
        for key, record in after.items():
            if (before := self._records.get(key)) is not None:
                for other in other_keys(before):
                    self._aliases.pop(other, None)
            self._records[key] = record
        for key, record in after.items():
            self._aliases.update((other, key) for other in other_keys(record))
        for drop in changes.drops:
            del self._records[drop.key]
        for event in events:
            self._log.append(Positioned(position=len(self._log) + 1, event=event))

    def _expect(self, key: Key, expected: int) -> None:
        record = self.get(key)
        found = 0 if record is None else record.revision
        if found != expected:
            raise stale(key, expected, found)

    def _check_unique(self, after: dict[Key, Record]) -> None:
        claims: dict[Key, Key] = {}
        for key, record in after.items():
            for other in other_keys(record):
                owner = claims.setdefault(other, self._aliases.get(other, key))
                if owner != key and (owner not in after or other in other_keys(after[owner])):
                    raise taken(describe(other))
                claims[other] = key

    def _check_holders(self, after: dict[Key, Record]) -> None:
        touched = {record.key for record in after.values() if isinstance(record, Model)}
        touched |= {fold(record.name) for record in after.values() if isinstance(record, ModelVersion)}
        held: dict[str, ModelVersion] = {}
        for record in (self._records | after).values():
            if isinstance(record, ModelVersion) and (key := fold(record.name)) in touched:
                model = cast("Model | None", after.get(ModelKey(key)) or self._records.get(ModelKey(key)))
                holder = holder_key(record, key, single_stages(model) if model else "")
                if holder is not None and held.setdefault(holder, record) is not record:
                    raise taken(f"stage {holder}")

    def _check_sequences(self, events: Sequence[Event]) -> None:
        chains = {(fold(item.event.model), item.event.sequence) for item in self._log} if events else set()
        for event in events:
            place = fold(event.model), event.sequence
            if place in chains:
                raise taken(f"event {event.sequence} of {event.model or 'the registry'}")
            chains.add(place)

    # --- the rest ----------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Nothing to do: there is no older form."""

    def check(self) -> Sequence[str]:
        """Nothing to find: there is nothing below the records."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


def _hidden(version: ModelVersion) -> bool:
    return version.deleted_at is not None or version.collected_at is not None


def _total(value: str, sizes: list[int]) -> Page[Tally]:
    return Page(items=(Tally(value=value, count=len(sizes), size=sum(sizes)),))


def _asked(version: ModelVersion, query: VersionQuery) -> bool:
    return (
        (query.deleted is None or _hidden(version) is query.deleted)
        and (query.model_key is None or fold(version.name) == query.model_key)
        and (query.digest is None or version.digest == query.digest)
        and (query.content_digest is None or version.content_digest == query.content_digest)
        and (query.where is None or evaluate(query.where, version))
    )


def _place(version: ModelVersion, order: Sequence[Order]) -> tuple[Any, ...]:
    """Where a version stands: the asked order, then ``model_id`` descending."""
    return (*(order_key(item, version) for item in order), _Descending(version.model_id))


class _Descending:
    """Turns the order of texts around."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __lt__(self, other: _Descending) -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


def _keyed_page(query: Any, found: list[T], key: Callable[[T], list[Any]]) -> Page[T]:
    found.sort(key=key)
    if query.after is not None:
        last = paging.unseal(query, query.after)
        found = [item for item in found if key(item) > last]
    return _page(query, found, key)


def _page(query: Any, found: list[T], mark: Callable[[T], Any]) -> Page[T]:
    items = found[: query.limit]
    if len(found) <= query.limit:
        return Page(items=tuple(items))
    return Page(items=tuple(items), next=paging.seal(query, mark(items[-1])))


def _text(query: VersionQuery, cursor: str) -> str:
    return str(paging.unseal(query, cursor))


_FINDERS: dict[type, Callable[[Any, Any], Page[Any]]] = {
    VersionQuery: MemoryMetadata._find_versions,
    ModelQuery: MemoryMetadata._find_models,
    MoveQuery: MemoryMetadata._find_moves,
    EventQuery: MemoryMetadata._find_events,
    BlobQuery: MemoryMetadata._find_blobs,
    TallyQuery: MemoryMetadata._tally,
}
