"""``modelyard diff``."""

from __future__ import annotations

import click

from modelyard.cli import differences, refs, render
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.diff import Difference
from modelyard.domain.records import ModelVersion


@verb("diff")
@click.argument("a")
@click.argument("b")
def command(session: Session, a: str, b: str) -> None:
    """Params, signature, environment, files and model card; what is equal is left out.

    Example: modelyard diff fraud:1.1.0 fraud:1.2.0
    """
    registry = session.open()
    left, right = registry.get_model(a), registry.get_model(b)
    found = registry.diff(left.model_id, right.model_id)
    session.answer(found, lambda: _lines(session, found, left, right))


def _lines(session: Session, found: Difference, left: ModelVersion, right: ModelVersion) -> list[str]:
    lines = render.facts([("A", refs.spelled(left)), ("B", refs.spelled(right))], session.width, 1)
    return [*lines, *([] if not found.empty else ["nothing differs"]), *differences.lines(session, found)]
