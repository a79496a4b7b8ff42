"""``modelyard fsck``."""

from __future__ import annotations

from typing import Final

import click

from modelyard.cli import exits, figures, render
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.answers import Fsck

COLUMNS: Final = (
    Column(title="KIND", keep=True),
    Column(title="SUBJECT"),
    Column(title="FOUND"),
    Column(title="REPAIRED"),
)


@verb("fsck")
@click.option("--deep", is_flag=True, help="Read every byte and compare it with its digest.")
@click.option("--repair", is_flag=True, help="Rewrite what can be derived, quarantine what is damaged.")
def command(session: Session, deep: bool, repair: bool) -> int:
    """Exit code 6 says that something is wrong and not repaired. Nothing is ever deleted."""
    found = session.open().fsck(deep=deep, repair=repair)
    session.answer({"ok": found.ok, "report": found}, lambda: _lines(session, found))
    if found.ok and not deep:
        session.next("fsck", "--deep")
    elif not found.ok and not repair:
        session.next("fsck", *(["--deep"] if deep else []), "--repair")
    return exits.OK if found.ok else exits.INTEGRITY


def _lines(session: Session, found: Fsck) -> list[str]:
    blobs, versions = figures.plural(found.blobs, "blob"), figures.plural(found.versions, "version")
    how = "every byte read" if found.deep else "bytes not read"
    looked = f"{versions}, {blobs}, {figures.size(found.size)}, {how}"
    if not found.findings:
        return [session.paint(f"nothing wrong: {looked}", "good")]
    count = figures.plural(len(found.findings), "finding")
    rows = [[f.kind, f.subject, f.detail, f.repaired or "no"] for f in found.findings]
    title = session.paint(f"{count}: {looked}", "warn" if found.ok else "bad")
    return [title, *render.table(COLUMNS, rows, session.width, session.paint)]
