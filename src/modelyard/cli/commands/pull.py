"""``modelyard pull``: a version of a server's registry to this one."""

from __future__ import annotations

import click

from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.cli.travel import travel


@verb("pull")
@click.argument("ref")
@click.argument("url")
@click.option("--all", "everything", is_flag=True, help="Every version of the model REF, oldest first.")
def command(session: Session, ref: str, url: str, everything: bool) -> None:
    """REF is asked of the server, so fraud@champion is its champion. Repeating it fetches nothing.

    The token is in MODELYARD_TOKEN.

    Example: modelyard pull fraud@champion https://models.example.org
    """
    from modelyard.registry import ModelRegistry

    here = session.open(create=True)
    with ModelRegistry(url, config=session.settings()) as there:
        travel(session, there, here, ref, everything=everything, verb="pulled")
