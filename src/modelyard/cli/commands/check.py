"""``modelyard check``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import refs
from modelyard.cli.inputs import json_object
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("check")
@click.argument("ref")
@click.argument("name")
@click.option("--passed/--failed", default=None, help="How it went.")
@click.option(
    "--evidence", type=json_object, metavar="JSON|FILE", help="What proves it, such as '{\"run\": 17}'."
)
def command(
    session: Session, ref: str, name: str, passed: bool | None, evidence: dict[str, Any] | None
) -> None:
    """Gates look at recorded checks by their name.

    Example: modelyard check fraud:1.2.0 tests_passed --passed
    """
    if passed is None:
        raise click.UsageError("How did it go? Give --passed or --failed.")
    version = session.open().record_check(ref, name, passed, evidence=evidence)
    session.done(version, f"{refs.spelled(version)}: {name} {'passed' if passed else 'FAILED'}, recorded")
