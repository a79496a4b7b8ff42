"""``modelyard restore``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from modelyard.cli import figures
from modelyard.cli.commands.backup import folder_of
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("restore")
@click.argument("backup")
def command(session: Session, backup: str) -> None:
    """Into the folder that --registry names, which must be new. Every byte and every chain is checked.

    Example: modelyard restore /mnt/backup/models --registry ./restored
    """
    from modelyard.client.backup import restore

    found = restore(Path(backup).expanduser(), folder_of(session))
    checked = found.fsck
    text = (
        f"{found.path} is back: {figures.plural(checked.versions, 'version')}, "
        f"{figures.plural(checked.blobs, 'blob')}, {figures.size(checked.size)}, every byte read"
    )
    session.done({"path": found.path, "report": checked, "audit": dataclasses.asdict(found.audit)}, text)
    session.next("status")
