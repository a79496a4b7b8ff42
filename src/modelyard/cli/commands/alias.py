"""``modelyard alias``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from modelyard.cli import figures, refs, render
from modelyard.cli.options import group, reason_option
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.text import fold

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry

COLUMNS: Final = (
    Column(title="MODEL"),
    Column(title="ALIAS"),
    Column(title="VERSION", keep=True),
    Column(title="#", right=True, keep=True),
    Column(title="PROTECTED", keep=True),
    Column(title="SINCE", keep=True),
    Column(title="BY"),
)


@group("alias")
def command() -> None:
    """Every move is kept: fraud@champion~1 names what it pointed at before."""


@command.command("set")
@click.argument("name")
@click.argument("alias")
@click.argument("ref")
@click.option("--expected", metavar="REF", help="Only if it points at this now; '' for a new alias.")
@click.option("--force", is_flag=True, help="Move a protected one; needs --reason.")
@reason_option()
@click.pass_obj
def set_(
    session: Session, name: str, alias: str, ref: str, expected: str | None, force: bool, reason: str
) -> None:
    """Point ALIAS of model NAME at a version.

    Example: modelyard alias set fraud champion fraud:1.2.0
    """
    how: dict[str, Any] = {} if expected is None else {"expected": expected or None}
    version = session.open().set_alias(name, alias, ref, reason=reason, force=force, **how)
    session.done(version, f"{version.name}@{alias} points at {refs.spelled(version)} (#{version.number}) now")
    session.next("alias", "protect", name, alias)


@command.command("delete")
@click.argument("name")
@click.argument("alias")
@click.option("--force", is_flag=True, help="Remove a protected one; needs --reason.")
@reason_option()
@click.pass_obj
def delete(session: Session, name: str, alias: str, force: bool, reason: str) -> None:
    """Remove ALIAS of model NAME."""
    session.open().delete_alias(name, alias, force=force, reason=reason)
    session.done({"model": name, "alias": alias, "deleted": True}, f"removed {name}@{alias}")


@command.command("protect")
@click.argument("name")
@click.argument("alias")
@reason_option()
@click.pass_obj
def protect(session: Session, name: str, alias: str, reason: str) -> None:
    """Let ALIAS move only with --force and a reason."""
    _protect(session, name, alias, reason, protected=True)


@command.command("unprotect")
@click.argument("name")
@click.argument("alias")
@reason_option()
@click.pass_obj
def unprotect(session: Session, name: str, alias: str, reason: str) -> None:
    """Let ALIAS move freely again."""
    _protect(session, name, alias, reason, protected=False)


def _protect(session: Session, name: str, alias: str, reason: str, *, protected: bool) -> None:
    session.open().protect_alias(name, alias, protected, reason=reason)
    word = "is protected now: moving it takes --force and --reason" if protected else "moves freely again"
    session.done({"model": name, "alias": alias, "protected": protected}, f"{name}@{alias} {word}")


@command.command("list")
@click.argument("name", required=False)
@click.pass_obj
def list_(session: Session, name: str | None) -> None:
    """Aliases of one model, or of all."""
    registry = session.open()
    if name is not None:
        registry.get_policy(name)  # raises for a model that is not there, which an empty list would hide
    found = list(_aliases(registry, name))
    session.answer({"aliases": found}, lambda: _lines(session, found))
    if not found:
        session.next("alias", "set", name or "NAME", "champion", f"{name or 'NAME'}:1.0.0")


def _aliases(registry: ModelRegistry, name: str | None) -> Iterator[dict[str, Any]]:
    for model in registry.iterate_models(name or ""):
        if name is not None and model.key != fold(name):
            continue
        for alias in model.aliases.values():
            yield {
                "model": model.name,
                "alias": alias.name,
                "version": registry.get_model(alias.model_id).version,
                "number": alias.number,
                "model_id": alias.model_id,
                "protected": alias.protected,
                "at": alias.at,
                "by": alias.by,
            }


def _lines(session: Session, found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return ["No aliases."]
    rows = [
        [
            a["model"],
            a["alias"],
            a["version"],
            str(a["number"]),
            "yes" if a["protected"] else "no",
            figures.ago(a["at"], session.now),
            a["by"],
        ]
        for a in found
    ]
    return render.table(COLUMNS, rows, session.width, session.paint)
