"""``modelyard cleanup``."""

from __future__ import annotations

import click

from modelyard.cli import figures, versions
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Retired
from modelyard.domain.text import plain


@verb("cleanup")
@click.option(
    "--older-than-days", type=click.IntRange(min=0), metavar="DAYS", help="Else each model's policy."
)
@click.option("--name", help="Only this model.")
@click.option("--yes", is_flag=True, help="Do it; without it only a preview.")
def command(session: Session, older_than_days: int | None, name: str | None, yes: bool) -> None:
    """The run deletes exactly what the preview lists. What something points at is kept."""
    retired = session.open().cleanup(older_than_days, name=name, dry_run=not yes)
    session.answer(retired, lambda: _lines(session, retired))
    if retired.versions:
        words = ["cleanup"]
        words += [] if older_than_days is None else ["--older-than-days", str(older_than_days)]
        words += ["--name", name] if name else []
        session.next(*(["gc"] if yes else [*words, "--yes"]))


def _lines(session: Session, retired: Retired) -> list[str]:
    if not retired.versions:
        return ["nothing is due", *(f"kept: {plain(text)}" for text in retired.kept)]
    count = figures.plural(len(retired.versions), "version")
    word = "would delete" if retired.dry_run else "deleted"
    lines = [f"{word} {count}, {figures.size(retired.size)} of bytes that only they name"]
    if retired.versions:
        lines += versions.listing(retired.versions, session.now, session.width, session.paint)
    return lines + [f"kept: {plain(text)}" for text in retired.kept]
