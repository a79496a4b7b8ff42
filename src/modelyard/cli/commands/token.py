"""``modelyard token``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from modelyard.cli import figures, render
from modelyard.cli.options import group, reason_option
from modelyard.cli.render import Column
from modelyard.cli.session import Session

if TYPE_CHECKING:
    from modelyard.domain.tokens import Token

COLUMNS: Final = (
    Column(title="ID", keep=True),
    Column(title="NAME"),
    Column(title="OWNER"),
    Column(title="MAY", cut="end"),
    Column(title="STATE", keep=True),
    Column(title="USED"),
)


@group("token")
def command() -> None:
    """A token is what a program shows to a server. Its secret is shown once, when it is made, and kept nowhere.

    On a registry folder this needs no token: who may write the folder may let others in.
    """


@command.command("create")
@click.argument("name")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    required=True,
    metavar="TEXT",
    help="What it may do: 'reader', 'writer on risk/*', 'approver on fraud, to staging'; repeat.",
)
@click.option("--owner", metavar="NAME", help="Who acts with it; else you.")
@click.option("--service", is_flag=True, help="The owner is a program, not a person.")
@click.option("--days", type=float, default=90, show_default=True, help="How long it lives.")
@click.option("--forever", is_flag=True, help="Until it is revoked, or as long as the token that makes it.")
@reason_option()
@click.pass_obj
def create(session: Session, /, name: str, days: float, forever: bool, **how: Any) -> None:
    """Make a token and print its secret.

    \b
    Example:
      modelyard token create "nightly training" --grant "writer on risk/*"
    """
    grants = list(how.pop("grants"))
    made = session.open().create_token(name, grants, days=None if forever else days, **how)
    told = {"token": shown(made.token, session.now), "secret": made.secret}
    until = (
        f"until {figures.local(made.token.expires_at)}" if made.token.expires_at else "until it is revoked"
    )
    session.done(told, made.secret, quiet_text=made.secret)
    may = "; ".join(map(str, made.token.grants))
    session.hint(f"token {made.token.token_id} of {made.token.owner.name} {until}: {may}")
    session.hint("This secret is not shown again. Give it to programs as MODELYARD_TOKEN.")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Expired and revoked ones too.")
@click.pass_obj
def list_(session: Session, everything: bool) -> None:
    """Tokens, oldest first."""
    found = [t for t in session.open().list_tokens() if everything or t.state(session.now) == "valid"]
    session.answer({"tokens": [shown(token, session.now) for token in found]}, lambda: _lines(session, found))


@command.command("revoke")
@click.argument("token")
@reason_option()
@click.pass_obj
def revoke(session: Session, token: str, reason: str) -> None:
    """End a token, by its id or name. Servers refuse it within a second."""
    ended = session.open().revoke_token(token, reason=reason)
    session.done(
        shown(ended, session.now), f"revoked '{ended.name}' of {ended.owner.name} ({ended.token_id})"
    )


def shown(token: Token, now: datetime) -> dict[str, Any]:
    """A token as ``--json`` has it."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "owner": token.owner.name,
        "kind": token.owner.kind,
        "grants": [str(grant) for grant in token.grants],
        "state": token.state(now),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
        "revoked_at": token.revoked_at,
        "revoked_by": token.revoked_by,
    }


def _lines(session: Session, found: list[Token]) -> list[str]:
    if not found:
        return ["No tokens."]
    rows = [
        [
            token.token_id,
            token.name,
            token.owner.name,
            "; ".join(map(str, token.grants)),
            token.state(session.now),
            figures.ago(token.used_at, session.now),
        ]
        for token in found
    ]
    return render.table(COLUMNS, rows, session.width, session.paint)
