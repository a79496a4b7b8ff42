"""``modelyard login``: a token for a server, by way of a browser."""

from __future__ import annotations

import os
import sys

import click

from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("login")
@click.argument("url", required=False)
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
def command(session: Session, url: str | None, timeout: int) -> None:
    """It prints an address to open in a browser on this machine, waits until somebody logged in there, and keeps a
    token that ends within hours. MODELYARD_TOKEN goes before it.

    Example: modelyard login https://models.example.org
    """
    from modelyard.remote import credentials
    from modelyard.remote.login import Waiting

    where = server_of(session, url)
    with Waiting(where) as waiting:
        click.echo(f"Open this address in a browser on this machine:\n\n  {waiting.address}\n", err=True)
        click.echo(f"Its last page has to show {waiting.words}.", err=True)
        sys.stderr.flush()
        found = waiting.token(timeout)
    credentials.keep(where, found["token"], found["expires_at"], found["name"])
    told = {"url": where, "name": found["name"], "expires_at": found["expires_at"]}
    session.done(told, f"logged in at {where} as {found['name']}, until {found['expires_at']}")
    if os.environ.get("MODELYARD_TOKEN"):
        session.note("MODELYARD_TOKEN is set, and goes before this login")


def server_of(session: Session, url: str | None) -> str:
    """The server that is meant: named, or the registry's place.

    Raises:
        click.UsageError: It is no server.
        InvalidConfig: It begins like one, and is none.
    """
    where = url or session.location or session.place()
    if not where.startswith(("http://", "https://")):
        shown = where.rpartition("@")[2]  # what is before it may be a password
        raise click.UsageError(
            f"'{shown}' is not the address of a server: name one, such as https://models.example.org"
        )
    from modelyard.wire.address import server_address

    return server_address(where)
