"""Writing one ``Changes`` inside one open transaction, in as few statements as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.changes import key_of, stale
from modelyard.adapters.metadata.rows import (
    digest,
    dump,
    encode_blob,
    encode_event,
    encode_model,
    encode_receipt,
    encode_registry,
    encode_version,
    micros,
)
from modelyard.adapters.metadata.terms import (
    Term,
    event_subjects,
    holder_key,
    model_search,
    single_stages,
    version_columns,
    version_files,
    version_terms,
)
from modelyard.domain.events import moves
from modelyard.domain.names import fold
from modelyard.domain.query import search_text
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Receipt, Registry
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    Drop,
    Key,
    LabelKey,
    ModelKey,
    NumberKey,
    ReceiptKey,
    RegistryKey,
    SlugKey,
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
    ReceiptKey: sql.REVISION_RECEIPT,
}


def parameters(key: Key) -> Row:
    """A key's fields, which are called like the columns."""
    return {name: getattr(key, name) for name in key.__slots__}


class Writer:
    """Applies changes over a cursor whose transaction the caller began and will end.

    Args:
        cursor: A DBAPI cursor inside a write transaction.
        words: Whether this database has the full-text table.
    """

    def __init__(self, cursor: Any, *, words: bool) -> None:
        self._cursor = cursor
        self._run = cursor.execute
        self._words = words
        self._single: dict[str, str] = {}
        self._renamed: list[tuple[str, str]] = []

    def apply(self, changes: Changes) -> None:
        """All of it, or an error after which the caller rolls back."""
        for guard in changes.guards:
            if (found := self._revision(guard.key)) != guard.expected:
                raise stale(guard.key, guard.expected, found)
        for drop in changes.drops:
            self._drop(drop)
        for put in changes.puts:
            if not isinstance(put.record, ModelVersion):
                _PUTTERS[type(put.record)](self, put.record, put.expected)
        self._put_versions(
            [(put.record, put.expected) for put in changes.puts if isinstance(put.record, ModelVersion)]
        )
        self._rename_holders()
        self._append(changes.events)

    # --- revisions ---------------------------------------------------------------------------------------------------

    def _revision(self, key: Key) -> int:
        row = self._run(REVISIONS[type(key)], parameters(key)).fetchone()
        return row[0] if row else 0

    def _swap(self, key: Key, expected: int, insert: str, update: str, row: Row) -> None:
        """Insert where nothing is expected, else update where the revision is the expected one."""
        if expected == 0:
            if self._revision(key):
                raise stale(key, expected, self._revision(key))
            self._run(insert, row)
        elif self._run(update, row | {"expected": expected}).rowcount != 1:
            raise stale(key, expected, self._revision(key))

    def _drop(self, drop: Drop) -> None:
        statement = sql.DELETE_BLOB if isinstance(drop.key, BlobKey) else sql.DELETE_RECEIPT
        if self._run(statement, parameters(drop.key) | {"expected": drop.expected}).rowcount != 1:
            raise stale(drop.key, drop.expected, self._revision(drop.key))

    # --- small records -----------------------------------------------------------------------------------------------

    def put_registry(self, record: Registry, expected: int) -> None:
        doc = dump(encode_registry(record))
        row = {"id": 1, "the_id": 1, "revision": record.revision, "doc": doc}
        row["row_digest"] = digest(doc, "registry", record.revision)
        self._swap(RegistryKey(), expected, sql.INSERT_REGISTRY, sql.UPDATE_REGISTRY, row)

    def put_blob(self, record: Blob, expected: int) -> None:
        doc = dump(encode_blob(record))
        row = {
            "digest": record.digest,
            "the_digest": record.digest,
            "size": record.size,
            "state": record.state,
            "touched": micros(record.touched_at),
            "revision": record.revision,
            "doc": doc,
            "row_digest": digest(doc, "blob", record.digest, record.revision),
        }
        self._swap(key_of(record), expected, sql.INSERT_BLOB, sql.UPDATE_BLOB, row)

    def put_receipt(self, record: Receipt, expected: int) -> None:
        doc = dump(encode_receipt(record))
        row = {"key": record.key, "the_key": record.key, "revision": record.revision, "doc": doc}
        row["row_digest"] = digest(doc, "receipt", record.key, record.revision)
        self._swap(key_of(record), expected, sql.INSERT_RECEIPT, sql.UPDATE_RECEIPT, row)

    # --- models ------------------------------------------------------------------------------------------------------

    def put_model(self, record: Model, expected: int) -> None:
        doc = dump(encode_model(record))
        single = single_stages(record)
        before = self._run(sql.SINGLE_STAGES, {"key": record.key}).fetchone()
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
        if before and before[0] != single:
            self._run(sql.CLEAR_HOLDERS, {"model_key": record.key})
            self._renamed.append((record.key, single))

    def _rename_holders(self) -> None:
        """A policy says anew which stages have one holder: rare, so all versions of the model are looked at."""
        for model_key, single in self._renamed:
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
        """Those that leave a stage go first, so that its one place is free for who comes."""
        held = [(self._holder(version), version, expected) for version, expected in versions]
        for holder, version, expected in sorted(held, key=lambda item: item[0] is not None):
            row = version_columns(version) | {"holder_key": holder, "expected": expected}
            found = self._run(sql.VERSION_ID, {"model_id": version.model_id}).fetchone()
            if (found[1] if found else 0) != expected:
                raise stale(key_of(version), expected, found[1] if found else 0)
            if found is None:
                self._insert_version(version, row)
            else:
                self._update_version(version, row | {"the_id": found[0]})

    def _insert_version(self, version: ModelVersion, row: Row) -> None:
        self._run(sql.INSERT_VERSION, row)
        number = self._cursor.lastrowid
        search = search_text(version)
        self._run(sql.INSERT_DOC, _document(version, row) | {"id": number})
        self._run(sql.INSERT_TEXT, {"id": number, "search": search})
        if self._words:
            self._run(INSERT_WORDS, (number, search))
        self._add_files(number, version_files(version))
        self._add_terms(number, version_terms(version), row["created"])

    def _update_version(self, version: ModelVersion, row: Row) -> None:
        number = row["the_id"]
        self._run(sql.UPDATE_VERSION, row)
        self._run(sql.UPDATE_DOC, _document(version, row) | {"the_id": number})
        self._update_text(number, search_text(version))
        self._update_files(number, version_files(version))
        self._update_terms(number, version_terms(version), row["created"])

    def _update_text(self, number: int, search: str) -> None:
        before = self._run(sql.GET_TEXT, {"id": number}).fetchone()[0]
        if before == search:
            return
        self._run(sql.UPDATE_TEXT, {"the_id": number, "search": search})
        if self._words:
            self._run(DELETE_WORDS, (number, before))
            self._run(INSERT_WORDS, (number, search))

    def _update_files(self, number: int, wanted: frozenset[str]) -> None:
        there = {row[0] for row in self._run(sql.GET_FILES, {"version": number})}
        gone = [{"version": number, "digest": name} for name in there - wanted]
        self._cursor.executemany(sql.DELETE_FILE, gone)
        self._add_files(number, wanted - there)

    def _add_files(self, number: int, digests: frozenset[str]) -> None:
        rows = [{"version": number, "digest": name} for name in sorted(digests)]
        self._cursor.executemany(sql.INSERT_FILE, rows)

    def _update_terms(self, number: int, wanted: Mapping[tuple[str, int], Term], created: int) -> None:
        """Only the difference: an update mostly touches one or two of twenty values."""
        found = self._run(sql.GET_TERMS, {"version": number}).fetchall()
        there = {(row[0], row[1]): (row[2], row[3], row[4]) for row in found}
        gone = [key for key, term in there.items() if wanted.get(key) != term]
        rows = [{"version": number, "field": field, "ordinal": ordinal} for field, ordinal in gone]
        self._cursor.executemany(sql.DELETE_TERM, rows)
        self._add_terms(number, {k: term for k, term in wanted.items() if there.get(k) != term}, created)

    def _add_terms(self, number: int, terms: Mapping[tuple[str, int], Term], created: int) -> None:
        rows = [
            {
                "version": number,
                "field": field,
                "ordinal": ordinal,
                "type": type_,
                "num": num,
                "text": text,
                "created": created,
            }
            for (field, ordinal), (type_, num, text) in sorted(terms.items())
        ]
        self._cursor.executemany(sql.INSERT_TERM, rows)

    # --- events ------------------------------------------------------------------------------------------------------

    def _append(self, events: tuple[Event, ...]) -> None:
        for event in events:
            model_key, at = fold(event.model), micros(event.at)
            doc = dump(encode_event(event))
            row = {
                "model_key": model_key,
                "sequence": event.sequence,
                "at": at,
                "subjects": event_subjects(event),
                "doc": doc,
            }
            row["row_digest"] = digest(doc, "event", model_key, event.sequence)
            self._run(sql.INSERT_EVENT, row)
            found = [
                {
                    "model_key": model_key,
                    "pointer": move.pointer,
                    "at": at,
                    "sequence": event.sequence,
                    "number": move.number,
                }
                for move in moves(event)
            ]
            self._cursor.executemany(sql.INSERT_MOVE, found)


def _document(version: ModelVersion, row: Row) -> Row:
    doc = dump(encode_version(version))
    return {"doc": doc, "row_digest": version_digest(doc, row)}


def version_digest(doc: str, row: Mapping[str, Any]) -> bytes:
    """Covers what a version is found by, so that a row cannot answer for another."""
    return digest(
        doc, "version", row["model_id"], row["model_key"], row["number"], row["label_key"], row["revision"]
    )


INSERT_WORDS = "INSERT INTO version_words (rowid, search) VALUES (?, ?)"
DELETE_WORDS = "INSERT INTO version_words (version_words, rowid, search) VALUES ('delete', ?, ?)"

_PUTTERS: Mapping[type, Any] = {
    Registry: Writer.put_registry,
    Model: Writer.put_model,
    Blob: Writer.put_blob,
    Receipt: Writer.put_receipt,
}
