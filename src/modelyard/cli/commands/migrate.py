"""``modelyard migrate``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from modelyard.cli import figures
from modelyard.cli.options import verb
from modelyard.cli.session import Session

if TYPE_CHECKING:
    from modelyard.cli.progress import Bar
    from modelyard.service.migration import Migrated


@verb("migrate")
@click.option("--from", "source", required=True, metavar="URL", help="Folder or address of the registry.")
@click.option("--to", "target", required=True, metavar="URL", help="Folder or address of an empty place.")
@click.option("--from-config", metavar="FILE", help="All that is configured for the source.")
@click.option("--to-config", metavar="FILE", help="All that is configured for the target.")
@click.option("--deep", is_flag=True, help="Read every byte of the target again at the end, not only some.")
@click.option("--dry-run", is_flag=True, help="Say what would be moved, and move nothing.")
def command(
    session: Session,
    source: str,
    target: str,
    from_config: str | None,
    to_config: str | None,
    deep: bool,
    dry_run: bool,
) -> None:
    """Records, history, tokens and bytes, each as it is. Stop whoever writes first; run it again after a failure.

    A URL is a folder, sqlite:///FILE, postgresql://, mysql://, mariadb:// or mongodb://, with ?storage= for the bytes.
    A folder or file is just that, whatever --config says of databases and buckets, if no --from-config or --to-config
    says otherwise.

    Example: modelyard migrate --from ./models --to 'postgresql://db/r?storage=s3://m'
    """
    from modelyard.client.migrate import end_at, move
    from modelyard.settings import load

    ends = [
        end_at(load(config or session.config), location, own=config is not None)
        for config, location in ((from_config, source), (to_config, target))
    ]
    bars = _Bars(session)
    try:
        moved = move(*ends, deep=deep, dry_run=dry_run, watch=bars)
    finally:
        bars.finish()
    session.answer(moved, lambda: [] if session.quiet else _lines(session, moved))
    if moved.done:
        session.hint(f"Now let everybody use {moved.target}, and keep {moved.source} until you are sure.")


class _Bars:
    """Bars on a terminal, one after the other, for threads that tell of bytes together."""

    def __init__(self, session: Session) -> None:
        self._width = session.width if sys.stderr.isatty() and not session.quiet else 0
        self._lock = threading.Lock()
        self._bar: Bar | None = None

    def __call__(self, title: str, total: int) -> Callable[[int], None]:
        self.finish()
        if not self._width:
            return lambda _count: None
        from modelyard.cli.progress import Bar

        unit = _records if title == "records" else figures.size
        bar = self._bar = Bar(sys.stderr, title, total, self._width, unit=unit)

        def tell(count: int) -> None:
            with self._lock:
                bar(count)

        return tell

    def finish(self) -> None:
        """Wipe what is shown."""
        if self._bar is not None:
            self._bar.finish()


def _records(count: float) -> str:
    return figures.plural(int(count), "record")


def _lines(session: Session, moved: Migrated) -> list[str]:
    counts = moved.records
    held = ", ".join(
        [
            figures.plural(counts.get("models", 0), "model"),
            figures.plural(counts.get("versions", 0), "version"),
            figures.plural(counts.get("events", 0), "event"),
            f"{figures.plural(moved.blobs, 'blob')} of {figures.size(moved.size)}",
        ]
    )
    todo = f"{figures.plural(moved.missing, 'record')} and {figures.plural(moved.copied, 'object')}"
    if not moved.done:
        return [f"{moved.source} holds {held}", f"{moved.target} lacks {todo}; nothing was written"]
    proof = (
        ""
        if moved.audit is None
        else f", {figures.plural(moved.audit.events, 'event')} of the history proved"
    )
    return [
        session.paint(f"{moved.target} is whole: {held}", "good"),
        f"written this time: {todo}; read again: {figures.plural(moved.read_again, 'blob')}{proof}",
    ]
