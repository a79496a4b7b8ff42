"""Two versions side by side: which is better, by how much, and how sure that is.

A confidence is only called statistical where a test was made, and a test is only made where the records carry
what it needs: the same data, sample sizes, and for plain numbers their spread. With bare numbers the score is
a heuristic and says so.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, MissingDependency, NotFound
from modelyard.domain.metrics import direction, latest, qualified, resolve
from modelyard.domain.records import JSON, Metric, ModelVersion
from modelyard.domain.spelling import hint, quoted

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

_SPLITS = ("test_", "val_", "validation_", "train_", "dev_", "eval_", "holdout_")
_ALPHA = 0.05
_LARGEST = sys.float_info.max  # a difference beyond it would be infinite, which JSON cannot hold
_Z = 1.959963984540054  # two-sided 95 % of the standard normal distribution
_LEAST_EXPECTED = 5  # expected successes and failures below which the normal approximation misleads
_LEAST_N = 30  # sample size from which Welch's t is close enough to normal


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
        test: ``two-proportion z`` or ``Welch (normal approximation)``; empty: no test was possible.
        n: Sample sizes (a, b), where both are known.
        better: ``model_id`` of the better side by value alone; ``None`` for a tie or an unknown direction.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `compare` found.

    Attributes:
        a, b: ``model_id`` of the two versions.
        winner: ``model_id`` of the better one, or ``None`` where nothing supports one.
        confidence_score: From 0.5 (a coin) to 1; `compare` says how it is reckoned.
        confidence_kind: ``statistical`` or ``heuristic``.
        metrics: One entry per metric.
        signature_verdict: ``same``, ``different``, or ``unknown`` where a side has none.
        params_diff: Hyperparameters that differ, ``{"C": {"a": 1.0, "b": 0.5}}``; a side that has none is
            left out.
        files_diff: The same for digests by path.
        environment_diff: The same for the environment, nested keys joined by dots.
    """

    a: str
    b: str
    winner: str | None
    confidence_score: float
    confidence_kind: str
    metrics: tuple[MetricComparison, ...]
    signature_verdict: str
    params_diff: Mapping[str, Mapping[str, JSON]]
    files_diff: Mapping[str, Mapping[str, JSON]]
    environment_diff: Mapping[str, Mapping[str, JSON]]

    def to_mapping(self) -> dict[str, JSON]:
        """JSON; NaN is the text ``"NaN"``."""
        plain: dict[str, JSON] = _plain(asdict(self))
        return plain

    def to_frame(self) -> Any:
        """A pandas ``DataFrame``, one row per metric, indexed by its name.

        Raises:
            MissingDependency: If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependency(
                "to_frame needs pandas, which is not installed: pip install pandas."
            ) from error
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


def compare(a: ModelVersion, b: ModelVersion, metrics_to_compare: Iterable[str] | None = None) -> Comparison:
    """Compare two versions, metric by metric and in what they are made of.

    **Where a test was possible** the verdict rests on the tested metrics alone. A side wins if it is
    significantly better (5 %, Holm 1979) in at least one of them and significantly worse in none.
    ``confidence_score`` is ``1 - p / 2`` for the smallest adjusted p: 0.5 says nothing, 0.975 is the
    threshold. Two metrics that significantly contradict each other leave no winner and 0.5.

    **Where none was**, the score is ``0.5 + 0.45 * |0.3 * s + 0.7 * r|``: ``s`` is the share of metrics that
    ``b`` wins minus the share that it loses, ``r`` the mean of its relative gains ``(b - a) / max(|a|,
    |b|)``, each cut to [-1, 1] and turned so that positive is better. The sign names the winner; 0 is a tie
    with 0.5. This orders candidates, it is no probability. It never passes 0.95.

    Metrics whose direction nobody knows are listed and do not count.

    Args:
        a: One version.
        b: The other; ``compare(b, a)`` is the mirror image.
        metrics_to_compare: Names as in a gate (``accuracy``, ``f1``, ``accuracy[test]``); default: all of
            both.

    Raises:
        NotFound: A metric asked for is recorded on neither side.
        InvalidInput: A name that may mean several metrics, or a text instead of a list of names.
    """
    pairs = _all_pairs(a, b) if metrics_to_compare is None else _chosen_pairs(a, b, metrics_to_compare)
    compared = _holm([_compared(name, left, right, a, b) for name, left, right in pairs])
    tested = [metric for metric in compared if metric.p_adjusted is not None]
    winner, score = _statistical(tested) if tested else _heuristic(compared, a, b)
    return Comparison(
        a=a.model_id,
        b=b.model_id,
        winner=winner,
        confidence_score=score,
        confidence_kind="statistical" if tested else "heuristic",
        metrics=tuple(compared),
        signature_verdict=_signatures(a, b),
        params_diff=_difference(a.hyperparams, b.hyperparams),
        files_diff=_difference({f.path: f.digest for f in a.files}, {f.path: f.digest for f in b.files}),
        environment_diff=_difference(_flat(a.environment), _flat(b.environment)),
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
    for spec in dict.fromkeys(specs):
        left, right = _resolved(a, spec), _resolved(b, spec)
        if left is None and right is None:
            raise NotFound(_missing(a, b, spec))
        pairs.append((spec, left, right))
    return pairs


def _missing(a: ModelVersion, b: ModelVersion, spec: str) -> str:
    ours, theirs = f"{a.name}:{a.version}", f"{b.name}:{b.version}"
    nobody = f"{ours} has no" if ours == theirs else f"Neither {ours} nor {theirs} has a"
    known = sorted({metric.name for metric in (*a.metrics, *b.metrics)})
    return (
        f"{nobody} metric {quoted(spec)}; recorded are: {', '.join(known[:10]) or 'none'}.{hint(spec, known)}"
    )


def _resolved(version: ModelVersion, spec: str) -> Metric | None:
    try:
        return resolve(version, spec)
    except NotFound:
        return None


def _compared(
    name: str, left: Metric | None, right: Metric | None, a: ModelVersion, b: ModelVersion
) -> MetricComparison:
    if left is None or right is None or math.isnan(left.value) or math.isnan(right.value):
        return MetricComparison(name=name, a=left.value if left else None, b=right.value if right else None)
    higher = _direction(left, right)
    delta = max(-_LARGEST, min(_LARGEST, right.value - left.value))
    plain = MetricComparison(
        name=name,
        a=left.value,
        b=right.value,
        delta=delta,
        direction=None if higher is None else "higher" if higher else "lower",
        n=(left.n, right.n) if left.n is not None and right.n is not None else None,
        better=None if higher is None or delta == 0 else b.model_id if (delta > 0) is higher else a.model_id,
    )
    return _tested(plain, left, right)


def _direction(left: Metric, right: Metric) -> bool | None:
    ours, theirs = direction(left), direction(right)
    return ours if ours == theirs else None


# --- tests --------------------------------------------------------------------------------------------------


def _tested(plain: MetricComparison, left: Metric, right: Metric) -> MetricComparison:
    """Add a test if the data are the same, the direction is known and the records carry what it needs."""
    same_data = (left.dataset, left.dataset_digest, left.split) == (
        right.dataset,
        right.dataset_digest,
        right.split,
    )
    if plain.n is None or plain.direction is None or not same_data:
        return plain
    if _is_proportion(left) and _is_proportion(right):
        return _two_proportions(plain, left.value, right.value, *plain.n)
    if left.sd is not None and right.sd is not None:
        return _welch(plain, left.sd, right.sd, *plain.n)
    return plain


def _is_proportion(metric: Metric) -> bool:
    name = metric.name.casefold()
    bare = next((name.removeprefix(split) for split in _SPLITS if name.startswith(split)), name)
    return bare in PROPORTIONS and 0 <= metric.value <= 1


def _two_proportions(plain: MetricComparison, p: float, q: float, n: int, m: int) -> MetricComparison:
    """Pooled z-test; interval by Newcombe (Statistics in Medicine 17, 1998, method 10), which copes with 0
    and 1.
    """
    pooled = (p * n + q * m) / (n + m)
    if min(pooled, 1 - pooled) * min(n, m) < _LEAST_EXPECTED:
        return plain
    z = (q - p) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    (p_low, p_high), (q_low, q_high) = _wilson(p, n), _wilson(q, m)
    low = (q - p) - math.hypot(q - q_low, p_high - p)
    high = (q - p) + math.hypot(q_high - q, p - p_low)
    return replace(plain, test="two-proportion z", p_value=_two_sided(z), interval=(low, high))


def _wilson(p: float, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson, JASA 22, 1927)."""
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return centre - half, centre + half


def _welch(plain: MetricComparison, sd: float, other: float, n: int, m: int) -> MetricComparison:
    error = math.hypot(sd / math.sqrt(n), other / math.sqrt(m))
    if min(n, m) < _LEAST_N or not error > 0 or plain.delta is None:
        return plain
    interval = (plain.delta - _Z * error, plain.delta + _Z * error)
    if not all(map(math.isfinite, interval)):
        return plain
    p_value = _two_sided(plain.delta / error)
    return replace(plain, test="Welch (normal approximation)", p_value=p_value, interval=interval)


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


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
        if metric.delta is None or metric.direction is None or metric.a is None or metric.b is None:
            continue
        scale = max(abs(metric.a), abs(metric.b))
        gain = max(-1.0, min(1.0, metric.delta / scale)) if scale else 0.0
        yield gain if metric.direction == "higher" else -gain


# --- what they are made of ----------------------------------------------------------------------------------


def _signatures(a: ModelVersion, b: ModelVersion) -> str:
    if not a.signature or not b.signature:
        return "unknown"
    return "same" if a.signature == b.signature else "different"


def _difference(left: Mapping[str, JSON], right: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    sides = {"a": left, "b": right}
    return {
        key: {side: values[key] for side, values in sides.items() if key in values}
        for key in sorted({**left, **right})
        if key not in left or key not in right or left[key] != right[key]
    }


def _flat(mapping: Mapping[str, JSON], prefix: str = "") -> dict[str, JSON]:
    flat: dict[str, JSON] = {}
    for key, value in mapping.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
