"""``modelyard withdraw``."""

from __future__ import annotations

import click

from modelyard.cli import affected
from modelyard.cli.options import source_option, verb
from modelyard.cli.session import Session


@verb("withdraw")
@click.argument("target")
@source_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the history and shown to all.")
def command(session: Session, target: str, kind: str, reason: str) -> None:
    """TARGET is a version's ref, or with --kind the name that versions link to. Nothing that stands is moved.

    \b
    Examples:
      modelyard withdraw fraud:1.2.0 --reason "leaks the label"
      modelyard withdraw cards-2026-03 --kind dataset --reason "consent expired"
    """
    found = session.open().withdraw(target, reason, kind=kind)
    session.answer(found, lambda: [] if session.quiet else affected.lines(session, found))
    session.next("reinstate", target, *(() if kind == "version" else ("--kind", kind)))
