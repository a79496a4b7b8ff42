"""``modelyard backup``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.errors import NotSupported


@verb("backup")
@click.argument("folder")
def command(session: Session, folder: str) -> None:
    """While the registry is in use. Into the same folder again, only what is new is copied.

    Example: modelyard backup /mnt/backup/models
    """
    from modelyard.client.backup import back_up

    made = back_up(folder_of(session), Path(folder).expanduser())
    text = (
        f"{made.path} holds {figures.plural(made.blobs, 'blob')}, {figures.size(made.size)}; "
        f"{figures.size(made.copied)} of it new"
    )
    session.done(dataclasses.asdict(made), text)
    session.next("restore", folder)


def folder_of(session: Session) -> Path:
    """The registry's folder, which holds all of it.

    Raises:
        NotSupported: It is behind a server, or a part of it is in a database server or a bucket.
    """
    from modelyard.wiring import object_places

    folder = session.folder()
    if folder is None:
        raise NotSupported(f"{session.place()} is a server; take and bring back backups where its folder is")
    if session.records_elsewhere() or object_places(session.settings()):
        raise NotSupported(
            f"{folder} does not hold the whole registry: the configuration keeps records in a database server or bytes "
            "in a bucket. Copy all of it with `modelyard migrate`, or back up the database and then the "
            "bucket with tools of their own"
        )
    return folder
