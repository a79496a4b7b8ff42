"""``modelyard push``: a version of this registry to a server."""

from __future__ import annotations

import click

from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.cli.travel import travel


@verb("push")
@click.argument("ref")
@click.argument("url")
@click.option("--all", "everything", is_flag=True, help="Every version of the model REF, oldest first.")
def command(session: Session, ref: str, url: str, everything: bool) -> None:
    """It arrives in development, under its own name and label. Repeating it sends nothing.

    The token is in MODELYARD_TOKEN.

    Example: modelyard push fraud:1.2.0 https://models.example.org
    """
    from modelyard.registry import ModelRegistry

    here = session.open()
    with ModelRegistry(url, config=session.settings()) as there:
        travel(session, here, there, ref, everything=everything, verb="pushed")
