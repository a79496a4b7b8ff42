"""The query language of ``search``, ``list --where`` and every other place that filters versions.

    stage = production and metrics.accuracy >= 0.9
    (framework = "scikit-learn" or tags.team in (risk, fraud)) and not checks.biased = true
    credit scoring created > -7d order by metrics.`val accuracy` desc, created

There is no pattern language in it, only equality, order and substring, so no query can be made slow on
purpose. ``parse`` gives a tree, stores translate the tree, and ``evaluate`` says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, InvalidQuery
from modelyard.domain.query_eval import OrderKey, evaluate, order_key, search_text
from modelyard.domain.query_expr import (
    And,
    Compare,
    Exists,
    Expr,
    Field,
    In,
    Not,
    Or,
    Order,
    Search,
    Text,
    Value,
    and_,
)
from modelyard.domain.query_fields import (
    FIELDS,
    FieldInfo,
    field_problem,
    label_bounds,
    operators,
    value_problem,
)
from modelyard.domain.query_parse import parse
from modelyard.domain.query_render import render, render_field, render_search
from modelyard.domain.text import shown

__all__ = [
    "FIELDS",
    "MOST",
    "And",
    "Compare",
    "Exists",
    "Expr",
    "Field",
    "FieldInfo",
    "In",
    "Not",
    "Or",
    "Order",
    "OrderKey",
    "Search",
    "Text",
    "Value",
    "and_",
    "check_limit",
    "evaluate",
    "from_filters",
    "label_bounds",
    "operators",
    "order_key",
    "parse",
    "render",
    "render_field",
    "render_search",
    "search_text",
]

MOST: Final = 1000
"""Most items of one page."""


def check_limit(limit: int) -> int:
    """A page size from 1 to 1000.

    Raises:
        InvalidInput: Any other number, or no whole number.
    """
    value: object = limit
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(
            f"limit: expected a whole number from 1 to {MOST}, found {shown(value)}. Pass an int."
        )
    if not 1 <= value <= MOST:
        found = str(value) if abs(value) < 10**30 else "a number of more than 30 digits"
        raise InvalidInput(f"limit: expected 1 to {MOST}, found {found}. Ask for further pages instead.")
    return value


def from_filters(**filters: Any) -> Expr | None:
    """All of some simple conditions: ``from_filters(stage="production", tags={"team": "risk"}, number=[1,
    2])``.

    A single value asks for equality, a list, tuple or set for any of its values. ``tags``, ``metrics``, ``params``,
    ``checks`` and ``attributes`` take a mapping from names to such values; a name stands for itself, dots
    included. ``None`` asks for nothing. A time without a zone is UTC.

    Returns:
        ``None`` if nothing was asked for.

    Raises:
        InvalidQuery: An unknown filter, a value of another type than the field, or an empty list.
    """
    conditions: list[Expr] = []
    for root, wanted in filters.items():
        if wanted is None:
            continue
        named = isinstance(wanted, Mapping)
        pairs = [((str(key),), value) for key, value in wanted.items()] if named else [((), wanted)]
        conditions += [_equal(root, path, value) for path, value in pairs]
    return and_(*conditions)


def _equal(root: str, path: tuple[str, ...], wanted: Any) -> Expr:
    if problem := field_problem(root, path):
        raise InvalidQuery(f"filter {shown(root)}: {problem}.", data={"position": 0})
    field = Field(root, path)
    if not isinstance(wanted, list | tuple | set | frozenset):
        return Compare(field, "=", _typed(field, wanted))
    if not wanted:
        raise InvalidQuery(
            f"filter {shown(root)}: expected at least one value, found none.", data={"position": 0}
        )
    return In(field, tuple(_typed(field, item) for item in wanted))


def _typed(field: Field, value: Any) -> Value:
    """The value in the type of the field, where Python writes it differently (enums, times, other case)."""
    kind = FIELDS[field.root].kind
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    elif isinstance(value, str):
        value = str(value).lower() if kind == "choice" else str(value)
    if not isinstance(value, str | int | float | datetime):
        problem: str | None = f"{field.root} takes no {type(value).__name__}"
    else:
        problem = value_problem(field, "=", value)
    if problem:
        raise InvalidQuery(f"filter {shown(render_field(field))}: {problem}.", data={"position": 0})
    return value  # type: ignore[no-any-return]
