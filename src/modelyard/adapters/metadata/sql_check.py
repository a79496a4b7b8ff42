"""Looking for damage below the records: everything stored twice is compared with itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelyard.adapters.metadata import sql_check_experiments
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.dialect import SQLITE, Dialect
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
from modelyard.adapters.metadata.rows_sessions import SESSIONS
from modelyard.adapters.metadata.rows_tokens import TOKENS
from modelyard.adapters.metadata.sql_versions import version_digest
from modelyard.adapters.metadata.terms import (
    event_subjects,
    holder_key,
    model_search,
    single_stages,
    version_columns,
    version_edges,
    version_files,
)
from modelyard.domain.events import moves
from modelyard.domain.query import search_text
from modelyard.domain.records import Blob, Model, ModelVersion

_VERSION_COLUMNS = (
    "id, model_id, model_key, name, number, label, label_key, label_rank, stage, framework, algorithm, created_by, "
    "created, updated, size, digest, scan, deleted, holder_key, revision"
)


def findings(connection: Any, *, words: bool, dialect: Dialect = SQLITE) -> Iterator[str]:
    """One line per finding.

    Args:
        connection: A DBAPI connection in a read transaction, so that all is of one state.
        words: Whether the database has SQLite's full-text table.
        dialect: Which kind of database it is.
    """
    if dialect is SQLITE:
        yield from _sqlite(connection)
    yield from _registry(connection)
    single = dict[str, str]()
    yield from _models(connection, single)
    yield from _versions(connection, single, dialect)
    yield from _blobs(connection)
    yield from _sources(connection)
    yield from _receipts(connection)
    yield from sql_check_experiments.findings(connection)
    yield from TOKENS.findings(connection)
    yield from SESSIONS.findings(connection)
    yield from _log(connection, dialect)
    if words:
        yield from _words(connection)


def _sqlite(connection: Any) -> Iterator[str]:
    """What SQLite finds by itself; servers check their pages whenever they read them."""
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite: {line}"
    for line in connection.execute("PRAGMA foreign_key_check"):
        yield f"SQLite: row {line[1]} of {line[0]} refers to a missing row of {line[2]}"


def _read(
    name: str, stored: bytes, computed: bytes, decode: Callable[[Any], Any], doc: str
) -> tuple[Any, str | None]:
    """The record of a row, or what is wrong with the row."""
    if stored != computed:
        return None, f"{name}: the row does not match its digest"
    try:
        return decode(json.loads(doc)), None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, f"{name}: the document cannot be read: {error}"


def _differences(name: str, stored: dict[str, Any], derived: dict[str, Any]) -> Iterator[str]:
    for column, value in derived.items():
        if stored[column] != value:
            yield f"{name}: column {column} holds {stored[column]!r:.60}, its document says {value!r:.60}"


def _rows(connection: Any, columns: str, table: str) -> Iterator[dict[str, Any]]:
    names = [name.strip().strip('"') for name in columns.split(",")]
    for row in connection.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608
        yield dict(zip(names, row, strict=True))


def _registry(connection: Any) -> Iterator[str]:
    for revision, doc, stored in connection.execute(sql.GET_REGISTRY):
        _, wrong = _read(
            "registry record",
            stored,
            digest(doc, "registry", revision),
            decode_registry,
            doc,
        )
        if wrong:
            yield wrong


def _models(connection: Any, single: dict[str, str]) -> Iterator[str]:
    columns = '"key", slug, name, search, single_stages, revision, doc, row_digest'
    for row in _rows(connection, columns, "models"):
        name = f"model {row['key']}"
        computed = digest(row["doc"], "model", row["key"], row["slug"], row["revision"])
        model, wrong = _read(name, row["row_digest"], computed, decode_model, row["doc"])
        if wrong:
            yield wrong
            continue
        single[row["key"]] = single_stages(model)
        yield from _differences(name, row, _model_columns(model))


def _model_columns(model: Model) -> dict[str, Any]:
    return {
        "key": model.key,
        "slug": model.slug,
        "name": model.name,
        "search": model_search(model),
        "single_stages": single_stages(model),
        "revision": model.revision,
    }


def _versions(connection: Any, single: dict[str, str], dialect: Dialect) -> Iterator[str]:
    rows = {row["id"]: row for row in _rows(connection, _VERSION_COLUMNS, "versions")}
    documents = connection.execute("SELECT id, doc, row_digest FROM version_docs").fetchall()
    for gone in rows.keys() - {number for number, _, _ in documents}:
        yield f"version {rows[gone]['model_id']}: its document is missing"
    for number, doc, stored in documents:
        if number in rows:
            yield from _version(connection, rows[number], doc, stored, single, dialect)


def _version(
    connection: Any, row: dict[str, Any], doc: str, stored: bytes, single: dict[str, str], dialect: Dialect
) -> Iterator[str]:
    name = f"version {row['model_id']}"
    version, wrong = _read(name, stored, version_digest(doc, row), decode_version, doc)
    if wrong:
        yield wrong
        return
    derived = version_columns(version)
    derived["holder_key"] = holder_key(version, row["model_key"], single.get(row["model_key"], ""))
    yield from _differences(name, row, derived)
    yield from _derived_rows(connection, name, row["id"], version, dialect)


def _derived_rows(
    connection: Any, name: str, number: int, version: ModelVersion, dialect: Dialect
) -> Iterator[str]:
    found = connection.execute(sql.GET_TERMS, {"version": number}).fetchall()
    if {(row[0], row[1]): (row[2], row[3], row[4]) for row in found} != dialect.terms(version):
        yield f"{name}: its searchable values are not those of its document"
    created = (
        f"SELECT 1 FROM version_terms WHERE version = {number} AND created <> {micros(version.created_at)}"  # noqa: S608
    )
    if connection.execute(created).fetchone():
        yield f"{name}: its searchable values carry another time of creation"
    if {row[0] for row in connection.execute(sql.GET_FILES, {"version": number})} != version_files(version):
        yield f"{name}: the bytes it keeps alive are not those of its document"
    if set(connection.execute(sql.GET_EDGES, {"version": number})) != version_edges(version):
        yield f"{name}: its lineage to search by is not that of its document"
    text = connection.execute(sql.GET_TEXT, {"id": number}).fetchone()
    if text is None or text[0] != search_text(version):
        yield f"{name}: its searchable text is not that of its document"


def _blobs(connection: Any) -> Iterator[str]:
    for row in _rows(connection, "digest, size, state, touched, revision, doc, row_digest", "blobs"):
        name = f"blob {row['digest']}"
        computed = digest(row["doc"], "blob", row["digest"], row["revision"])
        blob, wrong = _read(name, row["row_digest"], computed, decode_blob, row["doc"])
        if wrong:
            yield wrong
        else:
            yield from _differences(name, row, _blob_columns(blob))


def _blob_columns(blob: Blob) -> dict[str, Any]:
    return {
        "digest": blob.digest,
        "size": blob.size,
        "state": blob.state,
        "touched": micros(blob.touched_at),
        "revision": blob.revision,
    }


def _sources(connection: Any) -> Iterator[str]:
    for row in _rows(connection, "kind, target, revision, doc, row_digest", "sources"):
        name = f"{row['kind']} {row['target']}"
        computed = digest(row["doc"], "source", row["kind"], row["target"], row["revision"])
        _, wrong = _read(name, row["row_digest"], computed, decode_source, row["doc"])
        if wrong:
            yield wrong


def _receipts(connection: Any) -> Iterator[str]:
    for row in _rows(connection, '"key", revision, doc, row_digest', "receipts"):
        computed = digest(row["doc"], "receipt", row["key"], row["revision"])
        _, wrong = _read(
            f"receipt {row['key']}",
            row["row_digest"],
            computed,
            decode_receipt,
            row["doc"],
        )
        if wrong:
            yield wrong


def _log(connection: Any, dialect: Dialect) -> Iterator[str]:
    """Events by position, then the moves that follow from them."""
    expected: set[tuple[Any, ...]] = set()
    position = 0
    for row in _rows(
        connection, "position, model_key, sequence, at, subjects, doc, row_digest", "events ORDER BY position"
    ):
        position += 1
        name = f"event {row['sequence']} of {row['model_key'] or 'the registry'}"
        if row["position"] != position:
            yield f"{name}: found at position {row['position']}, expected {position}: events are missing before it"
            position = row["position"]
        computed = digest(row["doc"], "event", row["model_key"], row["sequence"])
        event, wrong = _read(name, row["row_digest"], computed, decode_event, row["doc"])
        if wrong:
            yield wrong
            continue
        yield from _differences(name, row, {"at": micros(event.at), "subjects": event_subjects(event)})
        expected |= {(row["model_key"], m.pointer, micros(m.at), m.sequence, m.number) for m in moves(event)}
    yield from _end_of_log(connection, position, dialect)
    yield from _moves(connection, expected)


def _end_of_log(connection: Any, position: int, dialect: Dialect) -> Iterator[str]:
    """The database counts positions it gave: fewer events than that means the log lost its end."""
    counter = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
    if dialect.advance is not None:
        counter = "SELECT position FROM event_log WHERE id = 1"
    row = connection.execute(counter).fetchone()
    if (given := row[0] if row else 0) != position:
        yield f"events: {given} positions were given, the last one found is {position}"


def _moves(connection: Any, expected: set[tuple[Any, ...]]) -> Iterator[str]:
    found: set[Sequence[Any]] = set(
        connection.execute("SELECT model_key, pointer, at, sequence, number FROM moves")
    )
    for move in sorted(expected ^ found, key=str):
        word = "is missing from" if move in expected else "has no event behind it in"
        yield f"move {move[3]} of {move[1]} of {move[0]} {word} the index of moves"


def _words(connection: Any) -> Iterator[str]:
    rows = connection.execute(
        "SELECT id FROM version_texts EXCEPT SELECT id FROM version_words_docsize "
        "UNION ALL SELECT id FROM (SELECT id FROM version_words_docsize EXCEPT SELECT id FROM version_texts)"
    ).fetchall()
    if rows:
        yield f"full-text index: {len(rows)} entries are missing or left over"
