"""``modelyard fsck``."""

from __future__ import annotations

import re
from typing import Final

import click

from modelyard.cli import exits, figures, render
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.answers import Fsck
from modelyard.domain.errors import IntegrityError

COLUMNS: Final = (
    Column(title="KIND", keep=True),
    Column(title="SUBJECT"),
    Column(title="FOUND"),
    Column(title="REPAIRED"),
)

_ADVICE: Final = re.compile(r"[;:] (?:stop writing|run `modelyard fsck`)")
"""Where an error about stored records begins to say what to do."""


@verb("fsck")
@click.option("--deep", is_flag=True, help="Read every byte and compare it with its digest.")
@click.option("--repair", is_flag=True, help="Rewrite what can be derived, quarantine what is damaged.")
def command(session: Session, deep: bool, repair: bool) -> int:
    """Exit code 6 says that something is wrong and not repaired. Nothing is ever deleted."""
    try:
        found = session.open().fsck(deep=deep, repair=repair)
    except IntegrityError as error:
        raise _past_repair(session, error) from error
    session.answer({"ok": found.ok, "report": found}, lambda: _lines(session, found))
    if found.ok and not deep:
        session.next("fsck", "--deep")
    elif not found.ok and not repair:
        session.next("fsck", *(["--deep"] if deep else []), "--repair")
    return exits.OK if found.ok else exits.INTEGRITY


def _past_repair(session: Session, error: IntegrityError) -> IntegrityError:
    """What fsck could not get past. Such errors send people here; from here the way is back to a backup.

    One that names that way itself, or something better, such as a REINDEX or another token, stays as it is.
    """
    found, *advice = _ADVICE.split(error.detail, maxsplit=1)
    if "modelyard restore" in error.detail or (advice and "restore" not in advice[0]):
        return error
    way = (
        "bring back a backup into a new folder: `modelyard restore BACKUP --registry NEW_FOLDER`"
        if session.folder() is not None and not session.records_elsewhere()
        else "bring back a backup where its records are kept"
    )
    return type(error)(
        f"fsck cannot read all records of '{session.place()}', so it can neither say more nor repair them: {found}. "
        f"Stop writing, keep what is there as it is, and {way}. The steps are in the guide 'Back up and restore' "
        "(docs/how-to/backup.md).",
        reasons=error.reasons,
        data=error.data,
    )


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
