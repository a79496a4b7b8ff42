"""What a withdrawal reaches, as people see it."""

from __future__ import annotations

from typing import Final

from modelyard.cli import figures, render
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.answers import Affected, Reached
from modelyard.domain.text import plain

COLUMNS: Final = (
    Column(title="KIND", keep=True),
    Column(title="NAME", keep=True),
    Column(title="STAGE", keep=True),
    Column(title="BY WAY OF"),
)


def lines(session: Session, found: Affected) -> list[str]:
    """What it is, whether it is withdrawn and why, and a table of all that depends on it."""
    title = render.shorten(plain(spelled(found)), session.width)
    told = [session.paint(title, "title"), *render.facts(_facts(session, found), session.width)]
    rows = [_row(item) for item in found.items]
    return [*told, "", *render.table(COLUMNS, rows, session.width, session.paint)] if rows else told


def spelled(found: Affected) -> str:
    """``dataset s3://data``, or the ref of a version."""
    return found.name if found.kind == "version" else f"{found.kind} {found.name}"


def _facts(session: Session, found: Affected) -> list[tuple[str, str]]:
    gone = found.withdrawn
    when = f"withdrawn {figures.ago(gone.at, session.now)} by {gone.by or '?'}: {gone.reason}" if gone else ""
    counts = [
        figures.plural(len(found.of(kind)), kind)
        for kind in ("version", "alias", "experiment", "deployment")
        if found.of(kind)
    ]
    return [("marked", when or "not withdrawn"), ("reaches", ", ".join(counts) or "nothing")]


def _row(item: Reached) -> list[str]:
    stage = "deleted" if item.deleted else item.stage
    return [item.kind, item.name, stage, " → ".join(item.path[1:-1])]
