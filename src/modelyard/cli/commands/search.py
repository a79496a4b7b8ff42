"""``modelyard search``."""

from __future__ import annotations

import click

from modelyard.cli.commands.list import show
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("search")
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; without it all.")
def command(session: Session, query: tuple[str, ...], limit: int | None) -> None:
    """Bare words look at name, description and tags; comparisons at everything else.

    \b
    Examples:
      modelyard search fraud forest
      modelyard search "fraud and metrics.accuracy > 0.9"
      modelyard search "tags.team = 'risk' order by metrics.accuracy desc"
    """
    if session.absent():
        show(session, [], more=False, empty=True)
        return
    found = session.open().search_models(" ".join(query), limit=limit)
    show(session, list(found), more=found.more, empty=False)
