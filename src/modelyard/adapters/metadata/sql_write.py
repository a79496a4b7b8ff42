"""Writing one ``Changes`` inside one open transaction, in as few statements as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.changes import describe, key_of, stale, taken
from modelyard.adapters.metadata.dialect import SQLITE, Dialect
from modelyard.adapters.metadata.rows import (
    digest,
    dump,
    encode_blob,
    encode_event,
    encode_model,
    encode_receipt,
    encode_registry,
    encode_source,
    micros,
)
from modelyard.adapters.metadata.rows_experiments import experiment_row, exposure_row, outcome_row, value_rows
from modelyard.adapters.metadata.rows_sessions import SESSIONS
from modelyard.adapters.metadata.rows_tokens import TOKENS
from modelyard.adapters.metadata.sql_versions import (
    INSERT_WORDS,
    document,
    edge_rows,
    file_rows,
    insert,
    present,
    term_rows,
)
from modelyard.adapters.metadata.terms import (
    Term,
    event_subjects,
    holder_key,
    model_search,
    single_stages,
    version_columns,
    version_edges,
    version_files,
)
from modelyard.domain.errors import Conflict
from modelyard.domain.events import moves
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.names import fold
from modelyard.domain.query import search_text
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Receipt, Registry, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    Drop,
    ExperimentKey,
    ExposureKey,
    Guard,
    IdentityKey,
    Key,
    LabelKey,
    ModelKey,
    NumberKey,
    OutcomeKey,
    Put,
    ReceiptKey,
    RegistryKey,
    SecretKey,
    SessionKey,
    SessionSecretKey,
    SlugKey,
    SourceKey,
    TokenKey,
    VersionKey,
)

Row = dict[str, Any]

REVISIONS: Mapping[type, str] = {
    RegistryKey: sql.REVISION_REGISTRY,
    ModelKey: sql.REVISION_MODEL,
    SlugKey: sql.REVISION_SLUG,
    VersionKey: sql.REVISION_VERSION,
    NumberKey: sql.REVISION_NUMBER,
    LabelKey: sql.REVISION_LABEL,
    BlobKey: sql.REVISION_BLOB,
    SourceKey: sql.REVISION_SOURCE,
    ReceiptKey: sql.REVISION_RECEIPT,
    ExperimentKey: sql.REVISION_EXPERIMENT,
    IdentityKey: sql.REVISION_IDENTITY,
    OutcomeKey: sql.REVISION_OUTCOME,
    ExposureKey: sql.REVISION_EXPOSURE,
    TokenKey: sql.REVISION_TOKEN,
    SecretKey: sql.REVISION_SECRET,
    SessionKey: sql.REVISION_SESSION,
    SessionSecretKey: sql.REVISION_SESSION_SECRET,
}

DELETIONS: Mapping[type, str] = {
    BlobKey: sql.DELETE_BLOB,
    ReceiptKey: sql.DELETE_RECEIPT,
    TokenKey: sql.DELETE_TOKEN,
    SessionKey: sql.DELETE_SESSION,
}


def parameters(key: Key) -> Row:
    """A key's fields, which are called like the columns."""
    return {name: getattr(key, name) for name in key.__slots__}


@cache
def unless_there(insert: str, *columns: str) -> str:
    """An INSERT that does nothing where a row has the same values in these columns, as PostgreSQL spells it."""
    named = f" ({', '.join(columns)})" if columns else ""
    return f"{insert} ON CONFLICT{named} DO NOTHING"


class Writer:
    """Applies changes over a cursor whose transaction the caller began and will end.

    Args:
        cursor: A DBAPI cursor inside a write transaction.
        words: Whether this database has SQLite's full-text table.
        dialect: Which kind of database it is.
    """

    def __init__(self, cursor: Any, *, words: bool, dialect: Dialect = SQLITE) -> None:
        self._cursor = cursor
        self._run = cursor.execute
        self._words = words
        self._dialect = dialect
        self._single: dict[str, str] = {}
        self._renamed: list[tuple[str, str, Any]] = []
        self._owed: list[tuple[Any, Key, int]] = []

    def apply(self, changes: Changes) -> None:
        """All of it, or an error after which the caller rolls back."""
        if self._dialect.advance is None:
            self._guard(changes.guards)
            self._write(changes)
            self._append(changes.events, None)
        else:
            self._write(changes)
            if self._dialect.ahead and len(changes.events) == 1 and not changes.guards:
                self._append_unasked(changes.events[0])
                return
            position = self._turn(changes)
            self._guard(changes.guards)
            self._append(changes.events, position)

    def _turn(self, changes: Changes) -> int | None:
        """Where others write at the same time: the turn to commit, taken last and held until the end.

        From here to the end nobody else who appends or guards can commit, so guards that hold now still hold then, what
        is absent included, and positions become visible in their order. Rows were locked before in one order, the
        turn comes last: no two of us wait for each other. The price is that the commits themselves come one after
        the other.
        """
        if self._dialect.advance is None or not (changes.events or changes.guards):
            return None
        return self._dialect.advance(self._run, len(changes.events))

    def _guard(self, guards: Iterable[Guard]) -> None:
        for guard in guards:
            if (found := self._revision(guard.key)) != guard.expected:
                raise stale(guard.key, guard.expected, found)

    def _write(self, changes: Changes) -> None:
        for drop in sorted(changes.drops, key=lambda drop: describe(drop.key)):
            self._drop(drop)
        blobs = [(put.record, put.expected) for put in changes.puts if isinstance(put.record, Blob)]
        several = len(blobs) > 1
        if several:
            self._put_blobs(sorted(blobs, key=lambda item: item[0].digest))
        apart = (ModelVersion, Blob) if several else ModelVersion
        for put in sorted((put for put in changes.puts if not isinstance(put.record, apart)), key=_place):
            _PUTTERS[type(put.record)](self, put.record, put.expected)
        self._put_versions(
            [(put.record, put.expected) for put in changes.puts if isinstance(put.record, ModelVersion)]
        )
        self._settle()
        self._rename_holders()

    # --- revisions ---------------------------------------------------------------------------------------------------

    def _revision(self, key: Key) -> int:
        row = self._run(REVISIONS[type(key)], parameters(key)).fetchone()
        return row[0] if row else 0

    def _swap(self, key: Key, expected: int, insert: str, update: str, row: Row) -> None:
        """Insert where nothing is expected, else update where the revision is the expected one.

        Where statements go ahead, a row that is there against expectation is left as it is, and counted later.
        """
        if expected:
            self._owe(self._run(update, row | {"expected": expected}), key, expected)
        elif self._dialect.ahead:
            self._owe(self._run(unless_there(insert, *key.__slots__), row), key, 0)
        elif found := self._revision(key):
            raise stale(key, expected, found)
        else:
            self._run(insert, row)

    def _drop(self, drop: Drop) -> None:
        given = parameters(drop.key) | {"expected": drop.expected}
        self._owe(self._run(DELETIONS[type(drop.key)], given), drop.key, drop.expected)

    def _owe(self, cursor: Any, key: Key, expected: int) -> None:
        """See that a statement met the one row it was meant for: now, or before the turn to commit is taken."""
        self._owed.append((cursor, key, expected))
        if not self._dialect.ahead:
            self._settle()

    def _settle(self) -> None:
        owed, self._owed = self._owed, []
        if any(cursor.rowcount < 0 for cursor, _, _ in owed):
            self._cursor.settle()
        for cursor, key, expected in owed:
            if cursor.rowcount != 1:
                raise stale(key, expected, self._revision(key))

    # --- small records -----------------------------------------------------------------------------------------------

    def put_registry(self, record: Registry, expected: int) -> None:
        doc = dump(encode_registry(record))
        row = {"id": 1, "the_id": 1, "revision": record.revision, "doc": doc}
        row["row_digest"] = digest(doc, "registry", record.revision)
        self._swap(RegistryKey(), expected, sql.INSERT_REGISTRY, sql.UPDATE_REGISTRY, row)

    def put_blob(self, record: Blob, expected: int) -> None:
        self._swap(key_of(record), expected, sql.INSERT_BLOB, sql.UPDATE_BLOB, _blob_row(record, expected))

    def _put_blobs(self, blobs: list[tuple[Blob, int]]) -> None:
        """Many of them in two statements; one that is there against expectation is met by its primary key."""
        fresh = [_blob_row(record, 0) for record, expected in blobs if not expected]
        changed = [_blob_row(record, expected) for record, expected in blobs if expected]
        if changed and self._cursor.executemany(sql.UPDATE_BLOB, changed).rowcount != len(changed):
            raise self._moved(blobs)
        if fresh:
            self._cursor.executemany(sql.INSERT_BLOB, fresh)

    def _moved(self, blobs: list[tuple[Blob, int]]) -> Conflict:
        """The refusal of blobs of which one was not written, whichever it was.

        Others mostly leave a row at the very revision that this commit would have given it, so a row there tells
        nothing; another revision names the one.
        """
        for record, expected in blobs:
            if expected and (found := self._revision(key_of(record))) != record.revision:
                return stale(key_of(record), expected, found)
        return Conflict(f"one of {len(blobs)} blobs changed since it was read; read again and decide again")

    def put_source(self, record: Source, expected: int) -> None:
        doc = dump(encode_source(record))
        row = {"kind": record.kind, "target": record.target, "revision": record.revision, "doc": doc}
        row["row_digest"] = digest(doc, "source", record.kind, record.target, record.revision)
        self._swap(key_of(record), expected, sql.INSERT_SOURCE, sql.UPDATE_SOURCE, row)

    def put_receipt(self, record: Receipt, expected: int) -> None:
        doc = dump(encode_receipt(record))
        row = {"key": record.key, "the_key": record.key, "revision": record.revision, "doc": doc}
        row["row_digest"] = digest(doc, "receipt", record.key, record.revision)
        self._swap(key_of(record), expected, sql.INSERT_RECEIPT, sql.UPDATE_RECEIPT, row)

    def put_experiment(self, record: Experiment, expected: int) -> None:
        row = experiment_row(record)
        self._swap(key_of(record), expected, sql.INSERT_EXPERIMENT, sql.UPDATE_EXPERIMENT, row)

    def put_outcome(self, record: Outcome, expected: int) -> None:
        self._swap(key_of(record), expected, sql.INSERT_OUTCOME, "", outcome_row(record))
        self._cursor.executemany(sql.INSERT_VALUE, value_rows(record))

    def put_exposure(self, record: Exposure, expected: int) -> None:
        row = exposure_row(record)
        self._swap(key_of(record), expected, sql.INSERT_EXPOSURE, sql.UPDATE_EXPOSURE, row)

    def put_token(self, record: Token, expected: int) -> None:
        row = TOKENS.row(record)
        if expected == 0 and self._revision(SecretKey(record.digest)):
            raise taken("the digest of a token's secret")
        self._swap(key_of(record), expected, sql.INSERT_TOKEN, sql.UPDATE_TOKEN, row)

    def put_session(self, record: Session, expected: int) -> None:
        row = SESSIONS.row(record)
        owner = self._run(sql.GET_SESSION_SECRET, {"digest": record.digest}).fetchone()
        if owner is not None and owner[0] != record.session_id:
            raise taken("the digest of a session's secret")
        self._swap(key_of(record), expected, sql.INSERT_SESSION, sql.UPDATE_SESSION, row)

    # --- models ------------------------------------------------------------------------------------------------------

    def put_model(self, record: Model, expected: int) -> None:
        doc = dump(encode_model(record))
        single = single_stages(record)
        if expected:
            before = self._run(sql.SINGLE_STAGES, {"key": record.key})
            self._renamed.append((record.key, single, before if self._dialect.ahead else before.fetchone()))
        row = {
            "key": record.key,
            "the_key": record.key,
            "slug": record.slug,
            "name": record.name,
            "search": model_search(record),
            "single_stages": single,
            "revision": record.revision,
            "doc": doc,
            "row_digest": digest(doc, "model", record.key, record.slug, record.revision),
        }
        self._swap(key_of(record), expected, sql.INSERT_MODEL, sql.UPDATE_MODEL, row)
        self._single[record.key] = single

    def _rename_holders(self) -> None:
        """A policy says anew which stages have one holder: rare, so all versions of the model are looked at."""
        for model_key, single, found in self._renamed:
            before = found.fetchone() if self._dialect.ahead else found
            if before[0] == single:
                continue
            self._run(sql.CLEAR_HOLDERS, {"model_key": model_key})
            for stage in filter(None, single.split(",")):
                holder = f"{model_key}/{stage}"
                self._run(sql.SET_HOLDERS, {"model_key": model_key, "stage": stage, "the_holder": holder})

    # --- versions ----------------------------------------------------------------------------------------------------

    def _holder(self, version: ModelVersion) -> str | None:
        key = fold(version.name)
        if key not in self._single:
            row = self._run(sql.SINGLE_STAGES, {"key": key}).fetchone()
            self._single[key] = row[0] if row else ""
        return holder_key(version, key, self._single[key])

    def _put_versions(self, versions: list[tuple[ModelVersion, int]]) -> None:
        """Those that leave a stage go first, so that its one place is free for who comes; new ones come last."""
        asked = not self._dialect.ahead  # a new one that is there already is met by its unique index
        there = present(self._cursor, [v.model_id for v, expected in versions if expected or asked])
        fresh = []
        held = [(self._holder(version), version, expected) for version, expected in versions]
        for holder, version, expected in sorted(
            held, key=lambda item: (item[0] is not None, item[1].model_id)
        ):
            row = version_columns(version) | {"holder_key": holder, "expected": expected}
            number, revision = there.get(version.model_id, (0, 0))
            if revision != expected:
                raise stale(key_of(version), expected, revision)
            if number:
                self._update_version(version, row | {"the_id": number})
            else:
                fresh.append((version, row))
        insert(self._cursor, self._dialect, fresh, words=self._words)

    def _update_version(self, version: ModelVersion, row: Row) -> None:
        number = row["the_id"]
        self._owe(self._run(sql.UPDATE_VERSION, row), key_of(version), row["expected"])
        self._run(sql.UPDATE_DOC, document(version, row) | {"the_id": number})
        self._update_text(number, search_text(version))
        self._update_files(number, version_files(version))
        self._update_edges(number, version_edges(version))
        self._update_terms(number, self._dialect.terms(version), row["created"])

    def _update_text(self, number: int, search: str) -> None:
        before = self._run(sql.GET_TEXT, {"id": number}).fetchone()[0]
        if before == search:
            return
        self._run(sql.UPDATE_TEXT, {"the_id": number, "search": search})
        if self._words:
            self._run(DELETE_WORDS, (number, before))
            self._run(INSERT_WORDS, (number, search))

    def _update_files(self, number: int, wanted: frozenset[str]) -> None:
        there = {row[0] for row in self._run(sql.GET_FILES, {"version": number}).fetchall()}
        gone = [{"version": number, "digest": name} for name in there - wanted]
        self._cursor.executemany(sql.DELETE_FILE, gone)
        self._cursor.executemany(sql.INSERT_FILE, file_rows(number, wanted - there))

    def _update_edges(self, number: int, wanted: frozenset[tuple[str, str]]) -> None:
        there = set(self._run(sql.GET_EDGES, {"version": number}).fetchall())
        gone = [{"version": number, "kind": kind, "target": target} for kind, target in there - wanted]
        self._cursor.executemany(sql.DELETE_EDGE, gone)
        self._cursor.executemany(sql.INSERT_EDGE, edge_rows(number, wanted - there))

    def _update_terms(self, number: int, wanted: Mapping[tuple[str, int], Term], created: int) -> None:
        """Only the difference: an update mostly touches one or two of twenty values."""
        found = self._run(sql.GET_TERMS, {"version": number}).fetchall()
        there = {(row[0], row[1]): (row[2], row[3], row[4]) for row in found}
        gone = [key for key, term in there.items() if wanted.get(key) != term]
        rows = [{"version": number, "field": field, "ordinal": ordinal} for field, ordinal in gone]
        self._cursor.executemany(sql.DELETE_TERM, rows)
        changed = {k: term for k, term in wanted.items() if there.get(k) != term}
        self._cursor.executemany(sql.INSERT_TERM, term_rows(number, changed, created))

    # --- events ------------------------------------------------------------------------------------------------------

    def _append_unasked(self, event: Event) -> None:
        """Take the turn and the next position, and write the one event there, without asking which it is."""
        self._run(_NEXT, {})
        self._run(_INSERT_NEXT, _event_row(event))
        self._cursor.executemany(sql.INSERT_MOVE, _move_rows(event))

    def _append(self, events: tuple[Event, ...], position: int | None) -> None:
        """Events behind ``position``, or where the database puts them."""
        statement = sql.INSERT_EVENT if position is None else sql.INSERT_EVENT_AT
        rows = [_event_row(event) for event in events]
        for place, row in enumerate(rows, 1):
            if position is not None:
                row["position"] = position + place
        if len(rows) == 1:
            self._run(statement, rows[0])
        elif rows:
            self._cursor.executemany(statement, rows)
        self._cursor.executemany(sql.INSERT_MOVE, [row for event in events for row in _move_rows(event)])


def _blob_row(record: Blob, expected: int) -> Row:
    doc = dump(encode_blob(record))
    return {
        "digest": record.digest,
        "the_digest": record.digest,
        "size": record.size,
        "state": record.state,
        "touched": micros(record.touched_at),
        "revision": record.revision,
        "doc": doc,
        "row_digest": digest(doc, "blob", record.digest, record.revision),
        "expected": expected,
    }


def _event_row(event: Event) -> Row:
    model_key, doc = fold(event.model), dump(encode_event(event))
    return {
        "model_key": model_key,
        "sequence": event.sequence,
        "at": micros(event.at),
        "subjects": event_subjects(event),
        "doc": doc,
        "row_digest": digest(doc, "event", model_key, event.sequence),
    }


def _move_rows(event: Event) -> list[Row]:
    model_key, at = fold(event.model), micros(event.at)
    return [
        {
            "model_key": model_key,
            "pointer": move.pointer,
            "at": at,
            "sequence": event.sequence,
            "number": move.number,
        }
        for move in moves(event)
    ]


def _place(put: Put) -> str:
    """Rows are locked in this order."""
    return describe(key_of(put.record))


_POSITION: Final = "(SELECT position FROM event_log WHERE id = 1)"
_NEXT: Final = "UPDATE event_log SET position = position + 1 WHERE id = 1"
_INSERT_NEXT: Final = sql.INSERT_EVENT_AT.replace(":position", _POSITION)
DELETE_WORDS = "INSERT INTO version_words (version_words, rowid, search) VALUES ('delete', ?, ?)"

_PUTTERS: Mapping[type, Any] = {
    Registry: Writer.put_registry,
    Model: Writer.put_model,
    Blob: Writer.put_blob,
    Source: Writer.put_source,
    Receipt: Writer.put_receipt,
    Experiment: Writer.put_experiment,
    Outcome: Writer.put_outcome,
    Exposure: Writer.put_exposure,
    Token: Writer.put_token,
    Session: Writer.put_session,
}
