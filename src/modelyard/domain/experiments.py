"""Experiments: versions tried against each other on live traffic, and what came of it.

An experiment's configuration never changes; only its end is added. Outcomes are facts: written once, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentVariant:
    """One arm: the version that serves it and its share of the traffic.

    Attributes:
        name: ``A``, ``B`` ... or as given.
        model_id, number, version: The version, as it was resolved when the experiment began.
        weight: Share of the units, above 0; all weights sum to 1.
    """

    name: str
    model_id: str
    number: int
    version: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One A/B test, running or stopped.

    Attributes:
        experiment_id: Lower-case ULID.
        model: Name of the model whose versions take part.
        name: As given; may be empty.
        identity: 64 hex digits: the same arguments have the same one, and it keys the assignment of units.
        variants: In the order given; the first is what guardrails compare with.
        metric: What the outcome measures, for example ``accuracy``.
        kind: ``binary`` (right or wrong) or ``numeric``.
        higher_is_better: Which way the metric improves.
        guardrails: Rules a winner must keep besides: ``max_X``, ``min_X``, ``no_worse_X`` -> limit.
        minimum_sample: Units with an outcome that every variant needs before there is a winner.
        alpha: Chance that a test of equal variants ever names a winner, however often it is looked at.
        stopped_at, stopped_by, reason: Its end; ``None`` and empty while it runs.
        winner: Name of the variant that had won when it stopped, or empty.
    """

    experiment_id: str
    model: str
    name: str
    identity: str
    variants: tuple[ExperimentVariant, ...]
    metric: str
    kind: str
    higher_is_better: bool
    guardrails: Mapping[str, float]
    minimum_sample: int
    alpha: float
    created_at: datetime
    created_by: str
    stopped_at: datetime | None = None
    stopped_by: str = ""
    reason: str = ""
    winner: str = ""
    revision: int = 0

    @property
    def running(self) -> bool:
        return self.stopped_at is None

    @property
    def title(self) -> str:
        """Its name, or what is tried against what."""
        return self.name or " / ".join(f"{v.name}={v.version}" for v in self.variants)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the versions that take part, each once, rising."""
        return tuple(sorted({v.number for v in self.variants}))

    def variant(self, name: str) -> ExperimentVariant:
        """The variant of that name.

        Raises:
            NotFound: There is none.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        known = ", ".join(v.name for v in self.variants)
        raise NotFound(f"experiment {self.experiment_id} has no variant {name!r:.80}; it has {known}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one assignment.

    Attributes:
        model: Name of the model, so that the record says by itself where it belongs.
        unit: 32 hex digits that stand for who or what was assigned (never its own name), or ``direct-`` and 32 hex
            digits where only the variant is known.
        draw: 16 hex digits that tell the assignments of one unit apart.
        variant: Name of the variant that served.
        value: Of the primary metric; 0 or 1 where that is binary.
        guardrails: Metric -> value, for the metrics that guardrails look at.
        late: It came after the experiment had stopped: kept, not counted.
    """

    experiment_id: str
    model: str
    unit: str
    draw: str
    variant: str
    value: float
    guardrails: Mapping[str, float] = field(default_factory=dict)
    late: bool = False
    at: datetime
    by: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How many predictions one process has served: variant -> count. Statistics, unlike outcomes."""

    experiment_id: str
    model: str
    writer: str
    counts: Mapping[str, int]
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTally:
    """What the outcomes of one variant sum up to, late ones left out.

    A unit counts once, with the mean of its outcomes: outcomes of one user are not independent of each other.

    Attributes:
        outcomes: How many there are.
        units: How many different units they are of.
        mean: Mean over the units.
        squares: Sum over the units of the squared distance from ``mean``.
    """

    variant: str
    outcomes: int
    units: int
    mean: float
    squares: float
