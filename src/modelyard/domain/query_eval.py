"""What a query means: the answer for one version in memory. Every store has to agree with this file.

Three rules carry the rest. (1) Logic has two values: a comparison with something that the version does not have is
false. (2) ``x != v`` is exactly ``not (x = v)``, hence true where x is missing. (3) NaN equals nothing and is neither
above nor below anything, though it exists; it is ordered last, together with what is missing.

Fields that hold any JSON (``params``, ``attributes``) compare within one JSON type only: the number 1, the
text "1" and ``true`` are three different things, lists and objects match nothing, null counts as missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from modelyard.domain import versioning
from modelyard.domain.query_expr import And, Compare, Exists, Expr, Field, In, Not, Or, Order, Value
from modelyard.domain.query_fields import FIELDS, label_bounds
from modelyard.domain.records import JSON, ModelVersion
from modelyard.domain.text import fold

OrderKey: TypeAlias = tuple[bool, Any]
"""Missing or not, then something that sorts in the order's direction; only keys of one ``Order`` compare."""


def evaluate(expr: Expr, version: ModelVersion) -> bool:
    """Whether ``version`` satisfies ``expr``. Raises nothing for an expression that ``parse`` returned."""
    match expr:
        case And(items):
            return all(evaluate(item, version) for item in items)
        case Or(items):
            return any(evaluate(item, version) for item in items)
        case Not(item):
            return not evaluate(item, version)
        case Compare(field, "!=", value):
            return not _any_matches(field, "=", value, version)
        case Compare(field, op, value):
            return _any_matches(field, op, value, version)
        case In(field, values):
            return any(_any_matches(field, "=", value, version) for value in values)
        case Exists(field):
            return _exists(field, version)
    return fold(expr.word) in search_text(version)


def search_text(version: ModelVersion) -> str:
    """What bare words are looked for in: name, description and ``key=value`` of each tag, folded, one per
    line.

    A store keeps this in a column of its own; then a plain substring test gives the right answer.
    """
    tags = (f"{key}={version.tags[key]}" for key in sorted(version.tags))
    return fold("\n".join((version.name, version.description, *tags)))


# --- values ---


def _values(field: Field, version: ModelVersion) -> tuple[JSON, ...]:
    """What the version has there: nothing, one value, or several for a field with ``multiple``."""
    match field.root:
        case "alias":
            return version.aliases
        case "parent":
            return (*filter(None, [version.parent]), *_edges(version, "parent"))
        case "dataset":
            return _edges(version, "dataset")
        case "withdrawn":
            return (version.withdrawn.reason,) if version.withdrawn else ()
    value = _value(field, version)
    return () if value is None else (value,)


def _edges(version: ModelVersion, kind: str) -> tuple[str, ...]:
    return tuple(edge.target for edge in version.edges if edge.kind == kind)


def _value(field: Field, version: ModelVersion) -> JSON:
    match field.root:
        case "label":
            return version.version
        case "stage":
            return version.stage.value
        case "created":
            return version.created_at
        case "updated":
            return version.updated_at or version.created_at
        case "metrics":
            return version.performance_metrics.get(field.path[0])
        case "params":
            return version.hyperparams.get(field.path[0])
        case "tags":
            return version.tags.get(field.path[0])
        case "checks":
            check = version.checks.get(field.path[0])
            return check.passed if check else None
        case "attributes":
            return _descend(version.attributes, field.path)
    return getattr(version, field.root)


def _descend(value: JSON, path: tuple[str, ...]) -> JSON:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _exists(field: Field, version: ModelVersion) -> bool:
    """Empty text counts as absent in fields that every version has (``framework``), not under a key of its
    own.
    """
    return any(value != "" or field.path for value in _values(field, version))


# --- comparisons ---


def _any_matches(field: Field, op: str, wanted: Value, version: ModelVersion) -> bool:
    kind = FIELDS[field.root].kind
    return any(_matches(kind, op, value, wanted) for value in _values(field, version))


def _matches(kind: str, op: str, value: JSON, wanted: Value) -> bool:
    if op == "~":
        return isinstance(value, str) and isinstance(wanted, str) and fold(wanted) in fold(value)
    if _json_type(value) != _json_type(wanted):
        return False
    if kind == "label":
        return _label_matches(op, value, str(wanted))
    if kind == "name":
        return _compare(op, fold(value), fold(str(wanted)))
    return _compare(op, value, wanted)


def _json_type(value: object) -> str:
    """``number``, ``text``, ``boolean`` or ``time``; what cannot be compared has a type of its own."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case datetime():
            return "time"
    return "other"


def _compare(op: str, value: Any, wanted: Any) -> bool:
    match op:
        case "=":
            return bool(value == wanted)
        case "<":
            return bool(value < wanted)
        case "<=":
            return bool(value <= wanted)
        case ">":
            return bool(value > wanted)
        case _:
            return bool(value >= wanted)


def _label_matches(op: str, label: str, wanted: str) -> bool:
    if op == "=":
        return versioning.label_key(label) == versioning.label_key(wanted)
    if (bounds := label_bounds(wanted)) is None:
        return False
    low, high = bounds
    rank = versioning.rank(label, 1)
    return _compare(op, rank, low if op in ("<", ">=") else high)


# --- order ---


def order_key(order: Order, version: ModelVersion) -> OrderKey:
    """A key for ``sorted``: ascending order of keys is the order asked for, missing values and NaN last both
    ways.

    Labels sort as ``latest`` ranks them, stages and verdicts in the order of their ``choices``, JSON by type
    first (numbers with ``false`` as 0 and ``true`` as 1, then text; lists and objects count as missing).
    """
    value = _sortable(order.field, version)
    if value is None:
        return True, ()
    return False, _Descending(value) if order.descending else value


class _Descending:
    """Turns the order of a value around."""

    __slots__ = ("value",)

    def __init__(self, value: tuple[int, Any]):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: _Descending) -> bool:
        return other.value < self.value


def _sortable(field: Field, version: ModelVersion) -> tuple[int, Any] | None:
    info = FIELDS[field.root]
    if info.kind == "label":
        return 0, versioning.rank(version.version, version.number)
    value = next(iter(_values(field, version)), None)
    if info.kind == "choice":
        return 0, info.choices.index(value)
    if info.kind == "name":
        return 0, fold(str(value))
    return _sortable_json(value)


def _sortable_json(value: JSON) -> tuple[int, Any] | None:
    match _json_type(value):
        case "text":
            return 1, value
        case "other":
            return None
        case "number" if math.isnan(value):
            return None
    return 0, value
