"""Questions about models, blobs, events and counts as SQL text with named parameters; see ``sql_search`` for versions.

Pages continue from sort values (keyset), never from an offset: the last page costs what the first does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata.changes import check_tally
from modelyard.adapters.metadata.rows import micros
from modelyard.domain.names import fold
from modelyard.ports.lineage import BriefQuery, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    EventQuery,
    ModelQuery,
    TallyQuery,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A statement whose first ``marks`` columns are the sort values; ``:limit`` is given by who runs it."""

    sql: str
    given: dict[str, Any]
    marks: int


def model_answer(query: ModelQuery) -> Answer:
    """Models by name; the folded words are looked through row by row, since models are few."""
    where, given = ["1 = 1"], dict[str, Any]()
    if query.contains:
        where.append("instr(search, :word) > 0")
        given["word"] = fold(query.contains)
    if query.after is not None:
        where.append('(name, "key") > (:name, :key)')
        given["name"], given["key"] = paging.unseal(query, query.after)
    columns = 'name, "key", "key", slug, revision, doc, row_digest'
    order = 'name, "key"'
    return Answer(sql=_select(columns, "models", where, order), given=given, marks=2)


def blob_answer(query: BlobQuery) -> Answer:
    """Blobs by digest."""
    where, given = ["1 = 1"], dict[str, Any]()
    for name in ("digest", "state"):
        if (value := getattr(query, name)) is not None:
            where.append(f"{name} = :{name}")
            given[name] = value
    if query.among is not None:
        given |= {f"among_{place}": digest for place, digest in enumerate(query.among)}
        names = ", ".join(f":among_{place}" for place in range(len(query.among)))
        where.append(f"digest IN ({names})" if names else "1 = 0")
    if query.unreferenced:
        where.append("NOT EXISTS (SELECT 1 FROM version_files f WHERE f.digest = blobs.digest)")
    if query.idle_since is not None:
        where.append("touched <= :idle")
        given["idle"] = micros(query.idle_since)
    if query.after is not None:
        where.append("digest > :after")
        (given["after"],) = paging.unseal(query, query.after)
    columns = "digest, digest, revision, doc, row_digest"
    return Answer(sql=_select(columns, "blobs", where, "digest"), given=given, marks=1)


def source_answer(query: SourceQuery) -> Answer:
    """Sources by kind and name."""
    where, given = ["1 = 1"], dict[str, Any]()
    if query.after is not None:
        where.append("(kind, target) > (:kind, :target)")
        given["kind"], given["target"] = paging.unseal(query, query.after)
    columns = "kind, target, kind, target, revision, doc, row_digest"
    return Answer(sql=_select(columns, "sources", where, "kind, target"), given=given, marks=2)


def edge_answer(query: EdgeQuery) -> Answer:
    """Lineage edges from either end: each end has an index of its own, so each is asked by itself."""
    given = dict[str, Any]()
    parts = [
        f"SELECT v.model_id, e.kind, e.target FROM versions v JOIN version_edges e ON e.version = v.id "  # noqa: S608
        f"WHERE {column} IN ({_listed(values, column[0], given)})"
        for column, values in (("v.model_id", query.of), ("e.target", query.to))
    ]
    where = ["1 = 1"]
    if query.after is not None:
        where.append("(model_id, kind, target) > (:model_id, :kind, :target)")
        given |= dict(zip(("model_id", "kind", "target"), paging.unseal(query, query.after), strict=True))
    columns = "model_id, kind, target, model_id, kind, target"
    table = f"({' UNION '.join(parts)}) x"
    return Answer(sql=_select(columns, table, where, "model_id, kind, target"), given=given, marks=3)


def brief_answer(query: BriefQuery) -> Answer:
    """Some columns of versions, without a look into their documents."""
    given = dict[str, Any]()
    where = [f"model_id IN ({_listed(query.ids, 'v', given)})"]
    if query.after is not None:
        where.append("model_id > :after")
        (given["after"],) = paging.unseal(query, query.after)
    withdrawn = (
        "EXISTS (SELECT 1 FROM version_terms t WHERE t.version = versions.id AND t.field = 'withdrawn')"
    )
    columns = f"model_id, model_id, name, number, label, stage, deleted, {withdrawn}, revision"
    return Answer(sql=_select(columns, "versions", where, "model_id"), given=given, marks=1)


def _listed(values: tuple[str, ...], letter: str, given: dict[str, Any]) -> str:
    """``:v0, :v1``, with the values under these names in ``given``; for none ``NULL``, which equals nothing."""
    names = [f"{letter}{index}" for index in range(len(values))]
    given.update(zip(names, values, strict=True))
    return ", ".join(f":{name}" for name in names) or "NULL"


def event_answer(query: EventQuery) -> Answer:
    """Events of one chain by sequence, or of all by position."""
    by = "position" if query.model_key is None else "sequence"
    where, given = ["1 = 1"], dict[str, Any]()
    if query.model_key is not None:
        where.append("model_key = :model_key")
        given["model_key"] = query.model_key
    if query.subject:
        where.append("instr(subjects, :subject) > 0")
        given["subject"] = f" {query.subject} "
    if query.until is not None:
        where.append("at <= :until")
        given["until"] = micros(query.until)
    if query.after is not None:
        where.append(f"{by} {'<' if query.newest_first else '>'} :after")
        (given["after"],) = paging.unseal(query, query.after)
    columns = f"{by}, position, model_key, sequence, doc, row_digest"
    order = f"{by} DESC" if query.newest_first else by
    return Answer(sql=_select(columns, "events", where, order), given=given, marks=1)


def tally_sql(query: TallyQuery) -> str:
    """Counts by one column.

    Raises:
        InvalidQuery: There is nothing to count by under that name.
    """
    check_tally(query)
    if query.by in _TOTALS:
        return _TOTALS[query.by]
    # The unary plus keeps SQLite from taking the index that begins with `deleted`: it would read the whole registry.
    where = "deleted = 0" if query.model_key is None else "model_key = :model_key AND +deleted = 0"
    if query.namespace is not None:
        where = f"model_key > :above AND model_key < :below AND +{where}"
    return (
        f"SELECT {query.by}, count(*), sum(size) FROM versions WHERE {where} "  # noqa: S608
        f"GROUP BY {query.by} ORDER BY count(*) DESC, {query.by} LIMIT :limit"
    )


def tally_given(query: TallyQuery) -> dict[str, Any]:
    """Parameters of :func:`tally_sql`."""
    given: dict[str, Any] = {"limit": query.limit, "model_key": query.model_key}
    if query.namespace is not None:
        # A range over the index of keys: what follows the slash begins above "/" and below its successor, "0".
        given |= {"above": f"{query.namespace}/", "below": f"{query.namespace}0"}
    return given


_TOTALS = {
    "model": "SELECT 'models', count(*), 0 FROM models LIMIT :limit",
    "blob": "SELECT 'blobs', count(*), coalesce(sum(size), 0) FROM blobs WHERE state <> 'deleted' LIMIT :limit",
}


def _select(columns: str, table: str, where: list[str], order: str) -> str:
    """Only names from this package are written into the text; values are always parameters."""
    return f"SELECT {columns} FROM {table} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit"  # noqa: S608
