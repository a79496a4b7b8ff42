"""``modelyard export``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("export")
@click.argument("path")
@click.option("--name", "names", multiple=True, help="Only this model; repeat.")
@click.option("--since", metavar="OTHER.tar", help="Leave out what this earlier export has.")
def command(session: Session, path: str, names: tuple[str, ...], since: str | None) -> None:
    """A path that ends in .json takes records and history, one in .tar every byte as well.

    Example: modelyard export ./registry_export.json
    """
    written = session.open().export_registry(path, names=names or None, since=since)
    told: dict[str, Any] = {"path": str(written), "size": written.stat().st_size}
    text = f"wrote {written} ({figures.size(told['size'])})"
    if written.suffix == ".tar":
        from modelyard.client import bundle

        told |= bundle.summary(written)
        text += f": {figures.plural(told['models'], 'model')}, {figures.plural(told['blobs'], 'blob')}"
    if since is not None:
        text += f"; {figures.size(told['left_out_bytes'])} left to {since}"
    session.done(told, text)
    session.next("import", str(written))
