"""``modelyard describe``."""

from __future__ import annotations

import click

from modelyard.cli import refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("describe")
@click.argument("ref")
@click.argument("text")
@click.option("--whole-model", is_flag=True, help="Describe the model, not a version; REF is then its name.")
def command(session: Session, ref: str, text: str, whole_model: bool) -> None:
    """Example: modelyard describe fraud:1.2.0 "trained without the March data" """
    registry = session.open()
    if whole_model:
        model = registry.describe_model(ref, text)
        session.done(model, f"described {model.name}")
        return
    version = registry.describe(ref, text)
    session.done(version, f"described {refs.spelled(version)}")
