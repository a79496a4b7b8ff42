"""``modelyard import``."""

from __future__ import annotations

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Imported
from modelyard.domain.text import plain


@verb("import")
@click.argument("path")
def command(session: Session, path: str) -> None:
    """Repeating it is harmless; nothing that is there is overwritten.

    Example: modelyard --registry ./copy import registry.tar
    """
    imported = session.open(create=True).import_registry(path)
    session.answer(imported, lambda: [] if session.quiet else _lines(imported))
    session.next("list")


def _lines(imported: Imported) -> list[str]:
    versions, blobs = figures.plural(imported.versions, "version"), figures.plural(imported.blobs, "blob")
    lines = [f"imported {versions}, {blobs}, {figures.size(imported.size)}"]
    lines += [f"  {plain(name)}: {outcome}" for name, outcome in imported.models.items()]
    return lines + [f"  note: {plain(note)}" for note in imported.notes]
