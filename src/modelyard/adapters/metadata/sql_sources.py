"""Where a search can start: conditions that an index answers, as SELECTs of version ids, and how many these are.

Counting never goes beyond what decides, so that asking is cheap: 80 ns a row in SQLite, 1 to 2 µs in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelyard.adapters.metadata.dialect import Way
from modelyard.adapters.metadata.guide import Guide
from modelyard.adapters.metadata.sql_filter import Parameters, plain, term_condition
from modelyard.adapters.metadata.terms import TERM_ROOTS
from modelyard.domain.names import fold
from modelyard.domain.query import And, Compare, Expr, Field, In, Order, Text
from modelyard.ports.metadata import VersionQuery

_SINGLE_VALUED: Final = ("tags", "params", "attributes")
_INDEXED: Final = {"name": "model_key", "stage": "stage", "digest": "digest"}
FURTHER: Final = 100
"""Entries of an index that are passed over to see how far apart they lie: about two pages of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows can come from: version ids that one condition picks from an index.

    Attributes:
        ids: Writes a SELECT of them (column ``id``), given where to put values.
        covers: The condition that every one of them fulfils, or ``None`` if each has to be judged again.
        repeats: Whether an id may come twice.
        way: How they are counted.
    """

    ids: Callable[[Parameters], str]
    covers: Expr | None = None
    repeats: bool = False
    way: Way = Way.COUNT


def count(guide: Guide, source: Source, enough: int) -> int:
    """How many ids ``source`` has, repetitions included, but never more than ``enough``."""
    params = Parameters(guide.dialect, source.way)
    statement = f"SELECT count(*) FROM ({source.ids(params)} LIMIT {enough}) x"  # noqa: S608
    return int(guide.run(source.way, statement, params.given).fetchone()[0])


def sparsest(guide: Guide, terms: list[Compare], newest_first: bool, start: int | None) -> Compare:
    """The term whose index a walk in order of creation had better follow: it passes the fewest other versions.

    Args:
        guide: The connection.
        terms: Wanted tags or the like, at least one; the index lists the versions of each by time.
        newest_first: The direction of the walk.
        start: The time of creation where it begins, ``None`` for the end of the index.
    """
    if len(terms) == 1:
        return terms[0]
    reached = [_reached(guide, term, newest_first, start) for term in terms]
    if None in reached:
        return terms[reached.index(None)]
    times = [time for time in reached if time is not None]
    return terms[times.index((min if newest_first else max)(times))]


def _reached(guide: Guide, term: Compare, newest_first: bool, start: int | None) -> int | None:
    """The time of creation some entries further on; ``None`` if there are not as many."""
    params = Parameters(guide.dialect, Way.WALK)
    where = f"e.field = {params.add_field(term.field)} AND {term_condition('e', '=', term.value, params)}"
    if start is not None:
        where += f" AND e.created {'<=' if newest_first else '>='} {params.add(start)}"
    statement = (
        f"SELECT e.created FROM version_terms e WHERE {where} "  # noqa: S608
        f"ORDER BY e.created{' DESC' if newest_first else ''} LIMIT 1 OFFSET {FURTHER}"
    )
    row = guide.run(Way.WALK, statement, params.given).fetchone()
    return None if row is None else int(row[0])


# --- conditions ------------------------------------------------------------------------------------------------------


def conditions(query: VersionQuery) -> tuple[Expr, ...]:
    """What all has to hold."""
    if query.where is None:
        return ()
    return query.where.items if isinstance(query.where, And) else (query.where,)


def in_order_of_creation(query: VersionQuery, order: tuple[Order, ...]) -> list[Compare]:
    """Wanted tags (or the like) whose index is in the order asked for already."""
    if len(order) != 1 or order[0].field.root != "created":
        return []
    return [
        expr
        for expr in conditions(query)
        if isinstance(expr, Compare)
        and expr.field.root in _SINGLE_VALUED
        and expr.op == "="
        and isinstance(expr.value, str)
    ]


def sources(query: VersionQuery, *, words: bool) -> Iterator[Source]:
    """Every way to start, in the order of the question."""
    for column in ("model_key", "digest"):
        if (value := getattr(query, column)) is not None:
            yield Source(ids=_by_column(column, (value,)))
    if query.file is not None:
        yield Source(ids=by_file(query.file))
    for expr in conditions(query):
        if (source := _source_of(expr, words=words)) is not None:
            yield source


def _source_of(expr: Expr, *, words: bool) -> Source | None:
    """How an index answers a condition, if one does."""
    match expr:
        case Text(word) if words and len(fold(word)) >= 3:
            return Source(ids=_by_words(fold(word)), way=Way.FREE)
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


def by_file(digest: str) -> Callable[[Parameters], str]:
    """Versions that keep these bytes alive."""

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
