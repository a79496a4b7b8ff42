"""Filters and orders over versions as MongoDB conditions and sort keys.

Agrees exactly with ``domain.query.evaluate`` and ``order_key`` (a property test compares them). MongoDB's comparisons
match values of the operand's own type only, which is the rule here too; values that a version may lack live in its
``terms``, of which one element has to fulfil the whole condition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

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

Condition = dict[str, Any]

NOTHING: Final[Condition] = {"model_id": {"$in": []}}
EVERYTHING: Final[Condition] = {}
_TEXTS: Final = ("framework", "algorithm", "created_by", "digest")
_OPERATORS: Final = {"=": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_ORDER_FIELDS: Final = {"name": "model_key", "label": "label_rank"}
_LONGEST_PATTERN: Final = 4000
"""Characters of a word up to which it is looked for as a pattern; the server takes patterns up to 32 KiB."""


def plain(value: Any) -> Any:
    """A literal as the database holds it."""
    if isinstance(value, datetime):
        return micros(value)
    if isinstance(value, bool):
        return int(value)
    return number(value) if isinstance(value, int | float) else value


# --- conditions ------------------------------------------------------------------------------------------------------


def condition(expr: Expr) -> Condition:
    """What exactly those documents fulfil whose version ``evaluate(expr, version)`` is true for."""
    match expr:
        case And(items):
            return {"$and": [condition(item) for item in items]} if items else EVERYTHING
        case Or(items):
            return {"$or": [condition(item) for item in items]} if items else NOTHING
        case Not(item):
            return {"$nor": [condition(item)]}
        case Text(word):
            return _contains("search", fold(word))
        case Exists(field):
            return _exists(field)
        case In(field, values):
            return {"$or": [_compare(field, "=", value) for value in values]} if values else NOTHING
        case Compare(field, "!=", value):
            return {"$nor": [_compare(field, "=", value)]}
        case Compare(field, op, value):
            return _compare(field, op, value)
    assert_never(expr)


def _exists(field: Field) -> Condition:
    if field.root in TERM_ROOTS:
        return _in_terms(field, {} if field.path else {"s": {"$gt": ""}})
    return {field.root: {"$ne": ""}} if field.root in _TEXTS else EVERYTHING


def _compare(field: Field, op: str, value: Any) -> Condition:
    if field.root in TERM_ROOTS:
        return _compare_term(field, op, value)
    if field.root == "name":
        word = fold(value)
        return _contains("model_key", word) if op == "~" else {"model_key": {_OPERATORS[op]: word}}
    if op == "~":
        return _contains(f"folded.{field.root}", fold(value))
    if field.root == "label":
        return _label(op, value)
    return {field.root: {_OPERATORS[op]: plain(value)}}


def _label(op: str, value: str) -> Condition:
    if op == "=":
        return {"label_key": {"$eq": label_key(value)}}
    bounds = label_bounds(value)
    if bounds is None:
        return NOTHING
    low, high = bounds
    return {"label_rank": {_OPERATORS[op]: low if op in ("<", ">=") else high}}


def _contains(name: str, word: str) -> Condition:
    """Plain search for a part, byte by byte; ``word`` may begin with a dollar, hence the ``$literal``."""
    return {"$expr": {"$gte": [{"$indexOfBytes": [f"${name}", {"$literal": word}]}, 0]}}


# --- terms -----------------------------------------------------------------------------------------------------------


def _in_terms(field: Field, wanted: Condition) -> Condition:
    """Whether one element is of ``field`` and as ``wanted``."""
    return {"terms": {"$elemMatch": {"f": {"$eq": _named(field)}} | wanted}}


def _named(field: Field) -> str:
    return term_field(field.root, *field.path)


def _compare_term(field: Field, op: str, value: Any) -> Condition:
    """A comparison with a stored value: of the same type, or it does not match."""
    if op == "~":
        return _contained_in_terms(field, fold(value))
    if isinstance(value, str):
        return _in_terms(field, {"s": {_OPERATORS[op]: value}})
    type_ = "b" if isinstance(value, bool) else "n"
    return _in_terms(field, {"t": {"$eq": type_}, "n": {_OPERATORS[op]: plain(value)}})


def _contained_in_terms(field: Field, word: str) -> Condition:
    if len(word) <= _LONGEST_PATTERN:
        return _in_terms(field, {"w": {"$regex": re.escape(word).replace("\0", r"\x00")}})
    found = {"$gte": [{"$indexOfBytes": [{"$ifNull": ["$$this.w", ""]}, {"$literal": word}]}, 0]}
    named = {"$eq": ["$$this.f", {"$literal": _named(field)}]}
    hits = {"$filter": {"input": "$terms", "cond": {"$and": [named, found]}}}
    return {"$expr": {"$gt": [{"$size": hits}, 0]}}


# --- orders ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One sort key: a field of the document, or what is computed under that name."""

    name: str
    descending: bool
    computed: Any = None


def sort_keys(order: tuple[Order, ...]) -> list[Key]:
    """What versions are sorted by, none of it ever missing; ties are broken by ``model_id`` descending."""
    keys = [key for place, item in enumerate(order) for key in _keys(place, item)]
    return [*keys, Key(name="model_id", descending=True)]


def _keys(place: int, item: Order) -> list[Key]:
    root = item.field.root
    if root in TERM_ROOTS:
        return _term_keys(f"k{place}", item)
    if choices := FIELDS[root].choices:
        computed = {"$indexOfArray": [list(choices), f"${root}"]}
        return [Key(name=f"k{place}", descending=item.descending, computed=computed)]
    return [Key(name=_ORDER_FIELDS.get(root, root), descending=item.descending)]


def _term_keys(prefix: str, item: Order) -> list[Key]:
    """Numbers before texts, the other way round when descending; what is missing comes last both ways."""
    numbers, texts = (1, 0) if item.descending else (0, 1)
    is_text = {"$eq": [{"$type": _of_term(item, "s")}, "string"]}
    class_ = {
        "$cond": [{"$isNumber": _of_term(item, "n")}, numbers, {"$cond": [is_text, texts, _MISSING]}],
    }
    down = item.descending
    return [
        Key(name=f"{prefix}_class", descending=False, computed=class_),
        Key(name=f"{prefix}_number", descending=down, computed={"$ifNull": [_of_term(item, "n"), 0]}),
        Key(name=f"{prefix}_text", descending=down, computed={"$ifNull": [_of_term(item, "s"), ""]}),
    ]


_MISSING: Final = 2


def _of_term(item: Order, part: str) -> Condition:
    """A part of the one value that a version has in a field of one value."""
    named = {"$eq": ["$$this.f", {"$literal": _named(item.field)}]}
    found = {"$first": {"$filter": {"input": "$terms", "cond": named}}}
    return {"$getField": {"field": part, "input": found}}


def after(keys: list[Key], values: list[Any]) -> Condition:
    """Documents behind the one whose sort keys have these values."""
    ways: list[Condition] = []
    for place, key in enumerate(keys):
        same = {earlier.name: {"$eq": value} for earlier, value in zip(keys[:place], values, strict=False)}
        further = {"$lt" if key.descending else "$gt": values[place]}
        # A name may be sorted by twice; the second time changes nothing.
        ways.append(same | {key.name: same.get(key.name, {}) | further})
    return {"$or": ways}
