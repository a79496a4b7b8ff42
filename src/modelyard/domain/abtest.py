"""Who gets which variant: a keyed hash, so that every process gives the same answer without asking anybody.

For a unit (a user, a session ...) the 32 bytes ``HMAC-SHA256(key=identity, message="unit" 0x1f unit)`` (RFC 2104) are
taken, texts in UTF-8 and ``identity`` as its 64 hex digits. The first 8 bytes, read as a big-endian number, are its
place between 0 and 2**64; variants hold intervals there in their order, each as long as its weight. The first 16
bytes in hex stand for the unit wherever it is stored. Python's own ``hash`` would not do: it differs per process.

An *assignment id* is ``experiment.unit.draw.seal``: whoever brings it back proves that this test gave it (the seal is
keyed too), so nothing has to be stored when a prediction is made.
"""

from __future__ import annotations

import hmac
import math
import secrets
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.experiments import Experiment, Outcome, OutcomeTally
from modelyard.domain.metrics import higher_is_better, number
from modelyard.domain.names import check_label, check_metric_name, check_text
from modelyard.domain.request_types import check_mapping
from modelyard.domain.spelling import quoted

SPACE: Final = 2**64
UNIT_LENGTH: Final = 1000
"""Characters that the name of a unit may have."""

MOST_VARIANTS: Final = 100
LARGEST: Final = 1e15
"""Values beyond lose their last digits when they are summed."""

SMALLEST_SAMPLE: Final = 20
"""Below, variances are known so badly that among equals more than ``alpha`` win: of 4,000 simulated tests at 5 % with
equal shares, looked at after every unit, 11.9 % (normal) and 6.7 % (right or wrong) from 2 units on, 4.6 % and 5.3 %
from 10, 4.4 % and 4.6 % from 20."""
LARGEST_SAMPLE: Final = 10**9

RULES: Final = ("max_", "min_", "no_worse_")
KINDS: Final = ("binary", "numeric")
DIRECT: Final = "direct-"


# --- assigning -------------------------------------------------------------------------------------------------------


def boundaries(weights: Sequence[float]) -> list[int]:
    """Upper ends of the variants' intervals between 0 and 2**64, rising; the last one is 2**64."""
    ends, reached = [], 0.0
    for weight in weights[:-1]:
        reached += weight
        ends.append(round(reached * SPACE))
    return [*ends, SPACE]


def place(identity: str, unit: str) -> bytes:
    """The 32 bytes that decide about a unit."""
    return hmac.digest(identity.encode(), b"unit\x1f" + unit.encode(), "sha256")


def chosen(ends: Sequence[int], first_bytes: bytes) -> int:
    """Which variant holds the place that the first 8 bytes name."""
    return bisect_right(ends, int.from_bytes(first_bytes[:8]))


def unit_name(user: Any) -> str:
    """The name of a unit as text: text as it is, whole numbers in decimal digits.

    Raises:
        InvalidInput: It is empty, too long, or something else; ``1.0`` and ``"1"`` would not be the same user.
    """
    if isinstance(user, str):
        check_text(user, UNIT_LENGTH, "user_id")
        if user:
            return user
    elif not isinstance(user, bool):
        try:
            return str(index(user))
        except TypeError:
            pass
    raise InvalidInput(
        f"user_id: expected text that is not empty, or a whole number, found {quoted(user)}; pass what names the "
        "user or session for good"
    )


def new_draw() -> str:
    """16 hex digits that no other assignment has."""
    return secrets.token_hex(8)


def named_draw(identity: str, request: str) -> str:
    """The draw of a request that has a name of its own, so that its assignment can be made again later."""
    check_text(request, UNIT_LENGTH, "request")
    return hmac.digest(identity.encode(), b"draw\x1f" + request.encode(), "sha256")[:8].hex()


def sealed(experiment_id: str, identity: str, unit: str, draw: str) -> str:
    """The assignment id of a unit's draw."""
    body = f"{experiment_id}.{unit}.{draw}"
    return f"{body}.{_seal(identity, body)}"


def _seal(identity: str, body: str) -> str:
    return hmac.digest(identity.encode(), b"seal\x1f" + body.encode(), "sha256")[:8].hex()


def opened(experiment: Experiment, assignment: str) -> tuple[str, str, str]:
    """Unit, draw and variant of an assignment id.

    Raises:
        NotFound: This experiment never gave it.
    """
    body, _, seal = assignment.rpartition(".")
    experiment_id, _, rest = body.partition(".")
    if experiment_id != experiment.experiment_id:
        raise NotFound(
            f"assignment {quoted(assignment)} is not one of experiment {experiment.experiment_id}: expected an id that "
            "predict or assign gave, or a variant's name"
        )
    if not hmac.compare_digest(seal.encode(), _seal(experiment.identity, body).encode()):
        raise NotFound(
            f"assignment {quoted(assignment)} was never given by experiment {experiment.experiment_id}: part of it was "
            "changed or lost; pass it whole"
        )
    unit, _, draw = rest.partition(".")
    return unit, draw, served(experiment, unit)


def served(experiment: Experiment, unit: str) -> str:
    """Name of the variant that the unit with these hex digits gets."""
    ends = boundaries([v.weight for v in experiment.variants])
    return experiment.variants[chosen(ends, bytes.fromhex(unit[:16]))].name


# --- what is asked for -----------------------------------------------------------------------------------------------


def check_weights(weights: Mapping[str, Any]) -> dict[str, float]:
    """Shares of the variants, each above 0, which sum to 1.

    Raises:
        InvalidInput: It names the variant and its weight, or the sum.
    """
    if not 2 <= len(weights) <= MOST_VARIANTS:
        raise InvalidInput(f"variants: expected 2 to {MOST_VARIANTS}, found {len(weights)}")
    found = {name: number(weight, f"weight of variant {name!r}") for name, weight in weights.items()}
    for name, weight in found.items():
        if not 0 < weight < 1:
            raise InvalidInput(
                f"weight of variant {name!r}: expected a share above 0 and below 1, found {weight}"
            )
    total = math.fsum(found.values())
    if abs(total - 1) > 1e-9:
        raise InvalidInput(f"weights: expected shares that sum to 1, found {total} ({found}); scale them")
    return found


def check_split(split: Any) -> float:
    """Share of the first of two variants.

    Raises:
        InvalidInput: It is not above 0 and below 1.
    """
    share = number(split, "split")
    if not 0 < share < 1:
        raise InvalidInput(f"split: expected a share for variant A above 0 and below 1, found {share}")
    return share


def check_variant_names(names: Iterable[Any]) -> None:
    """Variants are told apart by their names in any case: results are called ``variant_a``.

    Raises:
        InvalidInput: A name has another form than a version's label, or is there twice.
    """
    seen: dict[str, str] = {}
    for name in names:
        check_label(name)
        if (other := seen.get(name.casefold())) is not None:
            raise InvalidInput(f"variants {other!r} and {name!r} have the same name; give each its own")
        seen[name.casefold()] = name


def check_kind(kind: Any) -> str:
    """``binary`` or ``numeric``.

    Raises:
        InvalidInput: Something else.
    """
    if isinstance(kind, str) and kind in KINDS:
        return kind
    raise InvalidInput(f"kind: expected {' or '.join(KINDS)}, found {quoted(kind)}")


def check_sample(value: Any) -> int:
    """Units with an outcome that each variant needs.

    Raises:
        InvalidInput: Not a whole number, or so few that the verdict would promise more than it keeps.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and SMALLEST_SAMPLE <= value <= LARGEST_SAMPLE:
        return int(value)
    few = whole and value < SMALLEST_SAMPLE
    why = "; from fewer outcomes their spread is not known well enough to keep alpha" if few else ""
    raise InvalidInput(
        f"minimum_sample: expected a whole number from {SMALLEST_SAMPLE} to {LARGEST_SAMPLE}, "
        f"found {quoted(value)}{why}"
    )


def check_alpha(value: Any) -> float:
    """Chance of ever naming a winner among equals.

    Raises:
        InvalidInput: Not a number above 0 and up to 0.5.
    """
    alpha = number(value, "alpha")
    if not 0 < alpha <= 0.5:
        raise InvalidInput(f"alpha: expected a chance above 0 and up to 0.5, found {alpha}")
    return alpha


def check_guardrails(given: Mapping[Any, Any]) -> dict[str, float]:
    """Rules by name: ``max_latency_ms``, ``min_revenue``, ``no_worse_revenue``.

    Raises:
        InvalidInput: An unknown rule, a limit that is no finite number, a negative margin, or ``no_worse_`` for a
            metric of which nobody knows which way it improves.
    """
    found: dict[str, float] = {}
    for rule, limit in given.items():
        prefix, metric = split_rule(rule)
        check_metric_name(metric)
        found[rule] = _bounded(limit, f"guardrail {rule!r}")
        if prefix == "no_worse_" and higher_is_better(metric) is None:
            raise InvalidInput(
                f"guardrail {rule!r}: nothing is known of which way {metric!r} improves; "
                f"use max_{metric} or min_{metric}"
            )
        if prefix == "no_worse_" and found[rule] < 0:
            raise InvalidInput(f"guardrail {rule!r}: expected a margin of at least 0, found {found[rule]}")
    return found


def split_rule(rule: Any) -> tuple[str, str]:
    """``max_latency_ms`` -> ``("max_", "latency_ms")``.

    Raises:
        InvalidInput: It begins like no rule.
    """
    for prefix in RULES:
        if isinstance(rule, str) and rule.startswith(prefix) and rule != prefix:
            return prefix, rule.removeprefix(prefix)
    raise InvalidInput(
        f"guardrail {quoted(rule)}: expected max_<metric>, min_<metric> or no_worse_<metric>, such as max_latency_ms"
    )


def check_value(experiment: Experiment, value: Any) -> float:
    """The value of an outcome as a number.

    Raises:
        InvalidInput: It is not right-or-wrong where the metric is binary, or not a finite number.
    """
    what = f"outcome of {experiment.metric!r}"
    if experiment.kind == "numeric":
        return _bounded(value, what)
    found = float(bool(value)) if type(value).__name__ in ("bool", "bool_") else number(value, what)
    if found in (0, 1):
        return found
    raise InvalidInput(f"{what}: expected True or False (or 1 or 0), found {quoted(value)}")


def check_extras(experiment: Experiment, extras: Any) -> dict[str, float]:
    """Values for the metrics that this experiment's guardrails look at.

    Raises:
        InvalidInput: No guardrail looks at such a metric, or its value is no finite number.
    """
    check_mapping("guardrails", extras)
    known = {split_rule(rule)[1] for rule in experiment.guardrails}
    for metric in extras:
        if metric not in known:
            looked = ", ".join(sorted(known)) or "none"
            raise InvalidInput(
                f"guardrail metric {quoted(metric)}: no guardrail of this experiment looks at it "
                f"(they look at {looked})"
            )
    return {metric: _bounded(value, f"guardrail metric {metric!r}") for metric, value in extras.items()}


def check_counts(experiment: Experiment, counts: Any) -> None:
    """Predictions served per variant.

    Raises:
        InvalidInput: A count is no whole number from 0.
        NotFound: There is no such variant.
    """
    check_mapping("predictions", counts)
    for name, count in counts.items():
        experiment.variant(name)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise InvalidInput(
                f"predictions of {name!r}: expected a whole number from 0, found {quoted(count)}"
            )


def _bounded(value: Any, what: str) -> float:
    if isinstance(value, bool):
        raise InvalidInput(f"{what}: expected a number, found {value}")
    found = number(value, what)
    if not abs(found) <= LARGEST:
        raise InvalidInput(f"{what}: expected a finite number of at most {LARGEST:g} in size, found {found}")
    return float(found)


# --- summing up ------------------------------------------------------------------------------------------------------


def tallies(outcomes: Iterable[Outcome], metric: str = "") -> list[OutcomeTally]:
    """What outcomes sum up to, by variant in the order of their names; ``metric``: of a guardrail's metric."""
    values: dict[str, dict[str, list[float]]] = {}
    for outcome in outcomes:
        if outcome.late or (metric and metric not in outcome.guardrails):
            continue
        value = outcome.guardrails[metric] if metric else outcome.value
        values.setdefault(outcome.variant, {}).setdefault(outcome.unit, []).append(value)
    return [_tally(variant, units) for variant, units in sorted(values.items())]


def _tally(variant: str, units: Mapping[str, Sequence[float]]) -> OutcomeTally:
    means = [math.fsum(found) / len(found) for found in units.values()]
    mean = math.fsum(means) / len(means)
    return OutcomeTally(
        variant=variant,
        outcomes=sum(map(len, units.values())),
        units=len(means),
        mean=mean,
        squares=math.fsum((value - mean) ** 2 for value in means),
    )
