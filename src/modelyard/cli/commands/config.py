"""``modelyard config``."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from modelyard.cli import render
from modelyard.cli.options import group
from modelyard.cli.render import Column
from modelyard.cli.session import Session

COLUMNS: Final = (
    Column(title="KEY", keep=True),
    Column(title="VALUE"),
    Column(title="FROM"),
    Column(title="STATE", keep=True),
)


@group("config")
def command() -> None:
    """One YAML file, then environment variables; the defaults need neither."""


@command.command("show")
@click.option("--changed", is_flag=True, help="Only what is not a default.")
@click.pass_obj
def show(session: Session, changed: bool) -> None:
    """Every setting: value, where it comes from, and whether this version acts on it. Secrets are hidden."""
    from modelyard.settings import rows

    settings = session.settings()
    found = [row for row in rows(settings) if not changed or row.source != "default"]
    data = [
        {"key": r.key, "value": r.value, "source": r.source, "active": r.active, "help": r.help}
        for r in found
    ]
    session.answer(
        {"file": settings.file, "location": session.place(), "settings": data},
        lambda: [
            *render.facts([("file", settings.file or "none"), ("at", session.place())], session.width),
            *_lines(session, data),
        ],
    )


def _lines(session: Session, data: list[dict[str, Any]]) -> list[str]:
    if not data:
        return ["", "Everything is a default."]
    rows = [
        [
            row["key"],
            "-" if row["value"] is None else _value(row["value"]),
            row["source"],
            "active" if row["active"] else "not active yet",
        ]
        for row in data
    ]
    return ["", *render.table(COLUMNS, rows, session.width, session.paint)]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
