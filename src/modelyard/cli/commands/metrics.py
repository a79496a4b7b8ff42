"""``modelyard metrics``."""

from __future__ import annotations

from typing import Any, Final

import click

from modelyard.cli import figures, refs, render, versions
from modelyard.cli.inputs import json_object
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.records import ModelVersion

COLUMNS: Final = (
    Column(title="METRIC"),
    Column(title="VALUE", right=True, keep=True),
    Column(title="N", right=True, keep=True),
    Column(title="DATA SET"),
    Column(title="SPLIT"),
    Column(title="RECORDED", keep=True),
    Column(title="BY"),
)


@verb("metrics")
@click.argument("ref")
@click.argument("values", type=json_object, metavar="[JSON|FILE]", required=False)
@click.option("--revision", type=int, metavar="N", help="Only if the version is still at this revision.")
def command(session: Session, ref: str, values: dict[str, Any] | None, revision: int | None) -> None:
    """Earlier values stay in the history; the latest counts.

    \b
    Examples:
      modelyard metrics fraud:1.2.0
      modelyard metrics fraud:1.2.0 \\
        '{"accuracy": {"value": 0.93, "n": 114, "split": "test"}}'
    """
    registry = session.open()
    if values is None:
        version = registry.get_model(ref)
        session.answer(
            {"model_id": version.model_id, "metrics": version.metrics}, lambda: _lines(session, version)
        )
        return
    version = registry.update_model_metrics(ref, values, revision=revision)
    session.done(version, f"{refs.spelled(version)}: recorded {', '.join(values)}")
    if not version.deleted:
        session.hint(f"now: {versions.measured(version.performance_metrics)}")


def _lines(session: Session, version: ModelVersion) -> list[str]:
    if not version.metrics:
        return ["No metrics yet."]
    rows = [
        [
            metric.name,
            figures.number(metric.value),
            figures.number(metric.n),
            metric.dataset,
            metric.split,
            figures.ago(metric.at, session.now),
            metric.by,
        ]
        for metric in version.metrics
    ]
    return render.table(COLUMNS, rows, session.width, session.paint)
