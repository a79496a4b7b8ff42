"""``modelyard compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from modelyard.cli import figures, refs, render
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.errors import ModelNotFound
from modelyard.domain.records import ModelVersion
from modelyard.domain.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from modelyard.domain.compare import Comparison

METRICS: Final = (
    Column(title="METRIC"),
    Column(title="A", right=True, keep=True),
    Column(title="B", right=True, keep=True),
    Column(title="CHANGE", right=True, keep=True),
    Column(title="BETTER", keep=True),
    Column(title="P", right=True, keep=True),
    Column(title="TEST"),
)
DIFFERENCES: Final = (Column(title="DIFFERS"), Column(title="A"), Column(title="B"))


@verb("compare")
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--metrics", multiple=True, metavar="NAME[,NAME]", help="Only these metrics; repeat.")
@click.option(
    "--model-name", metavar="NAME", help="All versions of this model in one table, instead of A and B."
)
def command(
    session: Session, a: str | None, b: str | None, metrics: tuple[str, ...], model_name: str | None
) -> None:
    """\b
    Examples:
      modelyard compare fraud:1.1.0 fraud:1.2.0
      modelyard compare --model-name fraud
    """
    wanted = [name for given in metrics for name in given.split(",") if name]
    if model_name:
        if a or b:
            raise click.UsageError("Give two refs, or --model-name, not both.")
        _whole_model(session, model_name, wanted)
        return
    if not (a and b):
        raise click.UsageError("Which ones? Give two refs, or --model-name NAME for all versions of a model.")
    registry = session.open()
    left, right = registry.get_model(a), registry.get_model(b)
    comparison = registry.compare_models(left.model_id, right.model_id, wanted or None)
    session.answer(comparison, lambda: _lines(session, comparison, left, right))


def _lines(session: Session, found: Comparison, left: ModelVersion, right: ModelVersion) -> list[str]:
    names = {found.a: "A", found.b: "B"}
    rows = [
        [
            metric.name,
            figures.number(metric.a),
            figures.number(metric.b),
            f"{metric.delta:+.6g}" if metric.delta is not None else "-",
            names.get(metric.better or "", "-"),
            figures.number(metric.p_value),
            metric.test,
        ]
        for metric in found.metrics
    ]
    lines = render.facts([("A", refs.spelled(left)), ("B", refs.spelled(right))], session.width, 1)
    if rows:
        lines += ["", *render.table(METRICS, rows, session.width, session.paint)]
    lines += ["", session.paint(plain(_verdict(found, left, right)), "title")]
    lines += _differences(session, found)
    return [render.shorten(line, session.width) if "\x1b" not in line else line for line in lines]


def _verdict(found: Comparison, left: ModelVersion, right: ModelVersion) -> str:
    sure = f"confidence {found.confidence_score:.3g}, {found.confidence_kind}"
    if found.winner is None:
        return f"no winner ({sure})"
    name, version = ("A", left) if found.winner == found.a else ("B", right)
    return f"{name} is better: {refs.spelled(version)} ({sure})"


def _differences(session: Session, found: Comparison) -> list[str]:
    rows = [
        *_diff("param", found.params_diff),
        *_diff("file", found.files_diff),
        *_diff("environment", found.environment_diff),
    ]
    lines = [f"signatures: {found.signature_verdict}"] if found.signature_verdict != "unknown" else []
    return lines + (["", *render.table(DIFFERENCES, rows, session.width, session.paint)] if rows else [])


def _diff(kind: str, values: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    return [
        [f"{kind} {key}", str(sides.get("a", "-")), str(sides.get("b", "-"))] for key, sides in values.items()
    ]


def _whole_model(session: Session, name: str, wanted: list[str]) -> None:
    """Every version of a model, one row each, with a column for each metric that any of them has."""
    versions = list(session.open().list_models(name=name))
    if not versions:
        raise ModelNotFound(
            f"There is no model '{name}' with versions. See 'modelyard list' for those there are."
        )
    found = dict.fromkeys(metric for version in versions for metric in version.performance_metrics)
    metrics = [metric for metric in found if not wanted or metric in wanted]

    def lines() -> list[str]:
        columns = [
            Column(title="VERSION", keep=True),
            Column(title="STAGE", keep=True),
            *(Column(title=plain(metric), right=True) for metric in metrics),
            Column(title="CREATED"),
        ]
        rows = [
            [
                version.version,
                version.stage.value,
                *(figures.number(version.performance_metrics.get(metric)) for metric in metrics),
                figures.ago(version.created_at, session.now),
            ]
            for version in versions
        ]
        return render.table(columns, rows, session.width, session.paint)

    session.answer({"model": name, "metrics": metrics, "versions": versions}, lines)
