"""``modelyard validate``."""

from __future__ import annotations

import click

from modelyard.cli import refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("validate")
@click.argument("ref")
def command(session: Session, ref: str) -> None:
    """Validators are callables that packages provide as entry points of the group modelyard.validators.

    Example: modelyard validate fraud:1.2.0
    """
    version = session.open().validate_model(ref)
    check = version.checks["validation"]
    session.done(
        version, f"{refs.spelled(version)}: validation {'passed' if check.passed else 'FAILED'}, recorded"
    )
