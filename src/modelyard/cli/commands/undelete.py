"""``modelyard undelete``."""

from __future__ import annotations

import click

from modelyard.cli import refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("undelete")
@click.argument("ref")
def command(session: Session, ref: str) -> None:
    """Possible until gc has collected its bytes.

    Example: modelyard undelete fraud:1.0.0
    """
    version = session.open().undelete_model(ref)
    session.done(version, f"{refs.spelled(version)} (#{version.number}) is back, in {version.stage.value}")
