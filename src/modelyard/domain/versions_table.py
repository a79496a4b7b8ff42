"""Many versions in one table: a column for each metric, and never two data sets in one column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from modelyard.domain.errors import InvalidInput
from modelyard.domain.metrics import latest, place
from modelyard.domain.records import Metric, ModelVersion
from modelyard.domain.spelling import hint, quoted


def metric_columns(versions: Sequence[ModelVersion]) -> dict[str, list[float | None]]:
    """The latest value of each metric in each version, ``None`` where there is none.

    A column is called as the metric, if that was measured on the same data everywhere; otherwise each place has a
    column of its own, ``accuracy[test]``, and a data set whose digest changed has one for each digest,
    ``accuracy[test, sha256:3f2a1b0c]``.
    """
    measured = [{_key(metric): metric.value for metric in latest(v.metrics).values()} for v in versions]
    keys = dict.fromkeys(key for row in measured for key in row)
    titles = _titles(keys)
    return {titles[key]: [row.get(key) for row in measured] for key in sorted(keys)}


_Key = tuple[str, str, str]
"""Name, place, digest of the data."""


def chosen(columns: Mapping[str, list[float | None]], wanted: Iterable[str]) -> dict[str, list[float | None]]:
    """The columns that were asked for, in that order; a metric's name alone means all its places.

    Raises:
        InvalidInput: No version has such a metric.
    """
    found: dict[str, list[float | None]] = {}
    for name in wanted:
        titles = [title for title in columns if title == name or title.startswith(f"{name}[")]
        if not titles:
            known = ", ".join(list(columns)[:20]) or "none"
            raise InvalidInput(
                f"Metric {quoted(name)} was measured in no version; measured are: {known}."
                f"{hint(name, columns)}"
            )
        found |= {title: columns[title] for title in titles}
    return found


def _key(metric: Metric) -> _Key:
    return metric.name, place(metric), metric.dataset_digest


def _titles(keys: Iterable[_Key]) -> dict[_Key, str]:
    places: defaultdict[str, set[str]] = defaultdict(set)
    digests: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, where, digest in keys:
        places[name].add(where)
        digests[name, where].add(digest)
    return {
        (name, where, digest): _title(name, where, digest, len(places[name]), len(digests[name, where]))
        for name, where, digest in keys
    }


def _title(name: str, where: str, digest: str, places: int, digests: int) -> str:
    parts = [where] if where and max(places, digests) > 1 else []
    if digests > 1:
        parts.append(digest[:15] or "no digest")
    return f"{name}[{', '.join(parts)}]" if parts else name
