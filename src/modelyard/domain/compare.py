"""Two versions side by side: which is better, by how much, and how sure that is.

A confidence is only called statistical where a test was made, and a test is only made where the records carry
what it needs: the same data, and per-example results, sample sizes or spread. With bare numbers the score is a
heuristic and says so.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, TypeAlias

from modelyard.domain import diff as differing
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.evidence import Judge, Judged, no_judge
from modelyard.domain.frames import pandas_for
from modelyard.domain.grounds import FITTED, Grounds, Shared, grounds, on_training, pairable, with_means
from modelyard.domain.metrics import direction, latest, qualified, resolve
from modelyard.domain.records import JSON, Metric, ModelVersion
from modelyard.domain.spelling import hint, quoted

_ALPHA = 0.05
_LARGEST = sys.float_info.max  # a difference beyond it would be infinite, which JSON cannot hold

_FITTED: Final = "left out: measured on training data, and other data was measured too"

ADVICE: Final = (
    "no test was possible: record metrics with their sample size, "
    "or register per-example results with both versions"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric on both sides.

    Attributes:
        name: With its place, ``accuracy[test]``.
        a, b: The values; ``None`` where a side has none.
        delta: ``b - a``; ``None`` unless both are numbers.
        direction: ``higher`` or ``lower`` is better; ``None`` if nobody knows, or the two records disagree.
        interval: 95 % confidence interval of ``delta``, where it was tested.
        p_value: Two-sided, of this metric alone.
        p_adjusted: The same after Holm's correction over all metrics tested.
        test: Name of the test, such as ``McNemar exact``; empty: none was made, and ``note`` says why.
        n: Sample sizes (a, b), where both are known.
        better: ``model_id`` of the better side by value alone; ``None`` for a tie or an unknown direction.
        comparable: ``False``: left out of the verdict, being measured on different data, or on training data while
            other data was measured too.
        note: What a reader should know about this row.
    """

    name: str
    a: float | None
    b: float | None
    delta: float | None = None
    direction: str | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    test: str = ""
    n: tuple[int, int] | None = None
    better: str | None = None
    comparable: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `compare` found.

    Attributes:
        a, b: ``model_id`` of the two versions.
        winner: ``model_id`` of the better one, or ``None`` where nothing supports one.
        confidence_score: From 0.5 (a coin) to 1; `compare` says how it is reckoned.
        confidence_kind: ``statistical`` or ``heuristic``.
        metrics: One entry per metric.
        notes: What a reader should know: results that could not be used, what to install, what to record.
        signature_verdict: ``identical``, ``compatible``, ``breaking``, or ``unknown`` where a side has none.
        signature_reasons: One line per field that differs.
        params_diff: Hyperparameters that differ, ``{"C": {"a": 1.0, "b": 0.5}}``; a side that has none is
            left out.
        files_diff: The same for digests by path.
        environment_diff: The same for the environment, nested keys joined by dots.
        card_diff: The same for the model card.
    """

    a: str
    b: str
    winner: str | None
    confidence_score: float
    confidence_kind: str
    metrics: tuple[MetricComparison, ...]
    notes: tuple[str, ...]
    signature_verdict: str
    signature_reasons: tuple[str, ...]
    params_diff: Mapping[str, Mapping[str, JSON]]
    files_diff: Mapping[str, Mapping[str, JSON]]
    environment_diff: Mapping[str, Mapping[str, JSON]]
    card_diff: Mapping[str, Mapping[str, JSON]]

    def to_mapping(self) -> dict[str, JSON]:
        """JSON; NaN is the text ``"NaN"``."""
        plain: dict[str, JSON] = _plain(asdict(self))
        return plain

    def to_frame(self) -> Any:
        """A pandas ``DataFrame``, one row per metric, indexed by its name.

        Raises:
            MissingDependency: If pandas is not installed.
        """
        pd = pandas_for("to_frame")
        columns = [name for name in MetricComparison.__dataclass_fields__ if name != "name"]
        rows = [[getattr(metric, column) for column in columns] for metric in self.metrics]
        return pd.DataFrame(
            rows, columns=columns, index=pd.Index([m.name for m in self.metrics], name="metric")
        )


def _plain(value: Any) -> JSON:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def compare(
    a: ModelVersion,
    b: ModelVersion,
    metrics_to_compare: Iterable[str] | None = None,
    *,
    judge: Judge = no_judge,
    results: Mapping[str, Shared] | None = None,
    notes: Iterable[str] = (),
) -> Comparison:
    """Compare two versions, metric by metric and in what they are made of.

    **Where a test was possible** the verdict rests on the tested metrics alone. A side wins if it is
    significantly better (5 %, Holm 1979) in at least one of them and significantly worse in none.
    ``confidence_score`` is ``1 - p / 2`` for the smallest adjusted p: 0.5 says nothing, 0.975 is the
    threshold. Two metrics that significantly contradict each other leave no winner and 0.5.

    **Where none was**, the score is ``0.5 + 0.45 * |0.3 * s + 0.7 * r|``: ``s`` is the share of metrics that
    ``b`` wins minus the share that it loses, ``r`` the mean of its relative gains ``(b - a) / max(|a|,
    |b|)``, each cut to [-1, 1] and turned so that positive is better. The sign names the winner; 0 is a tie
    with 0.5. This orders candidates, it is no probability. It never passes 0.95.

    Metrics whose direction nobody knows, and those measured on different data, are listed and do not count. Nor do
    those on training data (split ``train``, or ``train_`` in the name) as soon as something else counts that was
    measured on another split, or is the same metric: the version that fits its training data best is often the
    overfitted one.

    Args:
        a: One version.
        b: The other; ``compare(b, a)`` is the mirror image.
        metrics_to_compare: Names as in a gate (``accuracy``, ``f1``, ``accuracy[test]``); default: all of
            both.
        judge: Makes the tests.
        results: Per-example results (of ``a``, of ``b``) by place. A column that neither version records as a
            metric becomes a row of its own.
        notes: What was found out before; they come first in the answer's.

    Raises:
        NotFound: A metric asked for is recorded on neither side, where others are. Of two versions without any metric
            each is listed without a value, as ``metrics_to_compare`` does not change that there is nothing to compare.
        InvalidInput: A name that may mean several metrics, or a text instead of a list of names.
    """
    shared, unpaired = pairable(results or {})
    a, b = with_means(a, b, shared)
    pairs = _all_pairs(a, b) if metrics_to_compare is None else _chosen_pairs(a, b, metrics_to_compare)
    rows = _without_training(pairs, [_compared(*pair, a, b, shared) for pair in pairs])
    judged, missing = _judged(rows, judge)
    compared = _holm(judged)
    tested = [metric for metric in compared if metric.p_adjusted is not None]
    winner, score = _statistical(tested) if tested else _heuristic(compared, a, b)
    advice = (ADVICE,) if compared and not (tested or missing) else ()
    found = differing.diff(a, b)
    return Comparison(
        a=a.model_id,
        b=b.model_id,
        winner=winner,
        confidence_score=score,
        confidence_kind="statistical" if tested else "heuristic",
        metrics=tuple(compared),
        notes=tuple(dict.fromkeys((*notes, *unpaired, *missing, *advice))),
        signature_verdict=found.signature_verdict,
        signature_reasons=found.signature_reasons,
        params_diff=found.params,
        files_diff=found.files,
        environment_diff=found.environment,
        card_diff=found.card,
    )


# --- which numbers stand against each other -----------------------------------------------------------------

_Pair = tuple[str, Metric | None, Metric | None]


def _all_pairs(a: ModelVersion, b: ModelVersion) -> list[_Pair]:
    left, right = latest(a.metrics), latest(b.metrics)
    return [
        (qualified(left.get(key) or right[key]), left.get(key), right.get(key))
        for key in sorted({**left, **right})
    ]


def _chosen_pairs(a: ModelVersion, b: ModelVersion, specs: Iterable[str]) -> list[_Pair]:
    if isinstance(specs, str):
        raise InvalidInput(f"metrics_to_compare: expected a list of names, found the text {quoted(specs)}.")
    pairs: list[_Pair] = []
    is_known = bool(a.metrics or b.metrics)  # a name beside these is a slip; beside none, it is only early
    for spec in dict.fromkeys(specs):
        left, right = _resolved(a, spec), _resolved(b, spec)
        if is_known and left is None and right is None:
            raise NotFound(_missing(a, b, spec))
        pairs.append((spec, left, right))
    return pairs


def _missing(a: ModelVersion, b: ModelVersion, spec: str) -> str:
    ours, theirs = f"{a.name}:{a.version}", f"{b.name}:{b.version}"
    nobody = f"{ours} has no" if ours == theirs else f"Neither {ours} nor {theirs} has a"
    known = sorted({metric.name for metric in (*a.metrics, *b.metrics)})
    return f"{nobody} metric {quoted(spec)}; recorded are: {', '.join(known[:10])}.{hint(spec, known)}"


def _resolved(version: ModelVersion, spec: str) -> Metric | None:
    try:
        return resolve(version, spec)
    except NotFound:
        return None


# --- one metric ---------------------------------------------------------------------------------------------

_Row: TypeAlias = tuple[MetricComparison, Grounds]


def _compared(
    name: str,
    left: Metric | None,
    right: Metric | None,
    a: ModelVersion,
    b: ModelVersion,
    shared: Mapping[str, Shared],
) -> _Row:
    """What the values alone say of one metric, and what a test could go by."""
    if left is None or right is None or math.isnan(left.value) or math.isnan(right.value):
        row = MetricComparison(
            name=name,
            a=left.value if left else None,
            b=right.value if right else None,
            note=_gap(left, right),
        )
        return row, Grounds()
    higher = _direction(left, right)
    base = grounds(left, right, shared)
    delta = max(-_LARGEST, min(_LARGEST, right.value - left.value))
    counts = higher is not None and base.comparable and delta != 0
    row = MetricComparison(
        name=name,
        a=left.value,
        b=right.value,
        delta=delta,
        direction=None if higher is None else "higher" if higher else "lower",
        n=base.n,
        better=(b.model_id if (delta > 0) is higher else a.model_id) if counts else None,
        comparable=base.comparable,
        note=base.note,
    )
    if higher is None:
        return replace(row, note=row.note or "nobody knows which direction is better"), Grounds()
    return row, base


def _gap(left: Metric | None, right: Metric | None) -> str:
    """What keeps two values from being compared."""
    if left and right:
        return "not a number on one side"
    return "recorded on one side only" if left or right else "recorded on neither side"


def _without_training(pairs: Sequence[_Pair], rows: Sequence[_Row]) -> list[_Row]:
    """The rows, those about training data set aside where the same metric or another split tells more."""
    counting = [
        metric if metric and row.direction and row.comparable else None
        for (_, metric, _), (row, _) in zip(pairs, rows, strict=True)
    ]
    other = [metric for metric in counting if metric and not on_training(metric)]
    split, names = any(metric.split for metric in other), {metric.name for metric in other}
    return [
        (replace(row, comparable=False, better=None, note=_FITTED), Grounds())
        if metric and on_training(metric) and (split or _bare(metric) in names)
        else (row, base)
        for metric, (row, base) in zip(counting, rows, strict=True)
    ]


def _bare(metric: Metric) -> str:
    return metric.name[len(FITTED) :] if metric.name.casefold().startswith(FITTED) else metric.name


def _direction(left: Metric, right: Metric) -> bool | None:
    ours, theirs = direction(left), direction(right)
    return ours if ours == theirs else None


def _judged(rows: Iterable[_Row], judge: Judge) -> tuple[list[MetricComparison], list[str]]:
    """The rows with their tests, and what would have to be installed for more."""
    judged: list[MetricComparison] = []
    missing: list[str] = []
    for row, base in rows:
        answer = None if base.evidence is None else judge(base.evidence)
        if isinstance(answer, Judged):
            row = replace(row, test=answer.test, p_value=answer.p_value, interval=answer.interval)
        elif answer is not None:
            row = replace(row, note=answer.reason)
            missing += [answer.reason] if answer.missing else []
        judged.append(row)
    return judged, missing


def _holm(metrics: list[MetricComparison]) -> list[MetricComparison]:
    """Adjust the p-values for their number (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    ordered = sorted((m.p_value, i) for i, m in enumerate(metrics) if m.p_value is not None)
    adjusted: dict[int, float] = {}
    floor = 0.0
    for place, (p, i) in enumerate(ordered):
        floor = max(floor, min(1.0, p * (len(ordered) - place)))
        adjusted[i] = floor
    return [replace(m, p_adjusted=adjusted.get(i)) for i, m in enumerate(metrics)]


# --- the verdict --------------------------------------------------------------------------------------------


def _statistical(tested: list[MetricComparison]) -> tuple[str | None, float]:
    smallest = min(m.p_adjusted for m in tested if m.p_adjusted is not None)
    winners = {m.better for m in tested if m.p_adjusted is not None and m.p_adjusted < _ALPHA}
    if len(winners) > 1:
        return None, 0.5
    return winners.pop() if winners else None, 1 - smallest / 2


def _heuristic(metrics: list[MetricComparison], a: ModelVersion, b: ModelVersion) -> tuple[str | None, float]:
    gains = list(_relative_gains(metrics))
    if not gains:
        return None, 0.5
    won = sum((gain > 0) - (gain < 0) for gain in gains) / len(gains)
    lead = 0.3 * won + 0.7 * math.fsum(gains) / len(gains)
    winner = None if lead == 0 else b.model_id if lead > 0 else a.model_id
    return winner, 0.5 + 0.45 * abs(lead)


def _relative_gains(metrics: list[MetricComparison]) -> Iterator[float]:
    """What ``b`` gains over ``a`` in each metric that counts, from -1 to 1."""
    for metric in metrics:
        if metric.delta is None or metric.a is None or metric.b is None:
            continue
        if metric.direction is None or not metric.comparable:
            continue
        scale = max(abs(metric.a), abs(metric.b))
        gain = max(-1.0, min(1.0, metric.delta / scale)) if scale else 0.0
        yield gain if metric.direction == "higher" else -gain
