"""``modelyard lineage``."""

from __future__ import annotations

import click

from modelyard.cli import figures, refs, render
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.records import ModelVersion
from modelyard.domain.text import plain


@verb("lineage")
@click.argument("ref")
def command(session: Session, ref: str) -> None:
    """From the first ancestor down to the version itself, with what each was made from.

    Example: modelyard lineage fraud:1.2.0
    """
    chain = session.open().get_model_lineage(ref)
    session.answer({"versions": chain}, lambda: _lines(session, chain))


def _lines(session: Session, chain: list[ModelVersion]) -> list[str]:
    lines = []
    for depth, version in enumerate(chain):
        indent = "  " * min(depth, 10) + ("└ " if depth else "")
        text = f"{refs.spelled(version)} (#{version.number}), {version.stage.value}, "
        lines.append(indent + plain(text + figures.ago(version.created_at, session.now)))
        lines += [
            f"{' ' * len(indent)}  {edge.kind}: {plain(edge.target)}"
            for edge in version.lineage
            if edge.kind != "parent"
        ]
    return [render.shorten(line, session.width) for line in lines]
