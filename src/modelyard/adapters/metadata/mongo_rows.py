"""Records as MongoDB documents: the JSON text of ``rows`` with its digest, and beside it what it is found by.

The text stays a text (not nested BSON), so that one digest covers it wherever it is stored and names that users choose
never become names of fields. Everything beside it is derived: :func:`document` makes it all from the record, and
``check`` makes it again to compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from modelyard.adapters.metadata import rows, rows_experiments, rows_sessions, rows_tokens
from modelyard.adapters.metadata.rows import Row, digest, dump, micros
from modelyard.adapters.metadata.terms import (
    Term,
    model_search,
    single_stages,
    version_columns,
    version_edges,
    version_files,
    version_terms,
)
from modelyard.domain.errors import IntegrityError
from modelyard.domain.events import moves, subjects
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.names import fold
from modelyard.domain.query import search_text
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Receipt, Registry, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token

FOLDED: Final = ("framework", "algorithm", "created_by", "digest", "label")
"""Columns of a version that can be searched for a part in any case: their folded forms are kept too."""


# --- records to documents --------------------------------------------------------------------------------------------


def document(record: Any) -> Row:
    """A record as it is stored, without ``_id``, ``holder_key`` and an event's ``position``, which depend on others.

    Raises:
        InvalidInput: It holds what JSON cannot.
    """
    return _WRITERS[type(record)](record)


def _stored(row: Row, doc: str, kind: str, *keys: str) -> Row:
    """``row`` with its text, and the digest over that and the key columns."""
    return row | {"doc": doc, "row_digest": digest(doc, kind, *(row[key] for key in keys))}


def _registry(record: Registry) -> Row:
    row = {"id": 1, "revision": record.revision}
    return _stored(row, dump(rows.encode_registry(record)), "registry", "revision")


def _model(record: Model) -> Row:
    row = {
        "key": record.key,
        "slug": record.slug,
        "name": record.name,
        "search": model_search(record),
        "single_stages": single_stages(record),
        "revision": record.revision,
    }
    return _stored(row, dump(rows.encode_model(record)), "model", "key", "slug", "revision")


def _version(record: ModelVersion) -> Row:
    row = version_columns(record)
    row["folded"] = {name: fold(row[name]) for name in FOLDED}
    row["search"] = search_text(record)
    row["files"] = sorted(version_files(record))
    row["edges"] = [{"kind": kind, "target": target} for kind, target in sorted(version_edges(record))]
    row["terms"] = [_term(*key, term) for key, term in sorted(version_terms(record).items())]
    row["withdrawn"] = int(record.withdrawn is not None)
    keys = ("model_id", "model_key", "number", "label_key", "revision")
    return _stored(row, dump(rows.encode_version(record)), "version", *keys)


def _term(field: str, ordinal: int, term: Term) -> Row:
    """One searchable value: ``f`` field, ``o`` ordinal, ``t`` type, ``n`` number, ``s`` text, ``w`` the text folded."""
    type_, number, text = term
    row: Row = {"f": field, "o": ordinal, "t": type_, "n": number, "s": text}
    return row if text is None else row | {"w": fold(text)}


def _blob(record: Blob) -> Row:
    row = {
        "digest": record.digest,
        "size": record.size,
        "state": record.state,
        "touched": micros(record.touched_at),
        "revision": record.revision,
    }
    return _stored(row, dump(rows.encode_blob(record)), "blob", "digest", "revision")


def _source(record: Source) -> Row:
    row = {"kind": record.kind, "target": record.target, "revision": record.revision}
    return _stored(row, dump(rows.encode_source(record)), "source", "kind", "target", "revision")


def _receipt(record: Receipt) -> Row:
    row = {"key": record.key, "revision": record.revision}
    return _stored(row, dump(rows.encode_receipt(record)), "receipt", "key", "revision")


def _outcome(record: Outcome) -> Row:
    row = _columns(rows_experiments.outcome_row(record))
    row["values"] = [{"m": metric, "v": value} for metric, value in sorted(record.guardrails.items())]
    return row


def _columns(row: Row) -> Row:
    """Without the second names that SQL statements need for the columns they look by."""
    return {name: value for name, value in row.items() if not name.startswith("the_")}


def _event(record: Event) -> Row:
    row = {
        "model_key": fold(record.model),
        "sequence": record.sequence,
        "at": micros(record.at),
        "subjects": list(subjects(record)),
        "moves": [{"pointer": move.pointer, "number": move.number} for move in moves(record)],
    }
    return _stored(row, dump(rows.encode_event(record)), "event", "model_key", "sequence")


_WRITERS: Final[Mapping[type, Callable[[Any], Row]]] = {
    Registry: _registry,
    Model: _model,
    ModelVersion: _version,
    Blob: _blob,
    Source: _source,
    Receipt: _receipt,
    Event: _event,
    Experiment: lambda record: _columns(rows_experiments.experiment_row(record)),
    Outcome: _outcome,
    Exposure: lambda record: _columns(rows_experiments.exposure_row(record)),
    Token: lambda record: _columns(rows_tokens.TOKENS.row(record)),
    Session: lambda record: _columns(rows_sessions.SESSIONS.row(record)),
}


# --- and back --------------------------------------------------------------------------------------------------------


def _reader(
    kind: str, name: tuple[str, ...], keys: tuple[str, ...], decode: Callable[[Row], Any]
) -> Callable[[Row], Any]:
    """Reads documents of one kind; ``name`` is what an error calls them by, ``keys`` what the digest covers."""

    def read(row: Row) -> Any:
        if row.get("row_digest") != digest(row.get("doc", ""), kind, *(row.get(key) for key in keys)):
            called = " ".join([kind, *(str(row.get(part)) for part in name)])
            raise IntegrityError(
                f"the stored document of {called} does not match its own digest: it was changed or damaged in the "
                "database; run `modelyard fsck` and restore it from a backup"
            )
        return decode(json.loads(row["doc"]))

    return read


def _tabular(columns: tuple[str, ...], read: Callable[[list[Any]], Any]) -> Callable[[Row], Any]:
    return lambda row: read([row.get(column) for column in columns])


_VERSION_KEYS: Final = ("model_id", "model_key", "number", "label_key", "revision")
READERS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "registry": _reader("registry", (), ("revision",), rows.decode_registry),
    "models": _reader("model", ("key",), ("key", "slug", "revision"), rows.decode_model),
    "versions": _reader("version", ("model_id",), _VERSION_KEYS, rows.decode_version),
    "blobs": _reader("blob", ("digest",), ("digest", "revision"), rows.decode_blob),
    "sources": _reader("source", ("kind", "target"), ("kind", "target", "revision"), rows.decode_source),
    "receipts": _reader("receipt", ("key",), ("key", "revision"), rows.decode_receipt),
    "events": _reader("event", ("sequence", "model_key"), ("model_key", "sequence"), rows.decode_event),
    "experiments": _tabular(rows_experiments.EXPERIMENT, rows_experiments.read_experiment),
    "outcomes": _tabular(rows_experiments.OUTCOME, rows_experiments.read_outcome),
    "exposures": _tabular(rows_experiments.EXPOSURE, rows_experiments.read_exposure),
    "tokens": _tabular(rows_tokens.TOKENS.columns, rows_tokens.TOKENS.read),
    "sessions": _tabular(rows_sessions.SESSIONS.columns, rows_sessions.SESSIONS.read),
}
"""By collection: the record of a document, or ``IntegrityError`` where it does not match its digest."""
