"""Measured numbers: reading them, finding the one that a rule means, and knowing which direction is
better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.records import Metric, ModelVersion
from modelyard.domain.spelling import hint, quoted
from modelyard.domain.text import INVISIBLE

_HIGHER = (
    "accuracy auc auprc auroc average_precision balanced_accuracy bleu cohen_kappa completeness coverage "
    "d2 exact_match explained_variance f1 f1_score f2_score f_beta fbeta_score fscore g_mean gini "
    "hit_rate homogeneity iou jaccard jaccard_score ks map matthews_corrcoef mcc mean_average_precision "
    "meteor mrr ndcg npv pr_auc precision psnr r2 r2_score recall roc_auc rouge rouge_l sensitivity "
    "silhouette silhouette_score specificity ssim throughput top_1_accuracy top_5_accuracy "
    "true_negative_rate true_positive_rate v_measure win_rate"
)
_LOWER = (
    "bpc brier brier_score brier_score_loss calibration_error cer cost cross_entropy davies_bouldin "
    "deviance ece eer error error_rate fallout false_negative_rate false_positive_rate fid fnr fpr "
    "hamming_loss hinge_loss hter huber inertia inference_time kl_divergence latency latency_ms "
    "latency_p50 latency_p95 latency_p99 log_loss logloss loss mae mape max_error mean_absolute_error "
    "mean_absolute_percentage_error mean_squared_error mean_squared_log_error medae median_absolute_error "
    "memory_mb misclassification_rate model_size mse msle nll p50_latency p95_latency p99_latency "
    "perplexity pinball_loss rmse rmsle root_mean_squared_error size_mb smape ter training_time wer "
    "zero_one_loss"
)

DIRECTIONS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(_HIGHER.split(), True),
    **dict.fromkeys(_LOWER.split(), False),
}
"""Well-known metrics: ``True`` where a higher value is better."""

SHORT_NAMES: Final = frozenset(
    {"ap", "auc", "f1", "kappa", "brier", "rouge", "iou", "jaccard", "latency", "r2"}
)
"""Words that people use for one of several metrics, so that they may stand for a longer name."""

FIELDS: Final = ("value", "n", "sd", "dataset", "dataset_digest", "split", "higher_is_better")

LONGEST_NAME: Final = 200
MOST_EXAMPLES: Final = 2**53  # what every JSON reader holds exactly


# --- reading ------------------------------------------------------------------------------------------------


def parse_metrics(
    given: Mapping[str, Any] | Iterable[Mapping[str, Any] | Metric] | None, *, at: datetime, by: str
) -> tuple[Metric, ...]:
    """Metrics from what a caller wrote.

    Args:
        given: Either names with values, ``{"accuracy": 0.92, "f1_score": {"value": 0.9, "n": 569, "split":
            "test"}}``, or a list of mappings with a ``name`` besides, for one name on several data sets.
        at: When they are recorded, for those that do not say.
        by: Who records them.

    Returns:
        In the order given.

    Raises:
        InvalidInput: Names the metric and what is wrong with it: text, a boolean, NaN or an infinite value, an
            unknown key.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(_metric(name, value, at, by) for name, value in given.items())
    return tuple(_listed(item, at, by) for item in _items(given))


def _items(given: Any) -> Iterable[Any]:
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        return given
    raise InvalidInput(f"Metrics: expected a mapping of names to numbers, found {quoted(given)}.")


def _listed(item: Any, at: datetime, by: str) -> Metric:
    if isinstance(item, Metric):
        _finite(item.name, item.value)
        return item
    if not isinstance(item, Mapping) or "name" not in item:
        raise InvalidInput(f"Metrics: expected a mapping with 'name' and 'value', found {quoted(item)}.")
    return _metric(item["name"], {key: value for key, value in item.items() if key != "name"}, at, by)


def _metric(name: Any, given: Any, at: datetime, by: str) -> Metric:
    check_name(name)
    if type(given) is float or type(given) is int:
        return Metric(name=name, value=_finite(name, given), at=at, by=by)
    fields = given if isinstance(given, Mapping) else {"value": given}
    for key in fields:
        if key not in FIELDS:
            raise InvalidInput(
                f"Metric {name!r}: unknown key {quoted(key)}, expected one of {', '.join(FIELDS)}."
                f"{hint(str(key), FIELDS)}"
            )
    if "value" not in fields:
        raise InvalidInput(f"Metric {name!r}: 'value' is missing.")
    return Metric(
        name=name,
        value=_finite(name, fields["value"]),
        at=at,
        by=by,
        n=_sample_size(name, fields.get("n")),
        sd=_deviation(name, fields.get("sd")),
        dataset=_text(name, fields, "dataset"),
        dataset_digest=_text(name, fields, "dataset_digest"),
        split=_text(name, fields, "split"),
        higher_is_better=_flag(name, fields.get("higher_is_better")),
    )


def check_name(name: Any) -> None:
    """Raise ``InvalidInput`` unless ``name`` may name a metric."""
    fine = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()
    if not fine or name != name.strip() or INVISIBLE.search(name):
        raise InvalidInput(
            f"Metric name {quoted(name)}: expected 1 to {LONGEST_NAME} printable characters, no outer spaces."
        )


def number(value: Any, what: str) -> float:
    """A finite number or NaN, as ``float``; numpy's scalars are welcome, and the text ``"NaN"``, as JSON has it.

    Raises:
        InvalidInput: ``what`` begins the message.
    """
    if isinstance(value, str) and value == "NaN":
        return math.nan
    if type(value).__name__ in ("bool", "bool_") or isinstance(value, (str, bytes, bytearray)):
        raise InvalidInput(f"{what}: expected a number, found {quoted(value)}.")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{what}: expected a number, found {quoted(value)} ({error}).") from error
    if math.isinf(found):
        raise InvalidInput(f"{what}: expected a finite number, found {found}.")
    return found


def _finite(name: str, value: Any) -> float:
    """A measured value. What could not be measured is no measurement: left out, a gate finds it missing."""
    found = number(value, f"Metric {name!r}")
    if math.isnan(found):
        raise InvalidInput(
            f"Metric {name!r}: expected a finite number, found NaN. Leave out what could not be measured."
        )
    return found


def _sample_size(name: str, value: Any) -> int | None:
    if value is None:
        return None
    what = f"Metric {name!r}, n"
    size = number(value, what)
    if 1 <= size <= MOST_EXAMPLES and size.is_integer():
        return int(size)
    raise InvalidInput(f"{what}: expected a whole number from 1 to {MOST_EXAMPLES}, found {quoted(value)}.")


def _deviation(name: str, value: Any) -> float | None:
    if value is None:
        return None
    sd = number(value, f"Metric {name!r}, sd")
    if not sd >= 0:
        raise InvalidInput(f"Metric {name!r}, sd: expected a standard deviation of at least 0, found {sd}.")
    return sd


def _text(name: str, fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidInput(f"Metric {name!r}, {key}: expected printable text, found {quoted(value)}.")
    return value


def _flag(name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInput(f"Metric {name!r}, higher_is_better: expected true or false, found {quoted(value)}.")


# --- finding ------------------------------------------------------------------------------------------------


def append(old: Iterable[Metric], new: Iterable[Metric]) -> tuple[Metric, ...]:
    """All old measurements, then the new ones: nothing is overwritten, the last one counts."""
    return (*old, *new)


def latest(metrics: Iterable[Metric]) -> dict[tuple[str, str, str], Metric]:
    """The last measurement of each (name, dataset, split)."""
    return {(m.name, m.dataset, m.split): m for m in metrics}


def qualified(metric: Metric) -> str:
    """Name and place, as a rule would write it: ``accuracy``, ``accuracy[test]``, ``accuracy[iris/test]``."""
    where = place(metric)
    return f"{metric.name}[{where}]" if where else metric.name


def resolve(version: ModelVersion, spec: str) -> Metric:
    """The measurement of a version that ``spec`` names; see `find`."""
    return find(version.metrics, spec)


def find(metrics: Iterable[Metric], spec: str) -> Metric:
    """The measurement that ``spec`` names.

    The exact name wins. Otherwise a short name is understood if exactly one metric can be meant
    (`match_names`). A metric measured in several places (data set, split) needs a qualifier:
    ``accuracy[test]``, ``accuracy[iris]``, ``accuracy[iris/test]``, or ``accuracy[]`` for the one that names
    no place.

    Raises:
        NotFound: No such metric; the message names the nearest.
        InvalidInput: Several could be meant; the message lists them.
    """
    known = latest(metrics).values()
    names = tuple(dict.fromkeys(m.name for m in known))
    name, qualifier = split_spec(spec, names)
    meant = match_names(name, names)
    if not meant:
        recorded = f"recorded are {', '.join(names[:10])}" if names else "none is recorded"
        raise NotFound(f"Metric {quoted(spec)} is missing: {recorded}.{hint(name, names)}")
    if len(meant) > 1:
        raise InvalidInput(f"Metric {quoted(spec)} may mean {', '.join(meant)}: write the exact name.")
    return _placed([m for m in known if m.name == meant[0]], spec, qualifier)


def _placed(candidates: list[Metric], spec: str, qualifier: str | None) -> Metric:
    found = [m for m in candidates if qualifier is None or qualifier in places(m)]
    if len(found) == 1:
        return found[0]
    choices = ", ".join(f"{m.name}[{place(m)}]" for m in candidates)
    if found:
        raise InvalidInput(f"Metric {quoted(spec)} was measured in several places: write one of {choices}.")
    raise NotFound(f"Metric {quoted(spec)} is missing: recorded are {choices}.")


def split_spec(spec: str, names: Iterable[str] = ()) -> tuple[str, str | None]:
    """Name and qualifier of ``accuracy[test]``; a recorded name that holds brackets itself stays whole."""
    if spec in names or not spec.endswith("]") or "[" not in spec:
        return spec, None
    name, _, qualifier = spec[:-1].partition("[")
    return name, qualifier


def place(metric: Metric) -> str:
    """Where a number was measured: ``iris/test``, ``test``, or empty."""
    return "/".join(part for part in (metric.dataset, metric.split) if part)


def places(metric: Metric) -> set[str]:
    """The qualifiers that fit a measurement: its data set, its split, both; ``""`` if it names none."""
    return {place(metric), metric.dataset, metric.split} - ({""} if place(metric) else set())


def match_names(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """The recorded names that ``name`` may mean: itself if it is there, else every name that it is short for.

    A name is short for another if its words stand together in it: ``f1`` for ``f1_score``, ``auc`` for
        ``roc_auc``,
    ``accuracy`` for ``val_accuracy``. One well-known metric is never short for another: ``accuracy`` does not
    mean ``balanced_accuracy``.
    """
    candidates = tuple(dict.fromkeys(names))
    if name in candidates:
        return (name,)
    return tuple(candidate for candidate in candidates if _short_for(name, candidate))


def _short_for(name: str, candidate: str) -> bool:
    if _well_known(name) and _well_known(candidate):
        return False
    wanted, words = _words(name), _words(candidate)
    return bool(wanted) and any(
        words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)
    )


def _well_known(name: str) -> bool:
    folded = name.casefold()
    return folded in DIRECTIONS and folded not in SHORT_NAMES


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s_./:@\-]+", name.casefold()) if word]


# --- direction ----------------------------------------------------------------------------------------------


def higher_is_better(name: str) -> bool | None:
    """Which way a metric of that name improves.

    Looks the name up in `DIRECTIONS`, then the longest well-known name within it (``val_log_loss``).

    Returns:
        ``None`` if nothing is known, or the parts contradict each other.
    """
    words = _words(name)
    for length in range(len(words), 0, -1):
        runs = ("_".join(words[i : i + length]) for i in range(len(words) - length + 1))
        found = {DIRECTIONS[run] for run in runs if run in DIRECTIONS}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def direction(metric: Metric) -> bool | None:
    """Whether higher is better: as recorded with the metric, else by its name."""
    return metric.higher_is_better if metric.higher_is_better is not None else higher_is_better(metric.name)
