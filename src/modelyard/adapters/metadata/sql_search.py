"""One page of versions, and the way to it: where to start, so that a page costs a few thousand rows at most.

A filter is answered either *from sources* (the few rows that conditions pick from indexes, sorted afterwards) or *by a
walk* (rows in the order asked for, each judged, until the page is full). Which is cheaper depends on how many rows a
condition picks; that is counted first, but never beyond ``MANY``, so that asking is cheap (80 ns a row). With 100,000
versions a walk that keeps every 50th reads 2,500 rows for a page of 50, at about 1 µs each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final, TypeAlias, TypeGuard

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata.dialect import SQLITE, Dialect, Way
from modelyard.adapters.metadata.guide import Guide
from modelyard.adapters.metadata.sql_filter import TRUE, Parameters, Sorting, condition, term_condition
from modelyard.adapters.metadata.sql_sources import (
    Source,
    by_file,
    conditions,
    count,
    in_order_of_creation,
    sources,
    sparsest,
)
from modelyard.domain.query import Compare, Expr, Field, In, Order
from modelyard.ports.metadata import VersionQuery

FEW: Final = 1600
"""A condition that picks fewer rows than this is a good start by itself; in a large registry a few more (``_few``)."""

MANY: Final = 4000
"""Two that pick fewer than this are a good start together."""

_NEWEST_FIRST: Final = (Order(Field("created"), True),)
_RESULT: Final = "v.model_id, v.model_key, v.number, v.label_key, v.revision, d.doc, d.row_digest"
_RESULT_COLUMNS: Final = 7
_MISSING: Final = 2

Row: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A statement whose rows end in the result columns and begin with the marks of a cursor."""

    sql: str
    given: dict[str, Any]
    way: Way


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
    guide = Guide(connection, dialect)
    for plan in _plans(guide, query, words):
        given = plan.given | {"limit": query.limit + 1 - len(rows)}
        rows += guide.run(plan.way, plan.sql, given).fetchall()
        if len(rows) > query.limit:
            break
    kept = [row[-_RESULT_COLUMNS:] for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return kept, None
    return kept, paging.seal(query, list(rows[query.limit - 1][:-_RESULT_COLUMNS]))


def _plans(guide: Guide, query: VersionQuery, words: bool) -> Iterator[Plan]:
    """Statements whose answers, one after the other, are the answer."""
    order = query.order or _NEWEST_FIRST
    dialect = guide.dialect
    values = None if query.after is None else paging.unseal(query, query.after)
    terms = in_order_of_creation(query, order) if dialect.texts_by_time else []
    if small := _small_sources(guide, query, words, walkable=bool(terms)):
        yield _from_sources(query, order, values, small, Parameters(dialect, Way.PICK))
    elif order[0].field.root == "metrics":
        yield from _by_rank(query, order, values, dialect)
    elif terms:
        term = sparsest(guide, terms, order[0].descending, values[0] if values else None)
        yield _by_term(query, order, values, term, Parameters(dialect, Way.WALK, "e.version"))
    else:
        way = Way.WALK if _is_indexed(query, order) else Way.FREE
        yield _by_walk(query, order, values, Parameters(dialect, way))


# --- which way -------------------------------------------------------------------------------------------------------


def _small_sources(guide: Guide, query: VersionQuery, words: bool, *, walkable: bool) -> list[Source]:
    """Sources to start from, smallest first; none if a walk is the better way."""
    offered = list(sources(query, words=words))
    few = FEW if walkable or not offered else _few(guide, query)
    counted: list[tuple[int, int, Source]] = []
    for place, source in enumerate(offered):
        alone = not counted and place == len(offered) - 1
        enough = few if alone else MANY
        found = count(guide, source, enough)
        if not found:
            return [source]  # nothing can be found: nothing else need be counted
        if found < enough:
            counted.append((found, place, source))
    counted.sort()
    if len(counted) == 1 and counted[0][0] >= few:
        return []
    return [source for _, _, source in counted]


def _few(guide: Guide, query: VersionQuery) -> int:
    """How many rows are worth sorting instead of a walk: more in a larger registry, where walks are longer.

    Where one in ``n`` of ``N`` rows is kept, a walk reads ``limit * n`` of them and sorting reads ``N / n``, each of
    which costs about twice as much.
    """
    (last,) = guide.run(Way.FREE, "SELECT max(id) FROM versions", {}).fetchone()
    return min(MANY, max(FEW, isqrt(query.limit * (last or 0) // 2)))


def _is_indexed(query: VersionQuery, order: tuple[Order, ...]) -> bool:
    """Whether ``versions`` has an index in that order."""
    return len(order) == 1 and order[0].field.root == "created" and query.deleted is not None


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
    ids = f"SELECT DISTINCT id FROM ({ids}) x" if repeats else ids  # noqa: S608
    rows = f"({ids}{params.fence}) c CROSS JOIN versions v ON v.id = c.id"
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
        params = Parameters(dialect, Way.WALK, "s0.version")
        name = params.add_field(field)
        where = [f"s0.field = {name}", "s0.type = 'n'", "s0.num IS NOT NULL"]
        bounds = [expr for expr in conditions(query) if _bounds(expr, field)]
        where += [term_condition("s0", expr.op, expr.value, params) for expr in bounds]
        rows = "version_terms s0 CROSS JOIN versions v ON v.id = s0.version"
        yield _plan(query, rows, where, Sorting(order, params, ranked=True), values, params, bounds)
    if not any(_implies(expr, field) for expr in conditions(query)):
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
    return Plan(sql=text, given=params.given, way=params.way)


def _wanted(query: VersionQuery, params: Parameters, covered: Sequence[Expr]) -> Iterator[str]:
    if query.deleted is not None:
        yield f"v.deleted = {int(query.deleted)}"
    for column in ("model_key", "digest"):
        if (value := getattr(query, column)) is not None:
            yield f"v.{column} = {params.add(value)}"
    if query.file is not None:
        yield f"v.id IN ({by_file(query.file)(params)})"
    for expr in conditions(query):
        if not any(expr is known for known in covered):
            yield condition(expr, params)
