"""Records in an SQL database; SQLite now, written so that servers can follow.

Tables are SQLAlchemy Core (``schema.py``), statements are compiled from Core beforehand (``statements.py``), filters
are built as portable SQL text (``sql_query.py``). The embedded path runs on the driver itself: SQLAlchemy is imported
only to compile or to migrate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

from modelyard.adapters.metadata import paging, reserve
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.changes import check_form
from modelyard.adapters.metadata.migrations import migrate
from modelyard.adapters.metadata.rows import (
    decode_blob,
    decode_event,
    decode_model,
    decode_receipt,
    decode_registry,
    decode_version,
    digest,
    micros,
)
from modelyard.adapters.metadata.sql_check import findings
from modelyard.adapters.metadata.sql_query import Answer, blob_answer, event_answer, model_answer, tally_sql
from modelyard.adapters.metadata.sql_search import version_page
from modelyard.adapters.metadata.sql_write import Writer, parameters
from modelyard.adapters.metadata.sqlite import Connections, driver
from modelyard.domain.errors import IntegrityError, NotSupported, StorageError, StorageFull
from modelyard.domain.events import moves
from modelyard.domain.records import Event, Move
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    Changes,
    EventQuery,
    LabelKey,
    ModelKey,
    ModelQuery,
    MoveQuery,
    NumberKey,
    Page,
    Positioned,
    ReceiptKey,
    RegistryKey,
    SlugKey,
    Tally,
    TallyQuery,
    VersionKey,
    VersionQuery,
)

T = TypeVar("T")
_NEVER = 2**62
"""Microseconds beyond every time a record can hold."""


class SqlMetadata:
    """A :class:`~modelyard.ports.metadata.MetadataStore` in one SQLite file.

    Thread-safe and safe for several processes; writers take turns, readers never wait for them. Event positions are
    given inside the one write transaction that SQLite allows at a time, so a reader can never see a later position
    before an earlier one.

    Args:
        location: A path, or ``sqlite:///relative.db``, ``sqlite:////absolute.db``.
    """

    def __init__(self, location: str | Path) -> None:
        self.path = _path(location)
        self._connections = Connections(self.path)
        self._words: bool | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        """The record with that key, or ``None``.

        Raises:
            IntegrityError: The row does not match its digest.
        """
        statement, read = _GETTERS[type(key)]
        with self._connections.reading() as connection:
            row = connection.execute(statement, parameters(key)).fetchone()
        return None if row is None else read(row)

    def find(self, query: Any) -> Page[Any]:
        """One page of the answer to ``query``."""
        with self._connections.snapshot() as connection:
            answer: Page[Any] = _FINDERS[type(query)](self, connection, query)
        return answer

    def events(self, after: int, limit: int) -> Sequence[Positioned]:
        """Events above a position, in the order of their commits."""
        with self._connections.reading() as connection:
            rows = connection.execute(sql.EVENTS, {"after": after, "limit": limit}).fetchall()
        return tuple(Positioned(position=row[0], event=read_event(row)) for row in rows)

    def _versions(self, connection: Any, query: VersionQuery) -> Page[Any]:
        rows, cursor = version_page(connection, query, words=self._has_words(connection))
        return Page(items=tuple(read_version(row) for row in rows), next=cursor)

    def _models(self, connection: Any, query: ModelQuery) -> Page[Any]:
        return _page(connection, query, model_answer(query), read_model)

    def _blobs(self, connection: Any, query: BlobQuery) -> Page[Any]:
        return _page(connection, query, blob_answer(query), read_blob)

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
        rows = connection.execute(
            tally_sql(query), {"limit": query.limit, "model_key": query.model_key}
        ).fetchall()
        return Page(items=tuple(Tally(value=value, count=count, size=size) for value, count, size in rows))

    # --- writing -----------------------------------------------------------------------------------------------------

    def commit(self, changes: Changes) -> None:
        """One transaction, durable when it returns.

        Raises:
            Conflict: An expected revision did not hold, or a name, number or label is taken.
            StorageError: The database refused; nothing was changed.
        """
        check_form(changes)
        try:
            self._apply(changes)
        except StorageFull:
            self._make_room(changes)
            self._apply(changes)

    def alone(self) -> AbstractContextManager[None]:
        """The turn to write, which every writer of this file takes."""
        return self._connections.turn.taken()

    def _make_room(self, changes: Changes) -> None:
        """Write home the pages of the log that can go there in place; for what frees space, give up the reserve too."""
        with suppress(StorageError), self._connections.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if reserve.frees(changes):
            reserve.spend(self.path)

    def _apply(self, changes: Changes) -> None:
        with self._connections.writing() as connection:
            Writer(connection.cursor(), words=self._has_words(connection)).apply(changes)

    def _has_words(self, connection: Any) -> bool:
        if self._words is None:
            row = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'version_words'").fetchone()
            self._words = row is not None
        return self._words

    # --- the rest ----------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Make the file or bring it to the newest schema; safe when many processes do so at once.

        Raises:
            NotSupported: The file was written by a newer version.
        """
        migrate(self.path)
        reserve.keep(self.path)
        self._words = None

    def check(self) -> Sequence[str]:
        """Recompute what can be recomputed, over one snapshot; one line per finding."""
        lines: list[str] = []
        with self._connections.snapshot() as connection:
            try:
                lines.extend(findings(connection, words=self._has_words(connection)))
            except (driver().DatabaseError, UnicodeDecodeError) as error:
                lines.append(f"SQLite: cannot be read any further: {error}")
        return tuple(lines)

    def close(self) -> None:
        """Close idle connections; calls still running finish first."""
        self._connections.close()


def _path(location: str | Path) -> Path:
    text = str(location)
    if "://" not in text:
        return Path(text)
    scheme, _, rest = text.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise NotSupported(
            f"metadata location {text!r}: expected a path or sqlite:///path; other databases are not built in yet"
        )
    return Path(rest[1:])


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
    ReceiptKey: (sql.GET_RECEIPT, read_receipt),
}
_FINDERS: Mapping[type, Any] = {
    VersionQuery: SqlMetadata._versions,
    ModelQuery: SqlMetadata._models,
    MoveQuery: SqlMetadata._moves,
    EventQuery: SqlMetadata._events,
    BlobQuery: SqlMetadata._blobs,
    TallyQuery: SqlMetadata._tally,
}
