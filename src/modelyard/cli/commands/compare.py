"""``modelyard compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from modelyard.cli import differences, figures, refs, render
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.diff import diff
from modelyard.domain.errors import ModelNotFound
from modelyard.domain.records import ModelVersion
from modelyard.domain.text import plain
from modelyard.domain.versions_table import chosen, metric_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.domain.compare import Comparison, MetricComparison

METRICS: Final = (
    Column(title="METRIC"),
    Column(title="A", right=True, keep=True),
    Column(title="B", right=True, keep=True),
    Column(title="CHANGE", right=True, keep=True),
    Column(title="95 % INTERVAL", right=True, keep=True),
    Column(title="P", right=True, keep=True),
    Column(title="BETTER", keep=True),
)

WITHOUT_METRICS: Final = 34
"""Columns that version, stage and age take together."""

NUMBER: Final = 8
"""Columns that a number takes at most."""


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
    rows = [_row(metric, {found.a: "A", found.b: "B"}) for metric in found.metrics]
    lines = render.facts([("A", refs.spelled(left)), ("B", refs.spelled(right))], session.width, 1)
    if rows:
        lines += ["", *render.table(METRICS, rows, session.width, session.paint)]
    lines += ["", session.paint(render.shorten(plain(_verdict(found, left, right)), session.width), "title")]
    for note in (*_tests(found), *_remarks(found), *found.notes):
        first, *rest = render.wrap(plain(note), session.width - 2)
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines + differences.lines(session, diff(left, right))


def _row(metric: MetricComparison, names: Mapping[str, str]) -> list[str]:
    return [
        metric.name,
        figures.number(metric.a),
        figures.number(metric.b),
        figures.change(metric.delta),
        figures.span(metric.interval),
        figures.chance(metric.p_adjusted),
        names.get(metric.better or "", "-"),
    ]


def _verdict(found: Comparison, left: ModelVersion, right: ModelVersion) -> str:
    sure = f"confidence {found.confidence_score:.3g}, {found.confidence_kind}"
    if found.winner is None:
        return f"no winner ({sure})"
    name, version = ("A", left) if found.winner == found.a else ("B", right)
    return f"{name} is better: {refs.spelled(version)} ({sure})"


def _tests(found: Comparison) -> list[str]:
    """Which test each p-value comes from, those alike in one line."""
    groups: dict[str, list[str]] = {}
    for metric in found.metrics:
        if metric.test:
            n, m = metric.n or (0, 0)
            groups.setdefault(f"{metric.test}, n {n}" + (f" and {m}" if n != m else ""), []).append(
                metric.name
            )
    several = sum(map(len, groups.values())) > 1
    lines = [f"{test}: {', '.join(names)}" for test, names in groups.items()]
    return [*lines, "P is corrected for the number of tests (Holm)"] if several else lines


def _remarks(found: Comparison) -> list[str]:
    """Remarks on single metrics, those alike in one line; what a remark about the whole says is not said twice."""
    groups: dict[str, list[str]] = {}
    for metric in found.metrics:
        if metric.note and metric.note not in found.notes:
            groups.setdefault(metric.note, []).append(metric.name)
    return [f"{', '.join(names)}: {note}" for note, names in groups.items()]


def _whole_model(session: Session, name: str, wanted: list[str]) -> None:
    """Every version of a model, one row each, with a column for each metric that any of them has."""
    versions = list(session.open().list_models(name=name))
    if not versions:
        raise ModelNotFound(
            f"There is no model '{name}' with versions. See 'modelyard list' for those there are."
        )
    values = metric_columns(versions)
    values = chosen(values, wanted) if wanted else values
    session.answer(
        {"model": name, "metrics": list(values), "values": values, "versions": versions},
        lambda: _table(session, versions, values),
    )


def _table(
    session: Session, versions: list[ModelVersion], values: Mapping[str, list[float | None]]
) -> list[str]:
    shown = _fitting(session, list(values))
    columns = [
        Column(title="VERSION"),
        Column(title="STAGE", keep=True),
        *(Column(title=plain(metric), right=True, keep=True) for metric in shown),
        Column(title="CREATED", keep=True),
    ]
    rows = [
        [
            version.version,
            version.stage.value,
            *(figures.number(values[metric][index]) for metric in shown),
            figures.ago(version.created_at, session.now),
        ]
        for index, version in enumerate(versions)
    ]
    lines = render.table(columns, rows, session.width, session.paint)
    if rest := [metric for metric in values if metric not in shown]:
        lines += render.wrap(
            f"more metrics, to be chosen with --metrics: {plain(', '.join(rest))}", session.width
        )
    return lines


def _fitting(session: Session, metrics: list[str]) -> list[str]:
    """The first metrics whose columns can be read beside each other: cut names of numbers say nothing."""
    room = session.width - WITHOUT_METRICS
    shown: list[str] = []
    for metric in metrics:
        room -= render.GAP + max(render.width_of(metric), NUMBER)
        if room < 0 and shown:
            break
        shown.append(metric)
    return shown
