"""``modelyard history``."""

from __future__ import annotations

from typing import Final

import click

from modelyard.cli import events
from modelyard.cli.options import verb
from modelyard.cli.session import Session

NOTHING: Final = "Nothing happened yet."
NOTHING_HERE: Final = "No events of the registry itself. What happened to models is in the history of each."


@verb("history")
@click.argument("ref", required=False, default="")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; without it all.")
@click.option("--oldest-first", is_flag=True, help="In the order in which it happened.")
def command(session: Session, ref: str, limit: int | None, oldest_first: bool) -> None:
    """REF is a model, or one version of it; without it the registry's own events are shown.

    Example: modelyard history fraud --limit 10
    """
    found = session.open().history(ref, limit=limit, newest_first=not oldest_first)
    session.answer(
        {"events": found},
        lambda: (
            events.lines(found, session.now, session.width, session.paint)
            if found
            else [NOTHING if ref else NOTHING_HERE]
        ),
    )
    if not found and not ref:
        session.next("history", "NAME")
    if limit is not None and len(found) == limit:
        session.hint(f"the first {limit}; there may be more: raise --limit or leave it out")
