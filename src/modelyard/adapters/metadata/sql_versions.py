"""New versions of one commit as rows: one statement a table, however many they are.

A server answers each statement in a trip of its own, and a batch of registrations has hundreds of versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.dialect import Dialect
from modelyard.adapters.metadata.rows import digest, dump, encode_version
from modelyard.adapters.metadata.terms import Term, version_edges, version_files
from modelyard.domain.query import search_text
from modelyard.domain.records import ModelVersion

Row = dict[str, Any]

INSERT_WORDS: Final = "INSERT INTO version_words (rowid, search) VALUES (?, ?)"
AT_ONCE: Final = 100
"""Names asked for in one statement, always as many, so that databases need to understand few statements."""

_FOUND: Final = "SELECT model_id, id, revision FROM versions WHERE model_id IN ({})".format(  # noqa: S608
    ", ".join(f":m{place}" for place in range(AT_ONCE))
)


def present(cursor: Any, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Number of the row and revision of those versions that are there."""
    if len(ids) == 1:
        row = cursor.execute(sql.VERSION_ID, {"model_id": ids[0]}).fetchone()
        return {ids[0]: (row[0], row[1])} if row else {}
    found: dict[str, tuple[int, int]] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        asked = {f"m{place}": some[place] if place < len(some) else "" for place in range(AT_ONCE)}
        rows = cursor.execute(_FOUND, asked).fetchall()
        found |= {model_id: (number, revision) for model_id, number, revision in rows}
    return found


def insert(cursor: Any, dialect: Dialect, fresh: Sequence[tuple[ModelVersion, Row]], *, words: bool) -> None:
    """Write new versions with all that they are found by.

    Args:
        cursor: Inside a transaction that writes.
        dialect: The kind of database.
        fresh: Each version and its columns, ``holder_key`` included.
        words: Whether there is SQLite's full-text table.
    """
    numbered = list(_numbered(cursor, dialect, fresh))
    texts = [(number, search_text(version)) for number, version, _ in numbered]
    documents = [document(version, row) | {"id": number} for number, version, row in numbered]
    _all(cursor, sql.INSERT_DOC, documents)
    _all(cursor, sql.INSERT_TEXT, [{"id": number, "search": search} for number, search in texts])
    if words:
        cursor.executemany(INSERT_WORDS, texts)
    _all(cursor, sql.INSERT_FILE, _each(numbered, lambda number, v: file_rows(number, version_files(v))))
    _all(cursor, sql.INSERT_EDGE, _each(numbered, lambda number, v: edge_rows(number, version_edges(v))))
    terms = [
        term
        for number, version, row in numbered
        for term in term_rows(number, dialect.terms(version), row["created"])
    ]
    _all(cursor, sql.INSERT_TERM, terms)


def _numbered(
    cursor: Any, dialect: Dialect, fresh: Sequence[tuple[ModelVersion, Row]]
) -> Iterator[tuple[int, ModelVersion, Row]]:
    """Insert the columns; each version with the number that its row was given."""
    if len(fresh) == 1:
        ((version, row),) = fresh
        number = dialect.number_of(cursor.execute(sql.INSERT_VERSION + dialect.returning, row))
        yield number, version, row
    elif fresh:
        cursor.executemany(sql.INSERT_VERSION, [row for _, row in fresh])
        numbers = present(cursor, [version.model_id for version, _ in fresh])
        for version, row in fresh:
            yield numbers[version.model_id][0], version, row


def _each(numbered: Iterable[tuple[int, ModelVersion, Row]], rows: Any) -> list[Row]:
    return [row for number, version, _ in numbered for row in rows(number, version)]


def _all(cursor: Any, statement: str, rows: Sequence[Row]) -> None:
    """Servers' drivers take some trouble over many; over one, a plain statement is quicker."""
    if len(rows) == 1:
        cursor.execute(statement, rows[0])
    elif rows:
        cursor.executemany(statement, rows)


# --- one version's rows ----------------------------------------------------------------------------------------------


def document(version: ModelVersion, row: Row) -> Row:
    """The document and its digest; ``row``: the version's columns."""
    doc = dump(encode_version(version))
    return {"doc": doc, "row_digest": version_digest(doc, row)}


def version_digest(doc: str, row: Mapping[str, Any]) -> bytes:
    """Covers what a version is found by, so that a row cannot answer for another."""
    return digest(
        doc, "version", row["model_id"], row["model_key"], row["number"], row["label_key"], row["revision"]
    )


def file_rows(number: int, digests: Iterable[str]) -> list[Row]:
    """Rows of ``version_files``."""
    return [{"version": number, "digest": name} for name in sorted(digests)]


def edge_rows(number: int, edges: Iterable[tuple[str, str]]) -> list[Row]:
    """Rows of ``version_edges``."""
    return [{"version": number, "kind": kind, "target": target} for kind, target in sorted(edges)]


def term_rows(number: int, terms: Mapping[tuple[str, int], Term], created: int) -> list[Row]:
    """Rows of ``version_terms``."""
    return [
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
