"""``modelyard reinstate``."""

from __future__ import annotations

import click

from modelyard.cli import affected
from modelyard.cli.options import reason_option, source_option, verb
from modelyard.cli.session import Session


@verb("reinstate")
@click.argument("target")
@source_option
@reason_option()
def command(session: Session, target: str, kind: str, reason: str) -> None:
    """Example: modelyard reinstate fraud:1.2.0 --reason "the label was not in it" """
    found = session.open().reinstate(target, kind=kind, reason=reason)
    session.done(found, f"{affected.spelled(found)} is not withdrawn")
