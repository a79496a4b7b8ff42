"""Lists that never end silently: pages are followed, and a cut says that it is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from modelyard.domain import metrics, query
from modelyard.domain.errors import InvalidInput
from modelyard.domain.query import Exists, Field, Search
from modelyard.domain.records import ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService

PAGE = 500


class Versions(list[ModelVersion]):
    """A list of versions; ``more`` is true if a limit cut it off."""

    more: bool = False


def fetch(
    service: RegistryService,
    request: ask.Search,
    limit: int | None,
    finish: Callable[[ModelVersion], ModelVersion],
) -> Versions:
    """All answers, or the first ``limit`` of them."""
    if limit is not None and limit < 1:
        raise InvalidInput(f"limit must be 1 or more, not {limit}; leave it out to get everything")
    found = Versions()
    after: str | None = None
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = service.search(replace(request, limit=size, after=after))
        found.extend(finish(version) for version in page.items)
        after = page.next
        if after is None or (limit is not None and len(found) >= limit):
            found.more = after is not None
            return found


def conjunction(where: str, **filters: Any) -> str:
    """A filter text and simple equalities as one text; ``None`` is no filter."""
    parsed = query.parse(where)
    both = query.and_(parsed.where, query.from_filters(**filters))
    return query.render_search(Search(both, parsed.order))


def measured_by(metric: str) -> str:
    """Filter text: the metric was recorded."""
    return query.render(Exists(Field("metrics", (metric,))))


def best(versions: Iterable[ModelVersion], metric: str, higher_is_better: bool | None) -> str | None:
    """``model_id`` of the best value; the newer of equals. NaN is never best.

    Raises:
        InvalidInput: The metric's direction is neither stated, recorded nor known.
    """
    rated = [
        (version.performance_metrics[metric], version)
        for version in versions
        if version.performance_metrics[metric] == version.performance_metrics[metric]
    ]
    if not rated:
        return None
    up = _direction(metric, rated[0][1]) if higher_is_better is None else higher_is_better
    sign = 1 if up else -1
    return max(rated, key=lambda pair: (sign * pair[0], pair[1].number))[1].model_id


def _direction(metric: str, version: ModelVersion) -> bool:
    recorded = [m for m in version.metrics if m.name == metric]
    known = metrics.direction(recorded[-1])
    if known is None:
        raise InvalidInput(
            f"it is not known whether a higher {metric!r} is better; pass higher_is_better=True or False, "
            "or record it with the metric"
        )
    return known
