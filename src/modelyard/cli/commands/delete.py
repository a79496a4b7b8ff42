"""``modelyard delete``."""

from __future__ import annotations

import click

from modelyard.cli import refs
from modelyard.cli.options import reason_option, verb, version_options
from modelyard.cli.session import Session


@verb("delete")
@version_options
@click.option("--force", is_flag=True, help="Although something points at it; then --reason is needed.")
@reason_option()
def command(
    session: Session, ref: str | None, model_name: str | None, label: str | None, force: bool, reason: str
) -> None:
    """Nothing is lost before gc has run: undelete brings it back.

    Example: modelyard delete fraud:1.0.0
    """
    wanted = refs.chosen(ref, model_name, label, exact=True)
    version = session.open().delete_model(wanted, force, reason=reason)
    session.done(version, f"deleted {refs.spelled(version)} (#{version.number}); its bytes stay until gc")
    session.next("undelete", version.model_id)
