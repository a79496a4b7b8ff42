"""``modelyard doctor``."""

from __future__ import annotations

from typing import Final

import click

from modelyard.cli import exits, render
from modelyard.cli.diagnosis import examine
from modelyard.cli.diagnosis_line import Line
from modelyard.cli.options import verb
from modelyard.cli.session import Session

STYLES: Final = {"ok": "good", "warn": "warn", "fail": "bad"}


@verb("doctor")
@click.option(
    "--server", is_flag=True, help="As `modelyard server` would run here: its address too, and .env."
)
def command(session: Session, server: bool) -> int:
    """SQLite, file system, rights, space, database, object store, clock, packages. Exit code 7 if a line says fail."""
    session.as_server = server
    findings = list(examine(session))
    failed = any(finding.level == "fail" for finding in findings)
    session.answer({"ok": not failed, "lines": findings}, lambda: _lines(session, findings))
    return exits.STORAGE if failed else exits.OK


def _lines(session: Session, findings: list[Line]) -> list[str]:
    lines = []
    for finding in findings:
        first, *rest = render.facts([(finding.topic, finding.text)], session.width - 6, 11)
        lines.append(f"{session.paint(f'{finding.level:<4}', STYLES[finding.level])}  {first}")
        lines += [f"      {line}" for line in rest]
    return lines
