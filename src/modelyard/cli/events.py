"""Events as rows: who did what, to what, and which pointers it moved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from modelyard.cli import figures, render
from modelyard.cli.render import Column
from modelyard.domain.records import Event

COLUMNS: Final = (
    Column(title="#", right=True, keep=True),
    Column(title="WHEN", keep=True),
    Column(title="WHO"),
    Column(title="ACTION", keep=True),
    Column(title="WHAT", cut="end"),
    Column(title="WHY", cut="end"),
)
WITH_MODEL: Final = (Column(title="WHEN", keep=True), Column(title="MODEL"), *COLUMNS[2:])
"""For events of several models: their name instead of the number within the model."""


def lines(events: Iterable[Event], now: datetime, width: int, paint: render.Paint) -> list[str]:
    """A table of one chain's events."""
    rows = [[str(e.sequence), figures.ago(e.at, now), *_deed(e)] for e in events]
    return render.table(COLUMNS, rows, width, paint)


def lines_of_many(events: Iterable[Event], now: datetime, width: int, paint: render.Paint) -> list[str]:
    """A table of events of several models."""
    rows = [[figures.ago(e.at, now), e.model or "(registry)", *_deed(e)] for e in events]
    return render.table(WITH_MODEL, rows, width, paint)


def _deed(event: Event) -> list[str]:
    return [event.actor, event.action, what(event), event.reason]


def what(event: Event) -> str:
    """The pointers an event moved, those that point at something first: ``production #6→#7``; or else its subject."""
    moves = [
        (not value, f"{key.partition(':')[2]} {_number(event.before.get(key))}→{_number(value)}")
        for key, value in event.after.items()
        if key.startswith(("alias:", "stage:")) and event.before.get(key) != value
    ]
    return ", ".join(text for _, text in sorted(moves)) or event.subject.replace("version:", "#")


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(f"#{number}" for number in value) or "none"
    return "none" if value is None else f"#{value}"
