"""``modelyard archive``."""

from __future__ import annotations

import click

from modelyard.cli import refs, vacancy
from modelyard.cli.options import reason_option, verb
from modelyard.cli.session import Session


@verb("archive")
@click.argument("ref")
@click.option("--force", is_flag=True, help="Although something points at it; needs --reason.")
@reason_option()
def command(session: Session, ref: str, force: bool, reason: str) -> None:
    """Refused while an alias points at it.

    Example: modelyard archive fraud:1.0.0 --reason "replaced by 1.1.0"
    """
    registry = session.open()
    before = registry.get_model(ref)
    version = registry.archive_model(before.model_id, reason=reason, force=force)
    session.done(version, f"archived {refs.spelled(version)} (#{version.number})")
    vacancy.note(session, before)
    session.next("cleanup")
