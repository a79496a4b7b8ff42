"""``modelyard download``."""

from __future__ import annotations

import click

from modelyard.cli import figures, refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("download")
@click.argument("ref")
@click.argument("target", metavar="DIRECTORY")
def command(session: Session, ref: str, target: str) -> None:
    """DIRECTORY must be new or empty. Every byte is checked against its digest.

    Example: modelyard download fraud@production ./fraud
    """
    registry = session.open()
    version = registry.get_model(ref)
    path = registry.download(version.model_id, target)
    count = figures.plural(len(version.files), "file")
    session.done(
        {"path": str(path), "version": version},
        f"wrote {count} ({figures.size(version.size)}) from {refs.spelled(version)} to {path}, verified",
    )
