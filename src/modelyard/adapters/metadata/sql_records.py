"""What every SQL database answers: fixed statements and questions, read back into records and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelyard.adapters.metadata import paging, sql_experiments, sql_sessions, sql_tokens
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.dialect import Dialect
from modelyard.adapters.metadata.rows import (
    decode_blob,
    decode_event,
    decode_model,
    decode_receipt,
    decode_registry,
    decode_source,
    decode_version,
    digest,
    micros,
)
from modelyard.adapters.metadata.sql_listed import listed
from modelyard.adapters.metadata.sql_query import (
    Answer,
    blob_answer,
    brief_answer,
    edge_answer,
    event_answer,
    model_answer,
    source_answer,
    tally_given,
    tally_sql,
)
from modelyard.adapters.metadata.sql_search import version_page
from modelyard.adapters.metadata.sql_write import parameters
from modelyard.domain.errors import IntegrityError
from modelyard.domain.events import moves
from modelyard.domain.records import Event, Move
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    EventQuery,
    LabelKey,
    ModelKey,
    ModelQuery,
    MoveQuery,
    NumberKey,
    Page,
    Positioned,
    ReceiptKey,
    ReceiptQuery,
    RegistryKey,
    SlugKey,
    SourceKey,
    Tally,
    TallyQuery,
    VersionKey,
    VersionQuery,
)

T = TypeVar("T")
_NEVER = 2**62
"""Microseconds beyond every time a record can hold."""


class SqlRecords:
    """Reading, over two ways to a connection that a store gives.

    A connection here is anything with ``execute(statement, parameters)``, as ``sqlite3`` has it.
    """

    dialect: Dialect

    def _read(self, work: Callable[[Any], T]) -> T:
        """``work`` with a connection for single statements, each of which sees one state."""
        raise NotImplementedError

    def _look(self, work: Callable[[Any], T]) -> T:
        """``work`` with a connection that sees one state over several statements."""
        raise NotImplementedError

    def _has_words(self, connection: Any) -> bool:
        """Whether the database has an index of words."""
        raise NotImplementedError

    def get(self, key: Any) -> Any:
        """The record with that key, or ``None``.

        Raises:
            IntegrityError: The row does not match its digest.
        """
        statement, read = _GETTERS[type(key)]
        row = self._read(lambda connection: connection.execute(statement, parameters(key)).fetchone())
        return None if row is None else read(row)

    def find(self, query: Any) -> Page[Any]:
        """One page of the answer to ``query``."""
        finder = _FINDERS[type(query)]
        way = self._look if type(query) in _SEVERAL else self._read
        answer: Page[Any] = way(lambda connection: finder(self, connection, query))
        return answer

    def events(self, after: int, limit: int) -> Sequence[Positioned]:
        """Events above a position, in the order of their commits."""
        given = {"after": after, "limit": limit}
        rows = self._read(lambda connection: connection.execute(sql.EVENTS, given).fetchall())
        return tuple(Positioned(position=row[0], event=read_event(row)) for row in rows)

    def _versions(self, connection: Any, query: VersionQuery) -> Page[Any]:
        rows, cursor = version_page(
            connection, query, words=self._has_words(connection), dialect=self.dialect
        )
        return Page(items=tuple(read_version(row) for row in rows), next=cursor)

    def _models(self, connection: Any, query: ModelQuery) -> Page[Any]:
        return _page(connection, query, model_answer(query), read_model)

    def _blobs(self, connection: Any, query: BlobQuery) -> Page[Any]:
        return _page(connection, query, blob_answer(query), read_blob)

    def _sources(self, connection: Any, query: SourceQuery) -> Page[Any]:
        return _page(connection, query, source_answer(query), read_source)

    def _edges(self, connection: Any, query: EdgeQuery) -> Page[Edge]:
        return _page(connection, query, edge_answer(query), _read_edge)

    def _briefs(self, connection: Any, query: BriefQuery) -> Page[Brief]:
        return _page(connection, query, brief_answer(query), _read_brief)

    def _events(self, connection: Any, query: EventQuery) -> Page[Event]:
        return _page(connection, query, event_answer(query), read_event)

    def _moves(self, connection: Any, query: MoveQuery) -> Page[Move]:
        until = _NEVER if query.until is None else micros(query.until)
        at, sequence = paging.unseal(query, query.after) if query.after else (until, _NEVER)
        given = {"model_key": query.model_key, "pointer": query.pointer, "at": at, "sequence": sequence}
        rows = connection.execute(sql.MOVES, given | {"limit": query.limit + 1}).fetchall()
        kept = rows[: query.limit]
        cursor = paging.seal(query, [kept[-1][0], kept[-1][1]]) if len(rows) > query.limit else None
        return Page(items=tuple(_read_move(row, query) for row in kept), next=cursor)

    def _tally(self, connection: Any, query: TallyQuery) -> Page[Tally]:
        rows = connection.execute(tally_sql(query), tally_given(query)).fetchall()
        return Page(items=tuple(Tally(value=value, count=count, size=size) for value, count, size in rows))


# --- rows to records -------------------------------------------------------------------------------------------------


def _checked(stored: bytes, computed: bytes, what: str) -> None:
    if stored != computed:
        raise IntegrityError(
            f"the stored row of {what} does not match its own digest: it was changed or damaged on disk; "
            "run `modelyard fsck` and restore it from a backup"
        )


def read_version(row: Sequence[Any]) -> Any:
    model_id, model_key, number, label_key, revision, doc, stored = row[:7]
    _checked(
        stored,
        digest(doc, "version", model_id, model_key, number, label_key, revision),
        f"version {model_id}",
    )
    return decode_version(json.loads(doc))


def read_model(row: Sequence[Any]) -> Any:
    key, slug, revision, doc, stored = row
    _checked(stored, digest(doc, "model", key, slug, revision), f"model {key}")
    return decode_model(json.loads(doc))


def read_registry(row: Sequence[Any]) -> Any:
    revision, doc, stored = row
    _checked(stored, digest(doc, "registry", revision), "the registry record")
    return decode_registry(json.loads(doc))


def read_blob(row: Sequence[Any]) -> Any:
    name, revision, doc, stored = row
    _checked(stored, digest(doc, "blob", name, revision), f"blob {name}")
    return decode_blob(json.loads(doc))


def read_source(row: Sequence[Any]) -> Any:
    kind, target, revision, doc, stored = row
    _checked(stored, digest(doc, "source", kind, target, revision), f"{kind} {target}")
    return decode_source(json.loads(doc))


def _read_edge(row: Sequence[Any]) -> Edge:
    return Edge(model_id=row[0], kind=row[1], target=row[2])


def _read_brief(row: Sequence[Any]) -> Brief:
    model_id, name, number, label, stage, deleted, withdrawn, revision = row
    return Brief(
        model_id=model_id,
        name=name,
        number=number,
        version=label,
        stage=stage,
        deleted=bool(deleted),
        withdrawn=bool(withdrawn),
        revision=revision,
    )


def read_receipt(row: Sequence[Any]) -> Any:
    key, revision, doc, stored = row
    _checked(stored, digest(doc, "receipt", key, revision), f"receipt {key}")
    return decode_receipt(json.loads(doc))


def read_event(row: Sequence[Any]) -> Event:
    position, model_key, sequence, doc, stored = row
    _checked(
        stored,
        digest(doc, "event", model_key, sequence),
        f"event {sequence} of {model_key or 'the registry'} (position {position})",
    )
    return decode_event(json.loads(doc))


def _read_move(row: Sequence[Any], query: MoveQuery) -> Move:
    """The move as its event tells it; the index over moves is only where to look."""
    at, sequence, number = row[:3]
    if row[3] is not None:
        for move in moves(read_event(row[3:])):
            if (move.pointer, micros(move.at), move.number) == (query.pointer, at, number):
                return move
    raise IntegrityError(
        f"move {sequence} of {query.pointer} of model {query.model_key} is not what its event says: the database was "
        "changed or damaged on disk; run `modelyard fsck` and restore it from a backup"
    )


def _page(connection: Any, query: Any, answer: Answer, read: Callable[[Sequence[Any]], T]) -> Page[T]:
    rows = connection.execute(answer.sql, answer.given | {"limit": query.limit + 1}).fetchall()
    kept, marks = rows[: query.limit], answer.marks
    cursor = paging.seal(query, list(kept[-1][:marks])) if len(rows) > query.limit else None
    return Page(items=tuple(read(row[marks:]) for row in kept), next=cursor)


_GETTERS: Mapping[type, tuple[str, Callable[[Sequence[Any]], Any]]] = {
    RegistryKey: (sql.GET_REGISTRY, read_registry),
    ModelKey: (sql.GET_MODEL, read_model),
    SlugKey: (sql.GET_SLUG, read_model),
    VersionKey: (sql.GET_VERSION, read_version),
    NumberKey: (sql.GET_NUMBER, read_version),
    LabelKey: (sql.GET_LABEL, read_version),
    BlobKey: (sql.GET_BLOB, read_blob),
    SourceKey: (sql.GET_SOURCE, read_source),
    ReceiptKey: (sql.GET_RECEIPT, read_receipt),
    **sql_experiments.GETTERS,
    **sql_tokens.GETTERS,
    **sql_sessions.GETTERS,
}
_FINDERS: Mapping[type, Any] = {
    VersionQuery: SqlRecords._versions,
    ModelQuery: SqlRecords._models,
    MoveQuery: SqlRecords._moves,
    EventQuery: SqlRecords._events,
    BlobQuery: SqlRecords._blobs,
    SourceQuery: SqlRecords._sources,
    EdgeQuery: SqlRecords._edges,
    BriefQuery: SqlRecords._briefs,
    TallyQuery: SqlRecords._tally,
    **sql_experiments.FINDERS,
    **sql_tokens.FINDERS,
    **sql_sessions.FINDERS,
    ReceiptQuery: listed(sql.RECEIPTS, read_receipt),
}
_SEVERAL = (VersionQuery,)
"""Questions that take more than one statement."""
