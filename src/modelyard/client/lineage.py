"""Links as callers write them, brought into one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.client.arguments import found
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import LineageEdge


def edges(given: Any) -> tuple[LineageEdge, ...]:
    """Links given as ``(kind, target)``, ``(kind, target, details)``, a mapping with these keys, or ``LineageEdge``.

    Raises:
        InvalidInput: It names the place of what is none of these.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput(
            f"lineage: expected a list such as [('dataset', 's3://data')], found {found(given)}."
        )
    return tuple(_edge(item, index) for index, item in enumerate(given))


def _edge(item: Any, index: int) -> LineageEdge:
    if isinstance(item, LineageEdge):
        return item
    if isinstance(item, Mapping) and {"kind", "target"} <= item.keys() <= {"kind", "target", "details"}:
        return LineageEdge(kind=item["kind"], target=item["target"], details=item.get("details") or {})
    if isinstance(item, list | tuple) and len(item) in (2, 3):
        kind, target, *details = item
        return LineageEdge(kind=kind, target=target, details=(details[0] or {}) if details else {})
    raise InvalidInput(
        f"lineage[{index}]: expected (kind, target) or (kind, target, details), found {found(item)}."
    )
