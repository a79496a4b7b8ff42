"""The verdict on an experiment, as it can be given at any moment: a winner, or what is missing for one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from modelyard.domain import sequential
from modelyard.domain.abtest import split_rule
from modelyard.domain.dataclass import dataclass
from modelyard.domain.experiments import Experiment, ExperimentVariant, OutcomeTally
from modelyard.domain.metrics import higher_is_better

SAMPLE_RATIO_ALPHA: Final = 0.01
"""Chance of an alarm about the shares when there is nothing wrong with them."""

TUNED_AT: Final = 10
"""Intervals are shortest at so many times the minimum sample."""

EVERYTHING: Final = (-math.inf, math.inf)
"""Where the ends of an interval may lie that nothing bounds."""

UNDECIDED: Final = "undecided"
WON: Final = "winner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one variant does.

    Attributes:
        predictions: Served, as the serving processes last reported; at least as many as there are outcomes.
        outcomes: Recorded while the experiment ran.
        units: Different units they are of; each counts once, with the mean of its outcomes.
        mean: Mean over the units; ``None`` without any.
        low, high: Interval that holds the true mean at all times with a chance of ``1 - alpha``; ``None`` while
            nothing can be said.
    """

    variant: str
    model_id: str
    number: int
    version: str
    weight: float
    predictions: int = 0
    outcomes: int = 0
    units: int = 0
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two variants against each other.

    Attributes:
        delta: Mean of ``b`` minus mean of ``a``; ``low`` and ``high`` hold the true one at all times (``None`` while
            nothing can be said).
        p_value: Valid at every moment, before any correction for several pairs.
        better: Name of the variant that is better beyond ``alpha``, or empty.
    """

    a: str
    b: str
    delta: float
    low: float | None
    high: float | None
    p_value: float
    better: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Whether units come in the declared shares. ``alarm``: they do not, so that no result can be believed."""

    units: Mapping[str, int]
    expected: Mapping[str, float]
    p_value: float
    alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailFinding:
    """One rule held against one variant: ``state`` is ``kept``, ``broken`` or ``missing`` (nothing was measured)."""

    rule: str
    limit: float
    variant: str
    observed: float | None
    units: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentVerdict:
    """What can be said now.

    Attributes:
        state: ``undecided`` or ``winner``.
        winner: Name of the variant that is better than every other, or ``None``.
        reasons: While undecided: what is missing, one line each.
        method: What the evidence is computed with.
        standings: Per variant, in the experiment's order. ``contests``: per pair.
    """

    experiment_id: str
    state: str
    winner: str | None
    reasons: tuple[str, ...]
    method: str
    metric: str
    alpha: float
    standings: tuple[Standing, ...]
    contests: tuple[Contest, ...]
    sample_ratio: SampleRatio
    guardrails: tuple[GuardrailFinding, ...]


METHOD: Final = "mixture sequential probability ratio test (valid at every look once means are nearly normal)"


def judge(
    experiment: Experiment,
    tallies: Sequence[OutcomeTally],
    *,
    predictions: Mapping[str, int],
    guarded: Mapping[str, Sequence[OutcomeTally]],
) -> ExperimentVerdict:
    """The verdict; the same facts always give the same one.

    Args:
        experiment: What is tried.
        tallies: Of the primary metric, by variant; a variant without outcomes may be missing.
        predictions: Served per variant.
        guarded: Guardrail metric -> its tallies.
    """
    found = {tally.variant: tally for tally in tallies}
    contests = tuple(_contests(experiment, found))
    ratio = _sample_ratio(experiment, found)
    guardrails = tuple(_guardrails(experiment, guarded))
    leader = _leader(experiment, contests)
    reasons = tuple(_obstacles(experiment, found, ratio, leader, guardrails))
    return ExperimentVerdict(
        experiment_id=experiment.experiment_id,
        state=UNDECIDED if reasons else WON,
        winner=None if reasons else leader,
        reasons=reasons,
        method=METHOD,
        metric=experiment.metric,
        alpha=experiment.alpha,
        standings=tuple(
            _standing(experiment, v, found.get(v.name), predictions) for v in experiment.variants
        ),
        contests=contests,
        sample_ratio=ratio,
        guardrails=guardrails,
    )


def chance(experiment: Experiment, verdict: ExperimentVerdict) -> float:
    """How likely the lead of the best variant would be among equals, at most; valid at every moment.

    It is the p-value against the closest rival, times the number of pairs compared (Bonferroni), so that it is at most
    ``alpha`` exactly when that variant is better than every other. 1 while some pair has nothing to compare.
    """
    ranked = [standing for standing in verdict.standings if standing.mean is not None]
    sign = 1 if experiment.higher_is_better else -1
    best = max(ranked, key=lambda standing: sign * (standing.mean or 0.0)).variant if ranked else ""
    own = [contest.p_value for contest in verdict.contests if best in (contest.a, contest.b)]
    others = len(verdict.standings) - 1
    if len(own) < others:
        return 1.0
    return min(1.0, max(own) * (others + 1) * others / 2)


# --- parts -----------------------------------------------------------------------------------------------------------


def _standing(
    experiment: Experiment,
    variant: ExperimentVariant,
    tally: OutcomeTally | None,
    predictions: Mapping[str, int],
) -> Standing:
    served = predictions.get(variant.name, 0)
    facts = {name: getattr(variant, name) for name in ("model_id", "number", "version", "weight")}
    if tally is None:
        return Standing(variant=variant.name, predictions=served, **facts)
    reach = math.inf
    span = (0.0, 1.0) if experiment.kind == "binary" else EVERYTHING
    if tally.units >= 2:
        width = sequential.tuning(TUNED_AT * experiment.minimum_sample, experiment.alpha)
        reach = sequential.radius(_variance(experiment, tally), tally.units, width, experiment.alpha)
    return Standing(
        variant=variant.name,
        predictions=max(served, tally.outcomes),
        outcomes=tally.outcomes,
        units=tally.units,
        mean=tally.mean,
        low=_ends(tally.mean, -reach, *span),
        high=_ends(tally.mean, reach, *span),
        **facts,
    )


def _ends(centre: float, reach: float, least: float, most: float) -> float | None:
    """One end of an interval within what is possible, or nothing where it has none."""
    return min(max(centre + reach, least), most) if math.isfinite(reach) else None


def _variance(experiment: Experiment, tally: OutcomeTally) -> float:
    """Of the mean. Where outcomes are right or wrong, one of each is added (Agresti and Caffo 2000): among few
    successes the plain estimate is near 0, and evidence without end would follow from a handful of outcomes."""
    if experiment.kind == "numeric":
        return tally.squares / (tally.units - 1) / tally.units
    size = tally.units + 2
    mean = (tally.mean * tally.units + 1) / size
    squares = tally.squares + tally.units * tally.mean**2 + 1
    return (squares / size - mean**2) / tally.units


def _contests(experiment: Experiment, found: Mapping[str, OutcomeTally]) -> Iterator[Contest]:
    """Every pair of which both have something to compare, at ``alpha`` over the number of pairs (Bonferroni)."""
    pairs = list(combinations(experiment.variants, 2))
    alpha = experiment.alpha / len(pairs)
    width = sequential.tuning(2 * TUNED_AT * experiment.minimum_sample, alpha)
    for a, b in pairs:
        if a.name in found and b.name in found and min(found[a.name].units, found[b.name].units) >= 2:
            yield _contest(experiment, found[a.name], found[b.name], width, alpha)


def _contest(experiment: Experiment, a: OutcomeTally, b: OutcomeTally, width: float, alpha: float) -> Contest:
    delta, variance = b.mean - a.mean, _variance(experiment, a) + _variance(experiment, b)
    evidence = sequential.log_evidence(delta, variance, a.units + b.units, width)
    reach = sequential.radius(variance, a.units + b.units, width, alpha)
    span = (-1.0, 1.0) if experiment.kind == "binary" else EVERYTHING
    better = ""
    if evidence >= -math.log(alpha):
        better = b.variant if (delta > 0) is experiment.higher_is_better else a.variant
    return Contest(
        a=a.variant,
        b=b.variant,
        delta=delta,
        low=_ends(delta, -reach, *span),
        high=_ends(delta, reach, *span),
        p_value=sequential.p_value(evidence),
        better=better,
    )


def _leader(experiment: Experiment, contests: Sequence[Contest]) -> str | None:
    """The variant that is better than each of the others, if there is one."""
    for variant in experiment.variants:
        if sum(contest.better == variant.name for contest in contests) == len(experiment.variants) - 1:
            return variant.name
    return None


def _sample_ratio(experiment: Experiment, found: Mapping[str, OutcomeTally]) -> SampleRatio:
    units = {v.name: found[v.name].units if v.name in found else 0 for v in experiment.variants}
    total = sum(units.values())
    evidence = sequential.log_share_evidence(list(units.values()), [v.weight for v in experiment.variants])
    return SampleRatio(
        units=units,
        expected={v.name: v.weight * total for v in experiment.variants},
        p_value=sequential.p_value(evidence),
        alarm=evidence >= -math.log(SAMPLE_RATIO_ALPHA),
    )


def _guardrails(
    experiment: Experiment, guarded: Mapping[str, Sequence[OutcomeTally]]
) -> Iterator[GuardrailFinding]:
    for rule, limit in experiment.guardrails.items():
        metric = split_rule(rule)[1]
        found = {tally.variant: tally for tally in guarded.get(metric, ())}
        control = found.get(experiment.variants[0].name)
        for variant in experiment.variants:
            tally = found.get(variant.name)
            yield GuardrailFinding(
                rule=rule,
                limit=limit,
                variant=variant.name,
                observed=tally.mean if tally else None,
                units=tally.units if tally else 0,
                state=_state(rule, limit, tally, control),
            )


def _state(rule: str, limit: float, tally: OutcomeTally | None, control: OutcomeTally | None) -> str:
    """What was observed, as it stands: a guardrail does not wait for proof of harm."""
    prefix, metric = split_rule(rule)
    if tally is None:
        return "missing"
    if prefix != "no_worse_":
        kept = tally.mean <= limit if prefix == "max_" else tally.mean >= limit
    elif control is None:
        return "missing"
    else:
        worse = control.mean - tally.mean if higher_is_better(metric) else tally.mean - control.mean
        kept = worse <= limit
    return "kept" if kept else "broken"


def _obstacles(
    experiment: Experiment,
    found: Mapping[str, OutcomeTally],
    ratio: SampleRatio,
    leader: str | None,
    guardrails: Sequence[GuardrailFinding],
) -> Iterator[str]:
    """Why there is no winner, one line each; nothing where there is one."""
    if not found:
        yield "there are no outcomes yet"
        return
    for variant in experiment.variants:
        units = ratio.units[variant.name]
        if units < experiment.minimum_sample:
            yield f"{variant.name} has {units} of the {experiment.minimum_sample} units with an outcome that it needs"
    if ratio.alarm:
        seen = ", ".join(
            f"{name} {count} (expected {ratio.expected[name]:.0f})" for name, count in ratio.units.items()
        )
        yield f"the sample ratio is wrong, so no result can be believed: {seen}; look for outcomes that get lost"
    if leader is None:
        yield f"no variant is better than every other beyond alpha = {experiment.alpha:g}"
    for finding in guardrails:
        if finding.variant == leader and finding.state != "kept":
            seen = "nothing was measured" if finding.observed is None else f"observed {finding.observed:g}"
            yield f"{leader} does not keep {finding.rule} = {finding.limit:g}: {seen}"
