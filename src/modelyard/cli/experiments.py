"""Experiments and their verdicts for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from modelyard.cli import figures, render
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.abtest_verdict import ExperimentVerdict, Standing, chance
from modelyard.domain.experiments import Experiment
from modelyard.domain.text import plain

LIST: Final = (
    Column(title="EXPERIMENT", keep=True),
    Column(title="MODEL"),
    Column(title="WHAT"),
    Column(title="STATE", keep=True),
    Column(title="SINCE", keep=True),
)
STANDINGS: Final = (
    Column(title="VARIANT"),
    Column(title="VERSION"),
    Column(title="SHARE", right=True),
    Column(title="PREDICTIONS", right=True),
    Column(title="USERS", right=True, keep=True),
    Column(title="MEAN", right=True, keep=True),
    Column(title="ALWAYS WITHIN", keep=True),
)
LEAST: Final = 1e-300
"""Below it a float ends, and no chance is 0."""


def listed(session: Session, found: Sequence[Experiment]) -> list[str]:
    """One row per experiment."""
    if not found:
        return ["No experiments."]
    rows = [
        [e.experiment_id, e.model, e.title, _state(e), figures.ago(e.stopped_at or e.created_at, session.now)]
        for e in found
    ]
    return render.table(LIST, rows, session.width, session.paint)


def _state(experiment: Experiment) -> str:
    if experiment.running:
        return "running"
    return f"stopped, {experiment.winner} won" if experiment.winner else "stopped"


def shown(session: Session, experiment: Experiment, verdict: ExperimentVerdict) -> list[str]:
    """An experiment, how its variants do, and what follows."""
    title = f"{experiment.model}: {experiment.title}"
    facts = [
        ("id", experiment.experiment_id),
        (
            "state",
            f"{_state(experiment)} ({figures.ago(experiment.stopped_at or experiment.created_at, session.now)})",
        ),
        ("metric", f"{experiment.metric}, {'higher' if experiment.higher_is_better else 'lower'} is better"),
    ]
    lines = [session.paint(render.shorten(plain(title), session.width), "title")]
    lines += [*render.facts(facts, session.width), ""]
    lines += render.table(STANDINGS, [_row(s) for s in verdict.standings], session.width, session.paint)
    return [*lines, "", *_outcome(session, experiment, verdict), *_guardrails(session, verdict)]


def _row(standing: Standing) -> list[str]:
    low, high = standing.low, standing.high
    return [
        standing.variant,
        standing.version,
        f"{standing.weight:.0%}",
        str(standing.predictions),
        str(standing.units),
        "-" if standing.mean is None else figures.number(standing.mean),
        "-" if low is None or high is None else f"{figures.number(low)} to {figures.number(high)}",
    ]


def _outcome(session: Session, experiment: Experiment, verdict: ExperimentVerdict) -> list[str]:
    if verdict.winner:
        p = chance(experiment, verdict)
        shown = f"p = {p:.2g}" if p >= LEAST else f"p < {LEAST:g}"
        text = f"{verdict.winner} is better ({shown}, valid at every look)"
        return [session.paint(plain(text), "good")]
    lines = [session.paint("undecided", "warn")]
    for reason in verdict.reasons:
        first, *rest = render.wrap(plain(reason), session.width - 4)
        lines += [f"  - {first}", *(f"    {line}" for line in rest)]
    return lines


def _guardrails(session: Session, verdict: ExperimentVerdict) -> list[str]:
    lines = []
    for finding in verdict.guardrails:
        seen = (
            "nothing measured" if finding.observed is None else f"{figures.number(finding.observed)} observed"
        )
        text = f"{finding.variant}: {finding.rule} = {figures.number(finding.limit)} {finding.state}, {seen}"
        lines.append(session.paint(plain(text), "good" if finding.state == "kept" else "bad"))
    return lines


def assigned(session: Session, answer: Mapping[str, str]) -> list[str]:
    """A variant and its assignment id, which stands alone in its line to be copied whole."""
    return [
        *render.facts([("variant", f"{answer['variant']} ({answer['version']})")], session.width),
        answer["assignment_id"],
    ]
