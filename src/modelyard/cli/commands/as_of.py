"""``modelyard as-of``."""

from __future__ import annotations

import click

from modelyard.cli import figures, inputs, refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("as-of")
@click.argument("name")
@click.argument("time")
@click.option("--pointer", default="production", help="A stage or an alias (default: production).")
def command(session: Session, name: str, time: str, pointer: str) -> None:
    """TIME is ISO 8601 (local where no zone is given), or for example "10 min ago".

    \b
    Examples:
      modelyard as-of fraud 2026-03-01T12:00
      modelyard as-of fraud "1 h ago" --pointer champion
    """
    at = inputs.moment(time, session.now)
    version = session.open().as_of(name, at, pointer)
    found = f"{refs.spelled(version)} (#{version.number}), {version.model_id}" if version else "nothing"
    session.done(
        {"model": name, "pointer": pointer, "at": at, "version": version},
        f"{name}@{pointer} at {figures.local(at)} was {found}",
        quiet_text=version.model_id if version else "",
    )
