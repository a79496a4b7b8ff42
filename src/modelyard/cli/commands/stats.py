"""``modelyard stats``."""

from __future__ import annotations

from typing import Any

from modelyard.cli import figures, render
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.text import plain

EMPTY: dict[str, Any] = {
    "total_models": 0,
    "total_versions": 0,
    "stages": {},
    "frameworks": {},
    "blobs": 0,
    "stored_bytes": 0,
    "logical_bytes": 0,
}


@verb("stats")
def command(session: Session) -> None:
    """How many models and versions there are, in which stages, and how many bytes they take."""
    if session.absent():
        session.answer(EMPTY, lambda: [f"No registry yet at {plain(session.place())}."])
        session.next("register", "--model-path", "FILE", "--name", "NAME")
        return
    stats = session.open().get_registry_stats()
    session.answer(stats, lambda: lines(stats, session.place(), session.width))


def lines(stats: dict[str, Any], place: str, width: int) -> list[str]:
    """The registry in numbers, as facts."""
    stored, logical = stats["stored_bytes"], stats["logical_bytes"]
    saved = (
        f", {figures.size(logical - stored)} saved by storing equal bytes once" if logical > stored else ""
    )
    models, versions = (
        figures.plural(stats["total_models"], "model"),
        figures.plural(stats["total_versions"], "version"),
    )
    return render.facts(
        [
            ("where", place),
            ("holds", f"{models}, {versions}"),
            ("stages", counted(stats["stages"])),
            ("made by", counted(stats["frameworks"])),
            ("storage", f"{figures.size(stored)} in {figures.plural(stats['blobs'], 'blob')}{saved}"),
        ],
        width,
    )


def counted(counts: dict[str, int]) -> str:
    """``2 production, 11 development``; what is zero is left out."""
    return ", ".join(f"{count:,} {name or '(not told)'}" for name, count in counts.items() if count) or "none"
