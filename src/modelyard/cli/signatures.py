"""The signature of a version as a small table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import render
from modelyard.cli.render import Column

if TYPE_CHECKING:
    from modelyard.domain.signature import Field, Param, Signature

FIELDS: Final = (
    Column(title="SIGNATURE", keep=True),
    Column(title="NAME"),
    Column(title="TYPE", keep=True),
    Column(title="SHAPE", keep=True),
    Column(title="", keep=True),
)

SHOWN: Final = 20
"""Fields of each part that are listed; ``--json`` has all."""


def lines(signature: Mapping[str, Any] | None, width: int) -> list[str]:
    """One row per field; nothing where there is no signature that can be read."""
    from modelyard.domain.signature_given import stored

    known = stored(signature)
    return [] if known is None else render.table(FIELDS, _rows(known), width)


def _rows(signature: Signature) -> Iterator[list[str]]:
    for part, fields in (("input", signature.inputs), ("output", signature.outputs)):
        if fields is None:
            continue
        if not fields:
            yield [part, "(none)", "", "", ""]
        yield from _shortened([row for field in fields for row in _field(part, "", field)])
    yield from _shortened([row for param in signature.params for row in _param(param)])


def _shortened(rows: list[list[str]]) -> list[list[str]]:
    more = len(rows) - SHOWN
    return [*rows[:SHOWN], [rows[0][0], f"({more} more)", "", "", ""]] if more > 0 else rows


def _param(param: Param) -> Iterator[list[str]]:
    first, *inner = _field("param", "", param.as_field())
    yield [*first[:-1], f"default {param.default!r}"]
    yield from inner


def _field(part: str, whole: str, field: Field) -> Iterator[list[str]]:
    """A field and, below it, what lies inside it."""
    name = f"{whole}.{field.name}" if whole and field.name else whole or field.name
    shape = "" if field.shape is None else str(list(field.shape))
    yield [part, name or "-", field.type, shape, "optional" if field.optional else ""]
    for inner in field.fields:
        yield from _field(part, name if inner.name else f"{name}[*]", inner)
