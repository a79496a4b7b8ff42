"""``modelyard affected``."""

from __future__ import annotations

import click

from modelyard.cli import affected
from modelyard.cli.options import source_option, verb
from modelyard.cli.session import Session


@verb("affected")
@click.argument("target")
@source_option
def command(session: Session, target: str, kind: str) -> None:
    """Versions, aliases and deployments that depend on TARGET, each with the way from it.

    \b
    Examples:
      modelyard affected fraud:1.2.0
      modelyard affected s3://data/train.parquet --kind dataset
    """
    found = session.open().affected(target, kind=kind)
    session.answer(found, lambda: affected.lines(session, found))
