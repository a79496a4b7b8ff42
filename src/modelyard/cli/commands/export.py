"""``modelyard export``."""

from __future__ import annotations

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("export")
@click.argument("path")
@click.option("--name", "names", multiple=True, help="Only this model; repeat.")
def command(session: Session, path: str, names: tuple[str, ...]) -> None:
    """A path that ends in .json takes records and history, one in .tar every byte as well.

    Example: modelyard export ./registry_export.json
    """
    written = session.open().export_registry(path, names=names or None)
    size = written.stat().st_size
    session.done({"path": str(written), "size": size}, f"wrote {written} ({figures.size(size)})")
    session.next("import", str(written))
