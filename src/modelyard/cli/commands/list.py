"""``modelyard list``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import inputs, versions
from modelyard.cli.options import stage_option, verb
from modelyard.cli.session import Session


@verb("list")
@click.argument("model", required=False)
@click.option("--name", help="Only this model.")
@stage_option("--stage", text="Only versions in this stage.")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Only versions with this tag; repeat."
)
@click.option("--framework", help="Only this framework, such as scikit-learn.")
@click.option("--algorithm", help="Only this class of model, such as RandomForestClassifier.")
@click.option("--alias", help="Only versions that this alias points at.")
@click.option("--where", default="", metavar="QUERY", help='A query such as "metrics.accuracy > 0.9".')
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; without it all.")
@click.option("--deleted", "include_deleted", is_flag=True, help="Deleted ones too.")
def command(session: Session, model: str | None, tags: tuple[str, ...], **filters: Any) -> None:
    """All filters must hold. With --limit, a last line says whether there are more. MODEL and --name say the same.

    \b
    Examples:
      modelyard list fraud
      modelyard list --stage production --where "metrics.accuracy > 0.9"
    """
    if model is not None and filters["name"] not in (None, model):
        raise click.UsageError(f"Two models, '{model}' and '{filters['name']}'; give one.")
    filters["name"] = filters["name"] if model is None else model
    if session.absent():
        show(session, [], more=False, empty=True)
        return
    found = session.open().list_models(tags=inputs.pairs(tags, "--tag") or None, **filters)
    filtered = bool(tags) or any(value for key, value in filters.items() if key != "limit")
    show(session, list(found), more=found.more, empty=not filtered)


def show(session: Session, found: list[Any], *, more: bool, empty: bool) -> None:
    """Versions as a table or as ``{"versions": [...], "more": bool}``.

    Args:
        more: Whether a limit held some back.
        empty: If nothing was found: whether that means that the registry is empty.
    """
    if found:
        session.answer(
            {"versions": found, "more": more},
            lambda: versions.listing(found, session.now, session.width, session.paint),
        )
        if more:
            session.note(f"the first {len(found)}; there are more: raise --limit or leave it out.")
        return
    session.answer(
        {"versions": [], "more": False},
        lambda: [f"No versions yet in {session.place()}." if empty else "Nothing matches."],
    )
    if empty:
        session.next("register", "--model-path", "FILE", "--name", "NAME")
    else:
        session.next("list")
