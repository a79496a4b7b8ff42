"""``modelyard monitor``: the registry at a glance, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click

from modelyard.cli import exits, inputs
from modelyard.cli.dashboard import Snapshot, draw, look
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.errors import ModelyardError

HOME, WIPE_LINE, WIPE_REST = "\x1b[H", "\x1b[K", "\x1b[J"
CLEAR, HIDE_CURSOR, SHOW_CURSOR = "\x1b[2J", "\x1b[?25l", "\x1b[?25h"


@verb("monitor")
@click.option(
    "--interval", type=inputs.seconds, metavar="SECONDS", help="Between two looks, from 0.1; default 30."
)
@click.option("--once", is_flag=True, help="Look once and end.")
def command(session: Session, interval: float | None, once: bool) -> int:
    """Counts by stage, what is live since when by whom, recent events, storage, warnings.

    On a terminal the picture is drawn again in place; elsewhere one block follows the other. Ctrl-C ends it.
    With --json one picture is printed, as data.
    """
    pause = interval or float(session.settings().monitoring.interval)
    try:
        _watch(session, pause, once=once or session.json)
    except (KeyboardInterrupt, click.Abort):
        click.echo()
    finally:
        if sys.stdout.isatty():
            click.echo(SHOW_CURSOR, nl=False, color=True)
    return exits.OK


def _watch(session: Session, pause: float, *, once: bool) -> None:
    in_place = sys.stdout.isatty() and not once
    if in_place:
        click.echo(HIDE_CURSOR + CLEAR, nl=False, color=True)
    for snapshot in _looks(session, pause, once=once):
        if session.json:
            session.answer(snapshot, list)
            continue
        lines = draw(snapshot, session.width, session.paint)
        if in_place:
            lines = [*_cut(lines), session.paint(f"every {pause:g} s, Ctrl-C ends", "dim")]
            picture = HOME + "".join(f"{line}{WIPE_LINE}\n" for line in lines) + WIPE_REST
            click.echo(picture, nl=False, color=True)
        else:
            click.echo("\n".join([*lines, *([] if once else [""])]), color=True)
        sys.stdout.flush()


def _looks(session: Session, pause: float, *, once: bool) -> Iterator[Snapshot]:
    """One look after the other. A look that fails is shown as a warning: watching goes on."""
    while True:
        try:
            yield look(session)
        except ModelyardError as error:
            if once:
                raise
            yield Snapshot(place=session.place(), at=session.now, warnings=(f"cannot look: {error.detail}",))
        if once:
            return
        time.sleep(pause)


def _cut(lines: list[str]) -> list[str]:
    """As many lines as leave room for the last one, so that the terminal never scrolls."""
    import shutil

    return lines[: max(shutil.get_terminal_size().lines - 2, 1)]
