"""What ``monitor`` sees in one look, and how it draws it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import events, figures, refs, render
from modelyard.cli.render import Column
from modelyard.domain.records import Event, ModelVersion
from modelyard.domain.text import plain

if TYPE_CHECKING:
    from modelyard.cli.session import Session
    from modelyard.registry import ModelRegistry

LIVE: Final = 20
RECENT: Final = 8
LOW_SPACE: Final = 0.05
"""Share of a disk that is free below which a warning is due: a registration needs room for a whole model."""

COLUMNS: Final = (
    Column(title="LIVE"),
    Column(title="VERSION", keep=True),
    Column(title="SINCE", keep=True),
    Column(title="BY"),
    Column(title="WHY", cut="end"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One version in production: since when, by whom, why."""

    model: str
    version: str
    number: int
    model_id: str
    since: datetime | None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look. ``more_live`` counts live versions beyond the first twenty."""

    place: str
    at: datetime
    stats: Mapping[str, Any] = field(default_factory=dict)
    live: tuple[Live, ...] = ()
    more_live: bool = False
    recent: tuple[Event, ...] = ()
    free_bytes: int | None = None
    warnings: tuple[str, ...] = ()


def look(session: Session) -> Snapshot:
    """Read the registry once: a bounded number of questions however large it is."""
    if session.absent():
        return Snapshot(place=session.place(), at=session.now, warnings=("no registry here yet",))
    registry = session.open()
    found = registry.search_models("stage = 'production' order by updated desc", limit=LIVE)
    live = list(found)
    free, share = _space(registry.location)
    return Snapshot(
        place=str(registry.location),
        at=session.now,
        stats=registry.get_registry_stats(),
        live=tuple(_live(registry, version) for version in live),
        more_live=bool(found.more),
        recent=_recent(registry),
        free_bytes=free,
        warnings=tuple(_warnings(live, share)),
    )


def _live(registry: ModelRegistry, version: ModelVersion) -> Live:
    arrival = next((e for e in registry.history(version.name, limit=50) if _brought(e, version.number)), None)
    return Live(
        model=version.name,
        version=version.version,
        number=version.number,
        model_id=version.model_id,
        since=arrival.at if arrival else version.staged_at,
        by=arrival.actor if arrival else "",
        reason=arrival.reason if arrival else "",
    )


def _brought(event: Event, number: int) -> bool:
    """Whether an event made ``number`` a holder of production."""
    holders = event.after.get("stage:production") or ()
    before = event.before.get("stage:production") or ()
    return number in holders and number not in before


def _recent(registry: ModelRegistry) -> tuple[Event, ...]:
    """The last events over all models: those of the versions that changed last, and the registry's own."""
    changed = registry.search_models("order by updated desc", limit=2 * RECENT)
    names = dict.fromkeys(version.name for version in changed)
    found = [registry.history(name, limit=RECENT) for name in itertools.islice(names, RECENT)]
    found.append(registry.history("", limit=RECENT))
    return tuple(sorted(itertools.chain(*found), key=lambda event: event.at, reverse=True)[:RECENT])


def _space(location: object) -> tuple[int | None, float]:
    """Free bytes below the registry's folder, and their share; ``(None, 1)`` where there is no folder."""
    path = Path(str(location))
    if not path.is_dir():
        return None, 1.0
    usage = shutil.disk_usage(path)
    return usage.free, usage.free / max(usage.total, 1)


def _warnings(live: Iterable[ModelVersion], share: float) -> Iterable[str]:
    if share < LOW_SPACE:
        yield f"only {share:.0%} of the disk is free"
    for version in live:
        ref = refs.spelled(version)
        if version.scan != "clean":
            yield f"{ref} is live and its scan says {version.scan}"
        if version.load_check and not version.load_check.get("ok", True):
            yield f"{ref} is live and its last load check failed"
        yield from (f"{ref}: {warning}" for warning in version.warnings)


def draw(snapshot: Snapshot, width: int, paint: render.Paint) -> list[str]:
    """The lines of one picture."""
    title = f"{plain(snapshot.place)}  {figures.local(snapshot.at)}"
    lines = [paint(render.shorten(title, width), "title")]
    if snapshot.stats:
        lines += _totals(snapshot, width)
    lines += ["", *_live_lines(snapshot, width, paint)]
    if snapshot.recent:
        lines += ["", *events.lines_of_many(snapshot.recent, snapshot.at, width, paint)]
    for warning in snapshot.warnings:
        lines += [paint(line, "warn") for line in render.facts([("warning", warning)], width)]
    return lines


def _totals(snapshot: Snapshot, width: int) -> list[str]:
    stats = snapshot.stats
    stages = ", ".join(f"{count:,} {stage}" for stage, count in stats["stages"].items() if count)
    free = f", {figures.size(snapshot.free_bytes)} free" if snapshot.free_bytes is not None else ""
    models, versions = (
        figures.plural(stats["total_models"], "model"),
        figures.plural(stats["total_versions"], "version"),
    )
    return render.facts(
        [
            ("holds", f"{models}, {versions}"),
            ("stages", stages or "none"),
            (
                "storage",
                f"{figures.size(stats['stored_bytes'])} in {figures.plural(stats['blobs'], 'blob')}{free}",
            ),
        ],
        width,
    )


def _live_lines(snapshot: Snapshot, width: int, paint: render.Paint) -> list[str]:
    if not snapshot.live:
        return ["nothing is live"]
    rows = [
        [one.model, f"{one.version} (#{one.number})", figures.ago(one.since, snapshot.at), one.by, one.reason]
        for one in snapshot.live
    ]
    more = [f"and more than {len(rows)} in all"] if snapshot.more_live else []
    return render.table(COLUMNS, rows, width, paint) + more
