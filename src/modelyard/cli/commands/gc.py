"""``modelyard gc``."""

from __future__ import annotations

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Collected
from modelyard.domain.text import plain


@verb("gc")
@click.option(
    "--grace-days", type=click.FloatRange(min=0), default=7.0, show_default=True, help="Idle for so long."
)
@click.option("--yes", is_flag=True, help="Do it; without it only a preview.")
def command(session: Session, grace_days: float, yes: bool) -> None:
    """Bytes of deleted versions and of uploads nobody used, and records past use. This cannot be undone.

    Past use are answers to idempotency keys and tokens that ended (after 90 days), and sessions and logins (after one).
    """
    collected = session.open().gc(dry_run=not yes, grace_days=grace_days)
    session.answer(collected, lambda: _lines(session, collected))
    if collected.dry_run and (collected.blobs or collected.versions or collected.forgotten):
        session.next("gc", "--grace-days", f"{grace_days:g}", "--yes")


def _lines(session: Session, collected: Collected) -> list[str]:
    if not (collected.blobs or collected.versions or collected.forgotten):
        return ["nothing to free"]
    count, word = figures.plural(len(collected.blobs), "blob"), "would free" if collected.dry_run else "freed"
    lines = [f"{word} {figures.size(collected.freed)} in {count}"] if collected.blobs else []
    if collected.versions:
        which = figures.plural(len(collected.versions), "deleted version")
        lines.append(f"{which} {'would lose' if collected.dry_run else 'lost'} their bytes:")
        lines += [f"  {plain(model_id)}" for model_id in collected.versions]
    if past := collected.forgotten:
        kinds = ((past.receipts, "receipt"), (past.sessions, "session"), (past.tokens, "token"))
        counts = ", ".join(figures.plural(count, kind) for count, kind in kinds if count)
        lines.append(f"{'would drop' if collected.dry_run else 'dropped'} {counts} past use")
    return lines
