"""``modelyard tag``."""

from __future__ import annotations

import click

from modelyard.cli import inputs, refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("tag")
@click.argument("ref")
@click.argument("tags", nargs=-1, metavar="KEY=VALUE...")
@click.option("--remove", multiple=True, metavar="KEY", help="Remove this tag; repeat.")
@click.option("--whole-model", is_flag=True, help="Tag the model, not a version; REF is then its name.")
def command(
    session: Session, ref: str, tags: tuple[str, ...], remove: tuple[str, ...], whole_model: bool
) -> None:
    """Example: modelyard tag fraud:1.2.0 team=risk --remove draft"""
    changes: dict[str, str | None] = {**inputs.pairs(tags, "tags"), **dict.fromkeys(remove)}
    if not changes:
        raise click.UsageError("Which tags? Give KEY=VALUE, or --remove KEY.")
    registry = session.open()
    if whole_model:
        model = registry.describe_model(ref, tags=changes)
        session.done(model, f"{model.name}: {_shown(model.tags)}")
        return
    version = registry.annotate(ref, tags=changes)
    session.done(version, f"{refs.spelled(version)}: {_shown(version.tags)}")


def _shown(tags: object) -> str:
    pairs = dict(tags) if isinstance(tags, dict) else {}
    return " ".join(f"{key}={value}" for key, value in pairs.items()) or "no tags"
