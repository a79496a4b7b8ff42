"""The fields that can be asked about, and which operators and values each takes.

The table is the allowlist: a name that is not in it never reaches a store. Documentation prints it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.query_expr import Field, Value
from modelyard.domain.records import ModelStage
from modelyard.domain.spelling import hint
from modelyard.domain.text import shown

LARGEST: Final = 2**63 - 1
"""Whole numbers beyond this do not fit the integers of any database."""

TOP_NUMBER: Final = 10**18
"""Above every version number, so that it can close an interval of ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One row of the table.

    Attributes:
        name: The root, as written in a query.
        kind: ``name``, ``text``, ``label``, ``number``, ``time``, ``choice``, ``boolean`` or ``dynamic`` (any
        JSON). help: One line for people.
        parts: How many names follow the root after dots: ``none``, ``one`` or ``many``.
        multiple: Whether a version may have several values; then any of them counts, and there is no order.
        choices: The words a ``choice`` takes, in their order.
    """

    name: str
    kind: str
    help: str
    parts: str = "none"
    multiple: bool = False
    choices: tuple[str, ...] = ()


_ROWS: Final = (
    FieldInfo(
        name="name", kind="name", help="the model's name; spellings that differ only in case are equal"
    ),
    FieldInfo(
        name="label", kind="label", help="the version's label; 1.10.0 is above 1.9.0, v1.0.0 equals 1.0.0"
    ),
    FieldInfo(name="number", kind="number", help="the version's number, 1, 2, 3 per model"),
    FieldInfo(
        name="stage", kind="choice", help="where it stands", choices=tuple(s.value for s in ModelStage)
    ),
    FieldInfo(name="alias", kind="text", help="any alias that points at the version", multiple=True),
    FieldInfo(name="framework", kind="text", help="for example scikit-learn"),
    FieldInfo(name="algorithm", kind="text", help="class name of the model, for example LogisticRegression"),
    FieldInfo(name="created", kind="time", help="when it was registered"),
    FieldInfo(name="updated", kind="time", help="when anything about it last changed"),
    FieldInfo(name="created_by", kind="text", help="who registered it"),
    FieldInfo(name="size", kind="number", help="bytes of all its files"),
    FieldInfo(name="digest", kind="text", help="sha256: and 64 hex digits"),
    FieldInfo(name="parent", kind="text", help="model_id of any version it came from", multiple=True),
    FieldInfo(name="dataset", kind="text", help="any data set its lineage names", multiple=True),
    FieldInfo(name="withdrawn", kind="text", help="why it is not to be used any more", multiple=True),
    FieldInfo(
        name="scan",
        kind="choice",
        help="worst verdict on its files",
        choices=("clean", "unknown", "error", "unsafe"),
    ),
    FieldInfo(name="metrics", kind="number", help="latest value of the metric", parts="one"),
    FieldInfo(name="params", kind="dynamic", help="a hyperparameter", parts="one"),
    FieldInfo(name="tags", kind="text", help="a tag's text", parts="one"),
    FieldInfo(name="attributes", kind="dynamic", help="any JSON, one dot per level", parts="many"),
    FieldInfo(name="checks", kind="boolean", help="whether the recorded check passed", parts="one"),
)

FIELDS: Final[Mapping[str, FieldInfo]] = {row.name: row for row in _ROWS}

_ORDERED: Final = ("=", "!=", "<", "<=", ">", ">=")
_EQUAL: Final = ("=", "!=")
_TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": (*_ORDERED, "~"),
    "text": (*_ORDERED, "~"),
    "label": (*_ORDERED, "~"),
    "dynamic": (*_ORDERED, "~"),
    "number": _ORDERED,
    "time": _ORDERED,
    "choice": _EQUAL,
    "boolean": _EQUAL,
}


def field_problem(root: str, path: tuple[str, ...]) -> str | None:
    """Why there is no such field, or ``None``."""
    info = FIELDS.get(root)
    if info is None:
        return f"unknown field {shown(root)}.{hint(root, FIELDS)} Fields are {', '.join(FIELDS)}"
    if info.parts == "none" and path:
        return f"{root} has no parts, found {shown('.'.join(path))} after the dot"
    if info.parts != "none" and not path:
        return f"{root} needs a name after a dot, such as {root}.NAME"
    return None


def operators(field: Field) -> tuple[str, ...]:
    """The operators that the field takes (``in`` goes with ``=``)."""
    return _TAKES[FIELDS[field.root].kind]


def operator_problem(field: Field, op: str) -> str | None:
    """Why the field cannot be compared in this way (``in`` counts as ``=``), or ``None``."""
    info = FIELDS[field.root]
    allowed = operators(field)
    if op in allowed:
        return None
    return f"{info.name} is a {info.kind} and takes {' '.join(allowed)}, found {op}"


def order_problem(field: Field) -> str | None:
    """Why versions cannot be ordered by the field, or ``None``."""
    if FIELDS[field.root].multiple:
        return f"{field.root} can have several values, so there is no order by it"
    return None


def value_problem(field: Field, op: str, value: Value) -> str | None:
    """Why the value is of another type than the field, or ``None``. Call :func:`operator_problem` first."""
    info = FIELDS[field.root]
    name = ".".join((field.root, *field.path))
    kind = "text" if op == "~" else info.kind
    match kind:
        case "number":
            return _number_problem(name, value)
        case "time":
            return None if isinstance(value, datetime) else f"{name} is a time, found {_typed(value)}"
        case "boolean":
            return None if isinstance(value, bool) else f"{name} is true or false, found {_typed(value)}"
        case "choice":
            wrong = not isinstance(value, str) or value not in info.choices
            return f"{name} is one of {', '.join(info.choices)}, found {_typed(value)}" if wrong else None
        case "dynamic":
            return _dynamic_problem(name, value)
        case _:
            return _text_problem(info.kind, name, op, value)


def _number_problem(name: str, value: Value) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} is a number, found {_typed(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"{name} takes whole numbers up to {LARGEST}; write a larger one as 1e30"
    return None if math.isfinite(value) else f"{name} takes finite numbers"


def _dynamic_problem(name: str, value: Value) -> str | None:
    if isinstance(value, datetime):
        return f"{name} holds JSON, which has no times; compare with quoted text"
    return None if isinstance(value, str | bool) else _number_problem(name, value)


def _text_problem(kind: str, name: str, op: str, value: Value) -> str | None:
    if not isinstance(value, str):
        return f"{name} is text, found {_typed(value)}; put it in quotes"
    if kind == "label" and op in ("<", "<=", ">", ">=") and label_bounds(value) is None:
        return f"labels are ordered as semantic versions such as 1.4.0, found {shown(value)}"
    return None


def _typed(value: Value) -> str:
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, datetime):
        return f"the time {value.isoformat()}"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    return f"the number {shown(repr(value))}" if abs(value) < LARGEST else "a huge number"


_PARTIAL: Final = re.compile(r"v?[0-9]+(\.[0-9]+)?", re.ASCII)


def label_bounds(literal: str) -> tuple[str, str] | None:
    """Lowest and highest ``rank`` that versions with this semantic label can have; ``None`` for a free label.

    ``label < x`` means a rank below the first, ``<=`` not above the second, ``>`` above the second, ``>=``
    not below the first. ``1.4`` means ``1.4.0``. The order is the one that ``latest`` uses: free labels below
    pre-releases below releases.
    """
    from modelyard.domain import versioning

    if len(literal) > 128:
        return None
    if _PARTIAL.fullmatch(literal):
        literal += ".0" * (2 - literal.count("."))
    if versioning.parse(literal) is None:
        return None
    return versioning.rank(literal, 0), versioning.rank(literal, TOP_NUMBER)
