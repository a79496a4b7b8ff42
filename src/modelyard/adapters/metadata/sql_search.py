"""One page of versions, and the way to it: where to start, so that a page costs a few thousand rows at most.

A filter is answered either *from sources* (the few rows that conditions pick from indexes, sorted afterwards) or *by a
walk* (rows in the order asked for, each judged, until the page is full). Which is cheaper depends on how many rows a
condition picks; that is counted first, but never beyond ``MANY``, so that asking is cheap (80 ns a row). With 100,000
versions a walk that keeps every 50th reads 2,500 rows for a page of 50, at about 1 µs each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeGuard

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata.dialect import SQLITE, Dialect
from modelyard.adapters.metadata.sql_filter import (
    TRUE,
    Parameters,
    Sorting,
    condition,
    plain,
    term_condition,
)
from modelyard.adapters.metadata.terms import TERM_ROOTS
from modelyard.domain.names import fold
from modelyard.domain.query import And, Compare, Expr, Field, In, Order, Text
from modelyard.ports.metadata import VersionQuery

FEW: Final = 1600
"""A condition that picks fewer rows than this is a good start by itself."""

MANY: Final = 4000
"""Two that pick fewer than this are a good start together."""

_SINGLE_VALUED: Final = ("tags", "params", "attributes")
_INDEXED: Final = {"name": "model_key", "stage": "stage", "digest": "digest"}
_NEWEST_FIRST: Final = (Order(Field("created"), True),)
_RESULT: Final = "v.model_id, v.model_key, v.number, v.label_key, v.revision, d.doc, d.row_digest"
_RESULT_COLUMNS: Final = 7
_MISSING: Final = 2

Row: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows can come from: version ids that one condition picks from an index.

    Attributes:
        ids: Writes a SELECT of them (column ``id``), given where to put values.
        covers: The condition that every one of them fulfils, or ``None`` if each has to be judged again.
        repeats: Whether an id may come twice.
    """

    ids: Callable[[Parameters], str]
    covers: Expr | None = None
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A statement whose rows end in the result columns and begin with the marks of a cursor."""

    sql: str
    given: dict[str, Any]


def version_page(
    connection: Any, query: VersionQuery, *, words: bool, dialect: Dialect = SQLITE
) -> tuple[list[Row], str | None]:
    """Rows of one page (key columns, document, digest) and the cursor behind it.

    Args:
        connection: A DBAPI connection in a read transaction.
        query: The question.
        words: Whether the database has an index of words.
        dialect: Which kind of database it is.
    """
    rows: list[Row] = []
    for plan in _plans(connection, query, words, dialect):
        rows += connection.execute(plan.sql, plan.given | {"limit": query.limit + 1 - len(rows)}).fetchall()
        if len(rows) > query.limit:
            break
    kept = [row[-_RESULT_COLUMNS:] for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return kept, None
    return kept, paging.seal(query, list(rows[query.limit - 1][:-_RESULT_COLUMNS]))


def _plans(connection: Any, query: VersionQuery, words: bool, dialect: Dialect) -> Iterator[Plan]:
    """Statements whose answers, one after the other, are the answer."""
    order = query.order or _NEWEST_FIRST
    values = None if query.after is None else paging.unseal(query, query.after)
    sources = _small_sources(connection, query, words, dialect)
    if sources:
        yield _from_sources(query, order, values, sources, Parameters(dialect))
    elif order[0].field.root == "metrics":
        yield from _by_rank(query, order, values, dialect)
    elif (term := _walkable(query, order)) is not None:
        yield _by_term(query, order, values, term, Parameters(dialect))
    else:
        yield _by_walk(query, order, values, Parameters(dialect))


# --- which way -------------------------------------------------------------------------------------------------------


def _conditions(query: VersionQuery) -> tuple[Expr, ...]:
    """What all has to hold."""
    if query.where is None:
        return ()
    return query.where.items if isinstance(query.where, And) else (query.where,)


def _small_sources(connection: Any, query: VersionQuery, words: bool, dialect: Dialect) -> list[Source]:
    """Sources to start from, smallest first; none if a walk is the better way."""
    counted: list[tuple[int, int, Source]] = []
    for place, source in enumerate(_sources(query, words=words)):
        params = Parameters(dialect)
        statement = f"SELECT count(*) FROM ({source.ids(params)} LIMIT {MANY}) x"  # noqa: S608
        count = connection.execute(statement, params.given).fetchone()[0]
        if count < MANY:
            counted.append((count, place, source))
    counted.sort()
    if not counted or (counted[0][0] >= FEW and len(counted) == 1):
        return []
    return [source for _, _, source in counted]


def _sources(query: VersionQuery, *, words: bool) -> Iterator[Source]:
    for column in ("model_key", "digest"):
        if (value := getattr(query, column)) is not None:
            yield Source(ids=_by_column(column, (value,)))
    if query.file is not None:
        yield Source(ids=_by_file(query.file))
    for expr in _conditions(query):
        if (source := _source_of(expr, words=words)) is not None:
            yield source


def _source_of(expr: Expr, *, words: bool) -> Source | None:
    """How an index answers a condition, if one does."""
    match expr:
        case Text(word) if words and len(fold(word)) >= 3:
            return Source(ids=_by_words(fold(word)))
        case Compare(Field(root), "=", value) if root in _INDEXED:
            return Source(ids=_by_column(_INDEXED[root], (_stored(root, value),)), covers=expr)
        case In(Field(root), values) if root in _INDEXED:
            return Source(
                ids=_by_column(_INDEXED[root], tuple(_stored(root, v) for v in values)), covers=expr
            )
        case Compare(Field(root) as field, "=" | "<" | "<=" | ">" | ">=" as op, value) if root in TERM_ROOTS:
            return Source(ids=_by_terms(field, ((op, value),)), covers=expr, repeats=not field.path)
        case In(Field(root) as field, values) if root in TERM_ROOTS:
            return Source(ids=_by_terms(field, tuple(("=", v) for v in values)), covers=expr, repeats=True)
    return None


def _stored(root: str, value: Any) -> Any:
    return fold(value) if root == "name" else plain(value)


def _by_column(column: str, values: tuple[Any, ...]) -> Callable[[Parameters], str]:
    def ids(params: Parameters) -> str:
        names = ", ".join(params.add(value) for value in values)
        return f"SELECT id FROM versions WHERE {column} IN ({names})"  # noqa: S608

    return ids


def _by_file(digest: str) -> Callable[[Parameters], str]:
    def ids(params: Parameters) -> str:
        return f"SELECT version AS id FROM version_files WHERE digest = {params.add(digest)}"  # noqa: S608

    return ids


def _by_terms(field: Field, wanted: tuple[tuple[str, Any], ...]) -> Callable[[Parameters], str]:
    def ids(params: Parameters) -> str:
        name = params.add_field(field)
        parts = [
            f"SELECT version AS id FROM version_terms t WHERE t.field = {name} "  # noqa: S608
            f"AND {term_condition('t', op, value, params)}"
            for op, value in wanted
        ]
        return " UNION ALL ".join(parts)

    return ids


def _by_words(word: str) -> Callable[[Parameters], str]:
    return lambda params: params.dialect.word_ids(word, params.add)


def _walkable(query: VersionQuery, order: tuple[Order, ...]) -> Compare | None:
    """A wanted tag (or the like) whose index is in order of creation already."""
    if len(order) == 1 and order[0].field.root == "created":
        for expr in _conditions(query):
            match expr:
                case Compare(Field(root), "=", str()) if root in _SINGLE_VALUED:
                    return expr
    return None


# --- the ways --------------------------------------------------------------------------------------------------------


def _from_sources(
    query: VersionQuery,
    order: tuple[Order, ...],
    values: list[Any] | None,
    sources: list[Source],
    params: Parameters,
) -> Plan:
    repeats = len(sources) == 1 and sources[0].repeats  # INTERSECT drops repetitions by itself
    ids = " INTERSECT ".join(
        f"SELECT id FROM ({source.ids(params)}) x{place}"  # noqa: S608
        for place, source in enumerate(sources)
    )
    rows = (
        f"({f'SELECT DISTINCT id FROM ({ids}) x' if repeats else ids}) c CROSS JOIN versions v ON v.id = c.id"  # noqa: S608
    )
    covered = [source.covers for source in sources if source.covers is not None]
    return _plan(query, rows, [], Sorting(order, params), values, params, covered)


def _by_walk(
    query: VersionQuery, order: tuple[Order, ...], values: list[Any] | None, params: Parameters
) -> Plan:
    return _plan(query, "versions v", [], Sorting(order, params), values, params)


def _by_term(
    query: VersionQuery,
    order: tuple[Order, ...],
    values: list[Any] | None,
    term: Compare,
    params: Parameters,
) -> Plan:
    name = params.add_field(term.field)
    where = [f"e.field = {name}", term_condition("e", "=", term.value, params)]
    rows = "version_terms e CROSS JOIN versions v ON v.id = e.version"
    return _plan(query, rows, where, Sorting(order, params, created="e.created"), values, params, [term])


def _by_rank(
    query: VersionQuery, order: tuple[Order, ...], values: list[Any] | None, dialect: Dialect
) -> Iterator[Plan]:
    """First the versions that have the metric, from its index; then, if the page is not full, those that have not."""
    field = order[0].field
    if values is None or values[0] != _MISSING:
        params = Parameters(dialect)
        name = params.add_field(field)
        where = [f"s0.field = {name}", "s0.type = 'n'", "s0.num IS NOT NULL"]
        bounds = [expr for expr in _conditions(query) if _bounds(expr, field)]
        where += [term_condition("s0", expr.op, expr.value, params) for expr in bounds]
        rows = "version_terms s0 CROSS JOIN versions v ON v.id = s0.version"
        yield _plan(query, rows, where, Sorting(order, params, ranked=True), values, params, bounds)
    if not any(_implies(expr, field) for expr in _conditions(query)):
        params = Parameters(dialect)
        yield _plan(query, "versions v", ["s0.num IS NULL"], Sorting(order, params), values, params)


def _bounds(expr: Expr, field: Field) -> TypeGuard[Compare]:
    """Whether a condition says where in the order of ``field`` to walk: what lies outside need not be read."""
    return isinstance(expr, Compare) and expr.field == field and expr.op != "!="


def _implies(expr: Expr, field: Field) -> bool:
    """Whether what fulfils ``expr`` certainly has a number in ``field``."""
    return isinstance(expr, Compare | In) and expr.field == field and getattr(expr, "op", "=") != "!="


def _plan(
    query: VersionQuery,
    rows: str,
    where: list[str],
    sorting: Sorting,
    values: list[Any] | None,
    params: Parameters,
    covered: Sequence[Expr] = (),
) -> Plan:
    where = [*where, *_wanted(query, params, covered)]
    if values is not None:
        where.append(sorting.after(values, params))
    marks = ", ".join(f"{mark} AS k{place}" for place, mark in enumerate(sorting.marks))
    names = [f"h.k{place}" for place in range(len(sorting.marks))]
    again = ", ".join(f"{n} DESC" if down else n for n, down in zip(names, sorting.directions, strict=True))
    text = (
        f"WITH hits AS (SELECT v.id AS id, {marks} FROM {rows}{sorting.joins} "  # noqa: S608
        f"WHERE {' AND '.join(where) or TRUE} ORDER BY {sorting.order_by} LIMIT :limit) "
        f"SELECT {', '.join(names)}, {_RESULT} FROM hits h "
        f"CROSS JOIN versions v ON v.id = h.id CROSS JOIN version_docs d ON d.id = h.id ORDER BY {again}"
    )
    return Plan(sql=text, given=params.given)


def _wanted(query: VersionQuery, params: Parameters, covered: Sequence[Expr]) -> Iterator[str]:
    if query.deleted is not None:
        yield f"v.deleted = {int(query.deleted)}"
    for column in ("model_key", "digest"):
        if (value := getattr(query, column)) is not None:
            yield f"v.{column} = {params.add(value)}"
    if query.file is not None:
        yield f"v.id IN ({_by_file(query.file)(params)})"
    for expr in _conditions(query):
        if not any(expr is known for known in covered):
            yield condition(expr, params)
