"""``modelyard session``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from modelyard.cli import figures, render
from modelyard.cli.options import group, reason_option
from modelyard.cli.render import Column
from modelyard.cli.session import Session as Caller

if TYPE_CHECKING:
    from datetime import datetime

    from modelyard.domain.sessions import Session

COLUMNS: Final = (
    Column(title="ID", keep=True),
    Column(title="NAME"),
    Column(title="MAY", cut="end"),
    Column(title="STATE", keep=True),
    Column(title="OPENED"),
    Column(title="USED"),
)


@group("session")
def command() -> None:
    """A session is what somebody has who logged in at a server with a browser."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.pass_obj
def list_(caller: Caller, everything: bool) -> None:
    """Sessions, person by person."""
    found = [s for s in caller.open().list_sessions() if everything or s.is_open(caller.now)]
    caller.answer({"sessions": [shown(each, caller.now) for each in found]}, lambda: _lines(caller, found))


@command.command("end")
@click.argument("who")
@reason_option()
@click.pass_obj
def end(caller: Caller, who: str, reason: str) -> None:
    """End one session by its id, or all of a person by name. Servers refuse them within a second.

    A token that came of `modelyard login` is not one of them: `modelyard token revoke` ends it.
    """
    ended = caller.open().end_sessions(who, reason=reason)
    names = ", ".join(sorted({each.owner.name for each in ended}))
    told = {"sessions": [shown(each, caller.now) for each in ended]}
    caller.done(told, f"ended {figures.plural(len(ended), 'session')} of {names}")


def shown(session: Session, now: datetime) -> dict[str, Any]:
    """A session as ``--json`` has it."""
    return {
        "session_id": session.session_id,
        "owner": session.owner.name,
        "grants": [str(grant) for grant in session.grants],
        "state": session.state(now),
        "kind": "code" if session.challenge else "session",
        "opened_at": session.opened_at,
        "used_at": session.used_at,
        "ends_at": session.ends_at,
        "ended_at": session.ended_at,
    }


def _lines(caller: Caller, found: list[Session]) -> list[str]:
    if not found:
        return ["No sessions."]
    rows = [
        [
            each.session_id,
            each.owner.name,
            "; ".join(map(str, each.grants)),
            each.state(caller.now),
            figures.ago(each.opened_at, caller.now),
            figures.ago(each.used_at, caller.now),
        ]
        for each in found
    ]
    return render.table(COLUMNS, rows, caller.width, caller.paint)
