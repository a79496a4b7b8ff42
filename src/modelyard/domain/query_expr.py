"""The nodes of a query: plain values that every store translates into its own language.

What they mean is defined once, by ``query_eval.evaluate``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeAlias

from modelyard.domain.dataclass import dataclass

Value: TypeAlias = str | bool | int | float | datetime
"""What a field is compared with. Times are aware and in UTC, numbers finite."""

OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "~")


@dataclass(frozen=True, slots=True)
class Field:
    """What is looked at: ``Field("stage")``, ``Field("metrics", ("accuracy",))``, ``Field("attributes", ("a",
    "b"))``.
    """

    root: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """``field op value``; ``op`` is one of ``OPERATORS`` (``~``: contains, ignoring case)."""

    field: Field
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """The field equals one of at least one ``values``. ``not in`` is ``Not(In(...))``."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The version has a value there."""

    field: Field


@dataclass(frozen=True, slots=True)
class Text:
    """Name, description or a tag holds ``word``, ignoring case."""

    word: str


@dataclass(frozen=True, slots=True)
class Not:
    """Exactly the versions that ``item`` leaves out."""

    item: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of at least two ``items``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of at least two ``items``."""

    items: tuple[Expr, ...]


Expr: TypeAlias = And | Or | Not | Compare | In | Exists | Text


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key; versions without a value there come last in both directions."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed query: what to keep (``None``: everything) and in which order (empty: the store's own)."""

    where: Expr | None = None
    order: tuple[Order, ...] = ()


def and_(*exprs: Expr | None) -> Expr | None:
    """All of the given conditions; ``None`` stands for no condition, and no condition at all gives
    ``None``.
    """
    items = tuple(e for e in exprs if e is not None)
    if len(items) < 2:
        return items[0] if items else None
    return And(items)
