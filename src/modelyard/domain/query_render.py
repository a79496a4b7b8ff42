"""Writing a query so that parsing it gives the same tree: for messages, logs, cursors and tests."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

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
    Value,
)
from modelyard.domain.times import write_time

_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def render(expr: Expr) -> str:
    """The query that parses to ``expr``, with no more brackets than needed."""
    match expr:
        case Or(items):
            return " or ".join(_inside(item, Or) for item in items)
        case And(items):
            return " and ".join(_inside(item, And, Or) for item in items)
        case Not(item):
            return f"not {_inside(item, And, Or)}"
        case Compare(field, op, value):
            return f"{render_field(field)} {op} {_value(value)}"
        case In(field, values):
            return f"{render_field(field)} in ({', '.join(map(_value, values))})"
        case Exists(field):
            return f"{render_field(field)} exists"
    return _quoted(expr.word)


def render_search(search: Search) -> str:
    """The query that parses to ``search``."""
    where = render(search.where) if search.where else ""
    order = "order by " + ", ".join(map(_key, search.order)) if search.order else ""
    return f"{where} {order}".strip()


def render_field(field: Field) -> str:
    """``metrics.accuracy``, or ``metrics.`val accuracy``` where a part is no plain word."""
    return ".".join((field.root, *map(_part, field.path)))


def _inside(expr: Expr, *looser: type[Expr]) -> str:
    return f"({render(expr)})" if isinstance(expr, looser) else render(expr)


def _key(order: Order) -> str:
    return render_field(order.field) + (" desc" if order.descending else "")


def _part(part: str) -> str:
    return part if _SIMPLE.fullmatch(part) else "`" + part.replace("`", "``") + "`"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return write_time(value)
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
