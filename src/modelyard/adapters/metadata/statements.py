"""Every fixed statement, as SQLAlchemy Core over the schema.

The embedded store runs them as SQL text that was compiled beforehand (``statements_sqlite.py``), because importing
SQLAlchemy costs 130 ms and its execution layer more than SQLite's own. ``python -m
modelyard.adapters.metadata.statements`` writes that file; a test compares it with this one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Index, Table, bindparam, delete, func, insert, null, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.expression import ClauseElement, Select

from modelyard.adapters.metadata.schema import (
    VERSION,
    blobs,
    events,
    experiments,
    exposures,
    metadata,
    models,
    moves,
    outcome_values,
    outcomes,
    receipts,
    registry,
    sessions,
    sources,
    tokens,
    version_docs,
    version_edges,
    version_files,
    version_terms,
    version_texts,
    versions,
)

HEAD: Final = '''"""Written by ``python -m modelyard.adapters.metadata.statements``: do not edit."""

# fmt: off
# ruff: noqa: E501, S105

from __future__ import annotations

from typing import Final

'''
_FIXED: Final = tuple(
    c.name
    for c in versions.c
    if c.name not in ("stage", "updated", "scan", "deleted", "holder_key", "revision")
)
"""Columns of what never changes in a version: left out of updates, so that their indexes are not written again."""

_VERSION_KEYS: Final = ("model_id", "model_key", "number", "label_key", "revision")


def _is(column: ColumnElement[Any], name: str = "") -> ColumnElement[bool]:
    return column == bindparam(name or column.key)


def _insert(table: Table, *, without: tuple[str, ...] = ()) -> ClauseElement:
    return insert(table).values({c.name: bindparam(c.name) for c in table.c if c.name not in without})


def _update(table: Table, key: str, *, without: tuple[str, ...] = ()) -> ClauseElement:
    """Compare-and-set: changes nothing unless the stored revision is ``expected``."""
    values: dict[str, Any] = {c.name: bindparam(c.name) for c in table.c if c.name not in (key, *without)}
    where = table.c[key] == bindparam(f"the_{key}")
    return update(table).where(where, table.c.revision == bindparam("expected")).values(values)


def _delete(table: Table, key: str) -> ClauseElement:
    return delete(table).where(_is(table.c[key]), table.c.revision == bindparam("expected"))


def _listed(table: Table, key: str) -> ClauseElement:
    """A page of a table whose rows are found by one text."""
    column = table.c[key]
    return select(*_read(table)).where(column > bindparam("after")).order_by(column).limit(bindparam("limit"))


def _version(*where: ColumnElement[bool]) -> Select[Any]:
    columns = [versions.c[name] for name in _VERSION_KEYS]
    joined = versions.join(version_docs, version_docs.c.id == versions.c.id)
    return select(*columns, version_docs.c.doc, version_docs.c.row_digest).select_from(joined).where(*where)


def statements() -> dict[str, ClauseElement]:
    """All of them by name; parameters are named after the columns."""
    v, m = versions.c, models.c
    return (
        _experiments()
        | _tokens()
        | _sessions()
        | {
            # one record
            "get_registry": select(registry.c.revision, registry.c.doc, registry.c.row_digest),
            "get_model": select(m.key, m.slug, m.revision, m.doc, m.row_digest).where(_is(m.key)),
            "get_slug": select(m.key, m.slug, m.revision, m.doc, m.row_digest).where(_is(m.slug)),
            "get_version": _version(_is(v.model_id)),
            "get_number": _version(_is(v.model_key), _is(v.number)),
            "get_label": _version(_is(v.model_key), _is(v.label_key)),
            "get_blob": select(*_stored(blobs, "digest")).where(_is(blobs.c.digest)),
            "get_source": select(*_stored(sources, "kind", "target")).where(
                _is(sources.c.kind), _is(sources.c.target)
            ),
            "get_receipt": select(*_stored(receipts, "key")).where(_is(receipts.c.key)),
            # revisions, for guards and refusals
            "revision_registry": select(registry.c.revision),
            "revision_model": select(m.revision).where(_is(m.key)),
            "revision_slug": select(m.revision).where(_is(m.slug)),
            "revision_version": select(v.revision).where(_is(v.model_id)),
            "revision_number": select(v.revision).where(_is(v.model_key), _is(v.number)),
            "revision_label": select(v.revision).where(_is(v.model_key), _is(v.label_key)),
            "revision_blob": select(blobs.c.revision).where(_is(blobs.c.digest)),
            "revision_source": select(sources.c.revision).where(_is(sources.c.kind), _is(sources.c.target)),
            "revision_receipt": select(receipts.c.revision).where(_is(receipts.c.key)),
            # writes of one record
            "insert_registry": _insert(registry),
            "update_registry": _update(registry, "id"),
            "insert_model": _insert(models, without=("id",)),
            "update_model": _update(models, "key", without=("id", "slug", "name")),
            "single_stages": select(m.single_stages).where(_is(m.key)),
            "insert_version": _insert(versions, without=("id",)),
            "update_version": _update(versions, "id", without=_FIXED),
            "version_id": select(v.id, v.revision).where(_is(v.model_id)),
            "clear_holders": update(versions).where(_is(v.model_key)).values(holder_key=null()),
            "set_holders": update(versions)
            .where(_is(v.model_key), _is(v.stage), v.deleted == 0)
            .values(holder_key=bindparam("the_holder")),
            "insert_doc": _insert(version_docs),
            "update_doc": update(version_docs)
            .where(version_docs.c.id == bindparam("the_id"))
            .values(doc=bindparam("doc"), row_digest=bindparam("row_digest")),
            "insert_text": _insert(version_texts),
            "update_text": update(version_texts)
            .where(version_texts.c.id == bindparam("the_id"))
            .values(search=bindparam("search")),
            "get_text": select(version_texts.c.search).where(_is(version_texts.c.id)),
            "get_files": select(version_files.c.digest).where(_is(version_files.c.version)),
            "insert_file": _insert(version_files),
            "delete_file": delete(version_files).where(
                _is(version_files.c.version), _is(version_files.c.digest)
            ),
            "get_edges": select(version_edges.c.kind, version_edges.c.target).where(
                _is(version_edges.c.version)
            ),
            "insert_edge": _insert(version_edges),
            "delete_edge": delete(version_edges).where(
                *(_is(version_edges.c[name]) for name in ("version", "kind", "target"))
            ),
            "get_terms": select(
                *[version_terms.c[n] for n in ("field", "ordinal", "type", "num", "text")]
            ).where(_is(version_terms.c.version)),
            "insert_term": _insert(version_terms),
            "delete_term": delete(version_terms).where(
                *(_is(version_terms.c[name]) for name in ("version", "field", "ordinal"))
            ),
            "insert_blob": _insert(blobs),
            "update_blob": _update(blobs, "digest"),
            "delete_blob": _delete(blobs, "digest"),
            "insert_source": _insert(sources),
            "update_source": update(sources)
            .where(_is(sources.c.kind), _is(sources.c.target), sources.c.revision == bindparam("expected"))
            .values({name: bindparam(name) for name in ("revision", "doc", "row_digest")}),
            "insert_receipt": _insert(receipts),
            "update_receipt": _update(receipts, "key"),
            "delete_receipt": _delete(receipts, "key"),
            "receipts": _listed(receipts, "key"),
            "insert_event": _insert(events, without=("position",)),
            "insert_event_at": _insert(events),
            "insert_move": _insert(moves),
            # the log
            "events": select(*_event_columns())
            .where(events.c.position > bindparam("after"))
            .order_by(events.c.position)
            .limit(bindparam("limit")),
            "moves": select(moves.c.at, moves.c.sequence, moves.c.number, *_event_columns())
            .select_from(
                moves.outerjoin(
                    events,
                    (events.c.model_key == moves.c.model_key) & (events.c.sequence == moves.c.sequence),
                )
            )
            .where(
                _is(moves.c.model_key),
                _is(moves.c.pointer),
                (moves.c.at < bindparam("at"))
                | ((moves.c.at == bindparam("at")) & (moves.c.sequence < bindparam("sequence"))),
            )
            .order_by(moves.c.at.desc(), moves.c.sequence.desc())
            .limit(bindparam("limit")),
            "count_events": select(
                func.count(events.c.position), func.coalesce(func.max(events.c.position), 0)
            ),
        }
    )


def _experiments() -> dict[str, ClauseElement]:
    """Statements over experiments and what is recorded of them."""
    e = experiments.c
    keys = {
        "experiment": (experiments, ("experiment_id",)),
        "identity": (experiments, ("identity",)),
        "outcome": (outcomes, ("experiment_id", "unit", "draw")),
        "exposure": (exposures, ("experiment_id", "writer")),
    }
    found: dict[str, ClauseElement] = {}
    for name, (table, columns) in keys.items():
        where = [_is(table.c[column]) for column in columns]
        found[f"get_{name}"] = select(*_read(table)).where(*where)
        found[f"revision_{name}"] = select(table.c.revision).where(*where)
    return found | {
        "insert_experiment": _insert(experiments),
        "update_experiment": _update(experiments, "experiment_id", without=("model_key", "identity")),
        "insert_outcome": _insert(outcomes),
        "insert_value": _insert(outcome_values),
        "insert_exposure": _insert(exposures),
        "update_exposure": update(exposures)
        .where(*(_is(exposures.c[n]) for n in ("experiment_id", "writer")))
        .where(exposures.c.revision == bindparam("expected"))
        .values({name: bindparam(name) for name in ("revision", "doc", "row_digest")}),
        "experiments": select(*_read(experiments))
        .where(e.experiment_id > bindparam("after"))
        .order_by(e.experiment_id)
        .limit(bindparam("limit")),
        "model_experiments": select(*_read(experiments))
        .where(_is(e.model_key), e.experiment_id > bindparam("after"))
        .order_by(e.experiment_id)
        .limit(bindparam("limit")),
        "exposures": select(*_read(exposures))
        .where(_is(exposures.c.experiment_id), exposures.c.writer > bindparam("after"))
        .order_by(exposures.c.writer)
        .limit(bindparam("limit")),
        "outcomes": select(*_read(outcomes))
        .where(
            _is(outcomes.c.experiment_id),
            (outcomes.c.unit > bindparam("unit"))
            | ((outcomes.c.unit == bindparam("unit")) & (outcomes.c.draw > bindparam("draw"))),
        )
        .order_by(outcomes.c.unit, outcomes.c.draw)
        .limit(bindparam("limit")),
        "tally_outcomes": _tally(outcomes),
        "tally_values": _tally(outcome_values, _is(outcome_values.c.metric)),
    }


def _tokens() -> dict[str, ClauseElement]:
    """Statements over tokens."""
    t = tokens.c
    keys = {"token": _is(t.token_id), "secret": _is(t.digest)}
    found: dict[str, ClauseElement] = {}
    for name, where in keys.items():
        found[f"get_{name}"] = select(*_read(tokens)).where(where)
        found[f"revision_{name}"] = select(t.revision).where(where)
    return found | {
        "insert_token": _insert(tokens),
        "update_token": _update(tokens, "token_id", without=("digest",)),
        "delete_token": _delete(tokens, "token_id"),
        "tokens": _listed(tokens, "token_id"),
    }


def _sessions() -> dict[str, ClauseElement]:
    """Statements over sessions."""
    s = sessions.c
    found: dict[str, ClauseElement] = {}
    for name, where in {"session": _is(s.session_id), "session_secret": _is(s.digest)}.items():
        found[f"get_{name}"] = select(*_read(sessions)).where(where)
        found[f"revision_{name}"] = select(s.revision).where(where)
    return found | {
        "insert_session": _insert(sessions),
        "update_session": _update(sessions, "session_id"),
        "delete_session": _delete(sessions, "session_id"),
        "sessions": _listed(sessions, "session_id"),
    }


def _tally(table: Table, *where: ColumnElement[bool]) -> Select[Any]:
    """Per variant: outcomes, units, mean over units, squared distances from it. Two passes, since the difference of two
    large sums would lose what tells large values apart."""
    of = [_is(table.c.experiment_id), table.c.late == 0, *where]
    units = (
        select(table.c.variant, func.count().label("outcomes"), func.avg(table.c.value).label("mean"))
        .where(*of)
        .group_by(table.c.unit, table.c.variant)
        .cte("units")
    )
    means = (
        select(units.c.variant, func.avg(units.c.mean).label("centre")).group_by(units.c.variant).cte("means")
    )
    apart = units.c.mean - means.c.centre
    return (
        select(
            units.c.variant,
            func.sum(units.c.outcomes),
            func.count(),
            func.min(means.c.centre),
            func.sum(apart * apart),
        )
        .select_from(units.join(means, means.c.variant == units.c.variant))
        .group_by(units.c.variant)
        .order_by(units.c.variant)
    )


def _read(table: Table) -> list[ColumnElement[Any]]:
    return list(table.c)


def _stored(table: Table, *keys: str) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in (*keys, "revision", "doc", "row_digest")]


def _event_columns() -> list[ColumnElement[Any]]:
    return [events.c[name] for name in ("position", "model_key", "sequence", "doc", "row_digest")]


def _one_line(clause: Any) -> str:
    compiled = clause.compile(dialect=sqlite.dialect(paramstyle="named"))
    text = " ".join(str(compiled).split())
    for name, value in (compiled.params or {}).items():
        if value is not None:  # a constant of ours, which Core would bind anew on every call
            text = re.sub(rf":{name}\b", str(value), text)
    return text.removesuffix(" OFFSET 0")


def _is_for_sqlite(index: Index) -> bool:
    """SQLAlchemy judges this itself only where it has a connection."""
    condition, dialect = index._ddl_if, sqlite.dialect()
    compiler = dialect.ddl_compiler(dialect, CreateIndex(index))
    return condition is None or condition._should_execute(CreateIndex(index), index, None, compiler=compiler)


def sqlite_ddl() -> tuple[str, ...]:
    """Statements that make an empty SQLite database into one with the newest schema."""
    made: list[str] = []
    for table in metadata.sorted_tables:
        if table.info.get("servers"):
            continue
        made.append(_one_line(CreateTable(table)))
        made.extend(
            _one_line(CreateIndex(index))
            for index in sorted(table.indexes, key=lambda i: str(i.name))
            if _is_for_sqlite(index)
        )
    return tuple(made)


def sqlite_module() -> str:
    """Text of ``statements_sqlite.py``."""
    lines = [HEAD, f"SCHEMA_VERSION: Final = {VERSION}\n\nDDL: Final = (\n"]
    lines += [f"    {_quoted(text)},\n" for text in sqlite_ddl()]
    lines.append(")\n\n")
    lines += [
        f"{name.upper()}: Final = {_quoted(_one_line(clause))}\n" for name, clause in statements().items()
    ]
    return "".join(lines)


def _quoted(text: str) -> str:
    return f'"""{text}"""' if '"' in text else f'"{text}"'


if __name__ == "__main__":
    Path(__file__).with_name("statements_sqlite.py").write_text(sqlite_module(), "utf-8")
