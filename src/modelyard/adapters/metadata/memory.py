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
from modelyard.adapters.metadata.copies import copied
from modelyard.adapters.metadata.rows import decode_version, dump, encode_version, micros
from modelyard.adapters.metadata.terms import (
    holder_key,
    model_search,
    single_stages,
    version_edges,
    version_files,
)
from modelyard.domain.abtest import tallies
from modelyard.domain.events import moves, subjects
from modelyard.domain.experiments import Experiment, Exposure, Outcome, OutcomeTally
from modelyard.domain.names import fold
from modelyard.domain.query import Field, Order, evaluate, order_key
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move, Receipt, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    Changes,
    EventQuery,
    ExperimentQuery,
    ExposureQuery,
    Key,
    ModelKey,
    ModelQuery,
    MoveQuery,
    OutcomeQuery,
    OutcomeTallyQuery,
    Page,
    Positioned,
    ReceiptQuery,
    Record,
    SessionQuery,
    Tally,
    TallyQuery,
    TokenQuery,
    VersionKey,
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
        self._named: dict[str, set[str]] = {}  # target of an edge -> model_id of those that name it
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
            and (query.among is None or blob.digest in query.among)
            and not (query.unreferenced and blob.digest in named)
            and (query.idle_since is None or blob.touched_at <= query.idle_since)
            and query.state in (None, blob.state)
        ]
        return _keyed_page(query, found, lambda blob: [blob.digest])

    def _find_sources(self, query: SourceQuery) -> Page[Source]:
        return _keyed_page(query, self._all(Source), lambda source: [source.kind, source.target])

    def _find_edges(self, query: EdgeQuery) -> Page[Edge]:
        wanted = set(query.to)
        naming = {model_id for target in wanted for model_id in self._named.get(target, ())}
        found = [
            Edge(model_id=version.model_id, kind=kind, target=target)
            for version in self._versions(naming.union(query.of))
            for kind, target in version_edges(version)
            if version.model_id in query.of or target in wanted
        ]
        return _keyed_page(query, found, lambda edge: [edge.model_id, edge.kind, edge.target])

    def _find_briefs(self, query: BriefQuery) -> Page[Brief]:
        found = [_brief(version) for version in self._versions(query.ids)]
        return _keyed_page(query, found, lambda brief: [brief.model_id])

    def _versions(self, ids: Iterable[str]) -> list[ModelVersion]:
        records = (self._records.get(VersionKey(model_id)) for model_id in dict.fromkeys(ids))
        return [record for record in records if isinstance(record, ModelVersion)]

    def _find_experiments(self, query: ExperimentQuery) -> Page[Experiment]:
        found = [e for e in self._all(Experiment) if query.model_key in (None, fold(e.model))]
        return _keyed_page(query, found, lambda experiment: [experiment.experiment_id])

    def _find_outcomes(self, query: OutcomeQuery) -> Page[Outcome]:
        return _keyed_page(query, self._outcomes(query.experiment_id), lambda o: [o.unit, o.draw])

    def _outcomes(self, experiment_id: str) -> list[Outcome]:
        return [outcome for outcome in self._all(Outcome) if outcome.experiment_id == experiment_id]

    def _find_exposures(self, query: ExposureQuery) -> Page[Exposure]:
        found = [e for e in self._all(Exposure) if e.experiment_id == query.experiment_id]
        return _keyed_page(query, found, lambda exposure: [exposure.writer])

    def _find_tokens(self, query: TokenQuery) -> Page[Token]:
        return _keyed_page(query, self._all(Token), lambda token: [token.token_id])

    def _find_sessions(self, query: SessionQuery) -> Page[Session]:
        return _keyed_page(query, self._all(Session), lambda session: [session.session_id])

    def _find_receipts(self, query: ReceiptQuery) -> Page[Receipt]:
        return _keyed_page(query, self._all(Receipt), lambda receipt: [receipt.key])

    def _tally_outcomes(self, query: OutcomeTallyQuery) -> Page[OutcomeTally]:
        return Page(items=tuple(tallies(self._outcomes(query.experiment_id), query.metric)))

    def _tally(self, query: TallyQuery) -> Page[Tally]:
        check_tally(query)
        if query.by == "model":
            return _total("models", [0 for _ in self._all(Model)])
        if query.by == "blob":
            return _total("blobs", [b.size for b in self._all(Blob) if b.state != "deleted"])
        counts: dict[str, tuple[int, int]] = {}
        for version in self._all(ModelVersion):
            if _counted(version, query):
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
            self._name(before, record)
        for key, record in after.items():
            self._aliases.update((other, key) for other in other_keys(record))
        for drop in changes.drops:
            for other in other_keys(self._records.pop(drop.key)):
                self._aliases.pop(other, None)
        for event in events:
            self._log.append(Positioned(position=len(self._log) + 1, event=event))

    def _name(self, before: Record | None, after: Record) -> None:
        """Keep the edges findable by their targets."""
        if not isinstance(after, ModelVersion):
            return
        for edge in before.edges if isinstance(before, ModelVersion) else ():
            self._named[edge.target].discard(after.model_id)
        for edge in after.edges:
            self._named.setdefault(edge.target, set()).add(after.model_id)

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

    def is_made(self) -> bool:
        """Always."""
        return True

    def is_older(self) -> bool:
        """Never."""
        return False

    def migrate(self) -> None:
        """Nothing to do: there is no older form."""

    def check(self) -> Sequence[str]:
        """Nothing to find: there is nothing below the records."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


def _hidden(version: ModelVersion) -> bool:
    return version.deleted_at is not None or version.collected_at is not None


def _counted(version: ModelVersion, query: TallyQuery) -> bool:
    key = fold(version.name)
    within = query.namespace is None or key.startswith(f"{query.namespace}/")
    return not _hidden(version) and query.model_key in (None, key) and within


def _brief(version: ModelVersion) -> Brief:
    return Brief(
        model_id=version.model_id,
        name=version.name,
        number=version.number,
        version=version.version,
        stage=version.stage.value,
        deleted=_hidden(version),
        withdrawn=version.withdrawn is not None,
        revision=version.revision,
    )


def _total(value: str, sizes: list[int]) -> Page[Tally]:
    return Page(items=(Tally(value=value, count=len(sizes), size=sum(sizes)),))


def _asked(version: ModelVersion, query: VersionQuery) -> bool:
    return (
        (query.deleted is None or _hidden(version) is query.deleted)
        and (query.model_key is None or fold(version.name) == query.model_key)
        and (query.digest is None or version.digest == query.digest)
        and (query.file is None or query.file in version_files(version))
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
    SourceQuery: MemoryMetadata._find_sources,
    EdgeQuery: MemoryMetadata._find_edges,
    BriefQuery: MemoryMetadata._find_briefs,
    ExperimentQuery: MemoryMetadata._find_experiments,
    OutcomeQuery: MemoryMetadata._find_outcomes,
    ExposureQuery: MemoryMetadata._find_exposures,
    OutcomeTallyQuery: MemoryMetadata._tally_outcomes,
    TokenQuery: MemoryMetadata._find_tokens,
    SessionQuery: MemoryMetadata._find_sessions,
    ReceiptQuery: MemoryMetadata._find_receipts,
    TallyQuery: MemoryMetadata._tally,
}
