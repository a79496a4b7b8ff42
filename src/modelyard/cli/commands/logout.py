"""``modelyard logout``: end what ``modelyard login`` fetched."""

from __future__ import annotations

import click

from modelyard.cli.commands.login import server_of
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("logout")
@click.argument("url", required=False)
def command(session: Session, url: str | None) -> None:
    """The token is forgotten here and ended on the server.

    Example: modelyard logout https://models.example.org
    """
    from modelyard.domain.errors import NotAuthenticated, NotFound, Unreachable
    from modelyard.remote import credentials
    from modelyard.remote.login import log_out

    where = server_of(session, url)
    token = credentials.forget(where)
    if token is None:
        raise NotFound(f"there is no login for {where}")
    ended = True
    try:
        log_out(where, token)
    except NotAuthenticated:
        pass  # it had expired, or was revoked
    except Unreachable as error:
        ended = False
        session.note(f"the token is forgotten here, but counts on until it expires: {error.detail}")
    session.done({"url": where, "ended": ended}, f"logged out at {where}")
