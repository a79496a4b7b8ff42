"""Filters and orders over versions as SQL text with named parameters.

Agrees exactly with ``domain.query.evaluate`` and ``order_key`` (a property test compares them). Conditions are never
NULL: columns are NOT NULL, and values that may be missing live in ``version_terms`` and are asked for by EXISTS.
``v`` is the row of ``versions`` that is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

from modelyard.adapters.metadata.dialect import SQLITE, Dialect, Way
from modelyard.adapters.metadata.rows import micros
from modelyard.adapters.metadata.terms import TERM_ROOTS, number
from modelyard.adapters.metadata.terms import field as term_field
from modelyard.domain.names import fold
from modelyard.domain.query import (
    FIELDS,
    And,
    Compare,
    Exists,
    Expr,
    Field,
    In,
    Not,
    Or,
    Order,
    Text,
    label_bounds,
)
from modelyard.domain.versioning import label_key

_COLUMNS: Final = {
    "framework": "v.framework",
    "algorithm": "v.algorithm",
    "created_by": "v.created_by",
    "digest": "v.digest",
    "number": "v.number",
    "size": "v.size",
    "created": "v.created",
    "updated": "v.updated",
    "stage": "v.stage",
    "scan": "v.scan",
}
_ORDER_COLUMNS: Final = _COLUMNS | {"name": "v.model_key", "label": "v.label_rank"}
_TEXT_COLUMNS: Final = ("framework", "algorithm", "created_by", "digest")


TRUE: Final = "1 = 1"
FALSE: Final = "1 = 0"


class Parameters:
    """Values of a statement, named as they come, for one kind of database.

    Args:
        dialect: Which kind.
        way: How the statement is meant to be answered.
        version: SQL of the judged version's number. Where a walk takes it from another table than ``versions``, rows
            that its other values rule out are never looked up there.
    """

    def __init__(self, dialect: Dialect = SQLITE, way: Way = Way.FREE, version: str = "v.id") -> None:
        self.given: dict[str, Any] = {}
        self.dialect = dialect
        self.way = way
        self.version = version

    @property
    def fence(self) -> str:
        """What keeps subqueries apart from the rest, where the rest is few rows or stops early."""
        return "" if self.way is Way.FREE else self.dialect.fence

    @property
    def own(self) -> str:
        """The alias of ``version_terms`` when one version's own rows are asked.

        The ``+`` changes no value; it keeps the database from answering through the index of all values of the field,
        which is up to 1,000 times slower. Where subqueries may be joined that index is what makes them quick.
        """
        return "t" if self.dialect.fence and self.way is Way.FREE else "+t"

    def add(self, value: Any) -> str:
        """``:p3``, which stands for ``value``."""
        return self._add(self.dialect.literal(plain(value)))

    def add_number(self, value: Any) -> str:
        """The same, for a number that is compared with ``version_terms.num``."""
        return self._add(self.dialect.number(plain(value)))

    def add_field(self, field: Field) -> str:
        """The same, for the name of a searchable value."""
        return self._add(self.dialect.field(term_field(field.root, *field.path)))

    def _add(self, value: Any) -> str:
        name = f"p{len(self.given)}"
        self.given[name] = value
        return f":{name}"


def plain(value: Any) -> Any:
    """A literal as the driver takes it."""
    if isinstance(value, datetime):
        return micros(value)
    if isinstance(value, bool):
        return int(value)
    return number(value) if isinstance(value, int | float) else value


# --- conditions ------------------------------------------------------------------------------------------------------


def condition(expr: Expr, params: Parameters) -> str:
    """SQL that is true where ``evaluate(expr, version)`` is true, else false."""
    match expr:
        case And(items):
            return _joined(" AND ", items, params, TRUE)
        case Or(items):
            return _joined(" OR ", items, params, FALSE)
        case Not(item):
            return f"NOT {condition(item, params)}"
        case Text(word):
            return f"(instr((SELECT search FROM version_texts x WHERE x.id = v.id), {params.add(fold(word))}) > 0)"  # noqa: S608
        case Exists(field):
            return _exists(field, params)
        case In(field, values):
            parts = [_compare(field, "=", value, params) for value in values]
            return f"({' OR '.join(parts)})" if parts else FALSE
        case Compare(field, "!=", value):
            return f"NOT {_compare(field, '=', value, params)}"
        case Compare(field, op, value):
            return _compare(field, op, value, params)
    assert_never(expr)


def _joined(word: str, items: tuple[Expr, ...], params: Parameters, empty: str) -> str:
    return f"({word.join(condition(item, params) for item in items)})" if items else empty


def _exists(field: Field, params: Parameters) -> str:
    if field.root in TERM_ROOTS:
        return in_terms(field, TRUE if field.path else f"{params.own}.text <> ''", params)
    return f"({_COLUMNS[field.root]} <> '')" if field.root in _TEXT_COLUMNS else TRUE


def _compare(field: Field, op: str, value: Any, params: Parameters) -> str:
    if field.root in TERM_ROOTS:
        return in_terms(field, term_condition(params.own, op, value, params), params)
    if field.root == "name":
        return _text_condition("v.model_key", op, fold(value), params)
    if field.root == "label":
        return _label(op, value, params)
    if op == "~":
        return _contains(params.dialect.folded_column(field.root, _COLUMNS[field.root]), value, params)
    return f"({_COLUMNS[field.root]} {op} {params.add(value)})"


def _text_condition(column: str, op: str, value: str, params: Parameters) -> str:
    return _contains(column, value, params) if op == "~" else f"({column} {op} {params.add(value)})"


def _contains(folded: str, value: str, params: Parameters) -> str:
    return f"(instr({folded}, {params.add(fold(value))}) > 0)"


def _label(op: str, value: str, params: Parameters) -> str:
    if op == "=":
        return f"(v.label_key = {params.add(label_key(value))})"
    if op == "~":
        return _contains(params.dialect.folded_column("label", "v.label"), value, params)
    bounds = label_bounds(value)
    if bounds is None:
        return FALSE
    low, high = bounds
    bound, sign = {"<": (low, "<"), "<=": (high, "<="), ">": (high, ">"), ">=": (low, ">=")}[op]
    return f"(v.label_rank {sign} {params.add(bound)})"


def in_terms(field: Field, wanted: str, params: Parameters) -> str:
    """Whether the version has a value in ``field`` that is as ``wanted``."""
    name = params.add_field(field)
    own = f"t.version = {params.version} AND t.field = {name}"
    return f"EXISTS (SELECT 1 FROM version_terms t WHERE {own} AND {wanted}{params.fence})"  # noqa: S608


def term_condition(alias: str, op: str, value: Any, params: Parameters) -> str:
    """A comparison with one stored value: of the same type, or it does not match."""
    if op == "~":
        return f"({alias}.type = 't' AND {_contains(params.dialect.folded_term(alias), value, params)})"
    if isinstance(value, str):
        return params.dialect.text(alias, op, params.add(value))
    type_ = "b" if isinstance(value, bool) else "n"
    return f"({alias}.type = '{type_}' AND {alias}.num {op} {params.add_number(value)})"


# --- orders ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key: what it is, whether it descends, and what a cursor remembers of it (three values at most)."""

    sql: str
    descending: bool
    marks: tuple[str, ...]
    place: int = 0
    """Which of ``marks`` is compared with when continuing."""


class Sorting:
    """``ORDER BY`` of a query: expressions that are never NULL, each with its direction, and the joins they need.

    Args:
        order: What was asked for; ties are broken by ``model_id`` descending.
        params: Takes the names of fields.
        created: Where the time of creation is read, for plans that walk another index by it.
        ranked: Whether the rows come from ``version_terms s0`` and hold a number of the first field; then that number
            alone sorts, straight from its index.
    """

    def __init__(
        self,
        order: tuple[Order, ...],
        params: Parameters,
        *,
        created: str = "v.created",
        ranked: bool = False,
    ) -> None:
        self.joins = ""
        self._zero = params.dialect.zero
        self._keys: list[Key] = []
        for place, item in enumerate(order):
            if ranked and place == 0:
                self._keys.append(_ranked(item))
            elif item.field.root in TERM_ROOTS:
                self._term(f"s{place}", item, params)
            else:
                self._column(
                    created if item.field.root == "created" else _order_column(item.field.root), item
                )
        self._keys.append(Key("v.model_id", True, ("v.model_id",)))

    def _column(self, sql: str, item: Order) -> None:
        self._keys.append(Key(sql, item.descending, (sql,)))

    def _term(self, alias: str, item: Order, params: Parameters) -> None:
        self.joins += f" LEFT JOIN version_terms {alias} ON {term_join(alias, item.field, params)}"
        for sql, descending in (
            (_term_class(alias, descending=item.descending), False),
            (f"coalesce({alias}.num, {self._zero})", item.descending),
            (f"coalesce({alias}.text, '')", item.descending),
        ):
            self._keys.append(Key(sql, descending, (sql,)))

    @property
    def marks(self) -> list[str]:
        """What a cursor remembers: columns of the answer."""
        return [mark for key in self._keys for mark in key.marks]

    @property
    def order_by(self) -> str:
        """Without the words ``ORDER BY``."""
        return ", ".join(f"{key.sql} DESC" if key.descending else key.sql for key in self._keys)

    @property
    def directions(self) -> list[bool]:
        """For every mark, whether it descends."""
        return [key.descending for key in self._keys for _ in key.marks]

    def after(self, values: list[Any], params: Parameters) -> str:
        """Rows behind the one with these marks."""
        names: list[str] = []
        for key in self._keys:
            names.append(params.add(values[key.place]))
            values = values[len(key.marks) :]
        if len({key.descending for key in self._keys}) == 1:
            sign = "<" if self._keys[0].descending else ">"
            return f"({', '.join(key.sql for key in self._keys)}) {sign} ({', '.join(names)})"
        text = ""
        for key, name in reversed(list(zip(self._keys, names, strict=True))):
            further = f"{key.sql} {'<' if key.descending else '>'} {name}"
            text = f"({further} OR ({key.sql} = {name} AND {text}))" if text else further
        return text


def term_join(alias: str, field: Field, params: Parameters) -> str:
    """The one value a version has in a single-valued field."""
    name = params.add_field(field)
    return f"{alias}.version = v.id AND {alias}.field = {name} AND {alias}.ordinal = 0"


def _ranked(item: Order) -> Key:
    """The same three marks as an unranked number leaves, so that a cursor fits both."""
    number_class = "1" if item.descending else "0"
    return Key("s0.num", item.descending, (number_class, "s0.num", "''"), place=1)


def _term_class(alias: str, *, descending: bool) -> str:
    """Numbers before texts, the other way round when descending; what is missing comes last both ways."""
    numbers, texts = (1, 0) if descending else (0, 1)
    return f"CASE WHEN {alias}.num IS NOT NULL THEN {numbers} WHEN {alias}.text IS NOT NULL THEN {texts} ELSE 2 END"


def _order_column(root: str) -> str:
    column = _ORDER_COLUMNS[root]
    choices = FIELDS[root].choices
    if not choices:
        return column
    cases = " ".join(f"WHEN '{choice}' THEN {place}" for place, choice in enumerate(choices))
    return f"CASE {column} {cases} ELSE {len(choices)} END"
