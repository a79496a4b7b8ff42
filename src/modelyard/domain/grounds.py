"""What two measurements of one metric give a test to go by: the most telling evidence that their records hold.

Per-example results come first, because they compare the two sides on each single example; then shares with their
numbers of examples; then means with their spread. Numbers from different data are no evidence at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from modelyard.domain import results
from modelyard.domain.dataclass import dataclass
from modelyard.domain.evidence import Evidence, Means, Proportions
from modelyard.domain.metrics import place, places
from modelyard.domain.records import Metric, ModelVersion
from modelyard.domain.results import Results

Shared: TypeAlias = tuple[Results, Results]
"""Per-example results on the same data: of ``a``, of ``b``."""

PROPORTIONS: Final = frozenset(
    {
        "accuracy",
        "error_rate",
        "exact_match",
        "hit_rate",
        "misclassification_rate",
        "top_1_accuracy",
        "top_5_accuracy",
        "win_rate",
        "zero_one_loss",
    }
)
"""Metrics that are the plain share of ``n`` examples. Precision and recall are shares of other, unrecorded
counts.
"""

TRAINING: Final = ("train", "training")
"""Splits that a version was fitted to: how well it repeats them says little about anything else."""

FITTED: Final = "train_"
"""What names of metrics begin with that say so themselves."""

_SPLITS = ("test_", "val_", "validation_", "train_", "dev_", "eval_", "holdout_")
_ROUNDING = 0.01  # recorded numbers are often rounded to two digits; more than this is another measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What there is to go by.

    Attributes:
        evidence: For a test; ``None`` if there is none, and ``note`` says why.
        n: Sample sizes (a, b), where both are known.
        comparable: ``False``: the two numbers are about different data.
        note: What a reader should know.
    """

    evidence: Evidence | None = None
    n: tuple[int, int] | None = None
    comparable: bool = True
    note: str = ""


def grounds(left: Metric, right: Metric, shared: Mapping[str, Shared]) -> Grounds:
    """The best that two measurements and the per-example results of both versions give."""
    sizes = (left.n, right.n) if left.n is not None and right.n is not None else None
    if odd := _other_data(left, right):
        return Grounds(n=sizes, comparable=False, note=f"left out: measured on different data ({odd})")
    where = _file_for(left, right, shared)
    if where is None:
        return _summary(left, right, sizes)
    a, b = shared[where]
    if odd := _disagreement(left, a) or _disagreement(right, b):
        found = _summary(left, right, sizes)
        return replace(found, note=f"not paired: {odd}" + (f"; {found.note}" if found.note else ""))
    return Grounds(evidence=results.paired(a, b, left.name), n=(len(a.ids), len(b.ids)))


def _summary(left: Metric, right: Metric, sizes: tuple[int, int] | None) -> Grounds:
    """What the recorded numbers give by themselves."""
    if _data(left) != _data(right):
        return Grounds(n=sizes, note="not known to be measured on the same data")
    if sizes is None:
        return Grounds(note="no sample size recorded")
    n, m = sizes
    if _is_proportion(left) and _is_proportion(right):
        return Grounds(evidence=Proportions(a=left.value, b=right.value, n=n, m=m), n=sizes)
    if left.sd is None or right.sd is None:
        return Grounds(n=sizes, note="no standard deviation recorded, and not a share of examples")
    means = Means(a=left.value, b=right.value, sd_a=left.sd, sd_b=right.sd, n=n, m=m)
    return Grounds(evidence=means, n=sizes)


def _is_proportion(metric: Metric) -> bool:
    name = metric.name.casefold()
    bare = next((name.removeprefix(split) for split in _SPLITS if name.startswith(split)), name)
    return bare in PROPORTIONS and 0 <= metric.value <= 1


def on_training(metric: Metric) -> bool:
    """Whether a number was measured on what the version was fitted to, as its split or its name says."""
    split = metric.split.rpartition("/")[2].casefold()
    return split in TRAINING or metric.name.casefold().startswith(FITTED)


# --- the same data? -----------------------------------------------------------------------------------------


def _data(metric: Metric) -> tuple[str, str, str]:
    return metric.dataset, metric.split, metric.dataset_digest


def _other_data(left: Metric, right: Metric) -> str:
    """Where both records name their data and name different ones; empty if nothing says so."""
    pairs = zip(("data set", "split", "digest"), _data(left), _data(right), strict=True)
    return "; ".join(f"{what} {a} and {b}" for what, a, b in pairs if a and b and a != b)


def _file_for(left: Metric, right: Metric, shared: Mapping[str, Shared]) -> str | None:
    """The place whose results are about this metric: the one it names, else the only one there is."""
    having = [
        where
        for where, (a, b) in shared.items()
        if left.name == right.name and left.name in a.columns and left.name in b.columns
    ]
    named = [where for where in having if where in places(left) & places(right)]
    if named:
        return max(named, key=len)
    placeless = not place(left) and not place(right)
    return next((where for where in having if not where or (placeless and len(having) == 1)), None)


def _disagreement(metric: Metric, side: Results) -> str:
    """Why the results cannot be what the metric was computed from; empty if they can."""
    mean = side.mean(metric.name)
    if abs(mean - metric.value) <= _ROUNDING * max(abs(mean), abs(metric.value)):
        return ""
    return f"{metric.value:.6g} is recorded, and the mean of the per-example results is {mean:.6g}"


# --- per-example results ------------------------------------------------------------------------------------


def pairable(given: Mapping[str, Shared]) -> tuple[dict[str, Shared], list[str]]:
    """The results that are about the same examples, in the same order, and why the others are not used."""
    reasons = {where: results.unpairable(a, b) for where, (a, b) in given.items()}
    kept = {
        where: (results.in_order(a), results.in_order(b))
        for where, (a, b) in given.items()
        if not reasons[where]
    }
    return kept, [f"{named(where)} not used: {reason}" for where, reason in reasons.items() if reason]


def named(where: str) -> str:
    """The per-example results of a place, for people."""
    return f"per-example results of {where}" if where else "per-example results"


def with_means(
    a: ModelVersion, b: ModelVersion, shared: Mapping[str, Shared]
) -> tuple[ModelVersion, ModelVersion]:
    """Both versions with the means of those columns as metrics that neither of them records."""
    known = {metric.name for metric in (*a.metrics, *b.metrics)}
    return (
        replace(
            a, metrics=(*a.metrics, *_means(a, {where: pair[0] for where, pair in shared.items()}, known))
        ),
        replace(
            b, metrics=(*b.metrics, *_means(b, {where: pair[1] for where, pair in shared.items()}, known))
        ),
    )


def _means(version: ModelVersion, files: Mapping[str, Results], known: Iterable[str]) -> list[Metric]:
    taken = frozenset(known)
    return [
        Metric(
            name=column,
            value=side.mean(column),
            at=version.created_at,
            by=version.created_by,
            n=len(side.ids),
            sd=side.deviation(column),
            split=where,
        )
        for where, side in files.items()
        for column in side.columns
        if column not in taken
    ]
