"""Questions about experiments, as values; ``ports.service`` offers them with all the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import JSON, ModelStage


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginExperiment:
    """Try versions of a model against each other; the same arguments mean the same experiment.

    Attributes:
        model: Name of the model.
        variants: Variant -> version: a whole number is a version's number, else a label or ref.
        weights: Variant -> share of the units; empty = equal shares.
        name: Tells experiments with otherwise equal arguments apart; may be empty.
        metric: What an outcome measures.
        kind: ``binary`` or ``numeric``.
        higher_is_better: ``None`` = right is better than wrong, a numeric metric by its name.
        guardrails: ``max_X``, ``min_X`` or ``no_worse_X`` -> limit.
        minimum_sample: Units with an outcome that each variant needs.
        alpha: Chance of ever naming a winner among equals.
    """

    model: str
    variants: Mapping[str, str]
    weights: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    metric: str = "accuracy"
    kind: str = "binary"
    higher_is_better: bool | None = None
    guardrails: Mapping[str, float] = field(default_factory=dict)
    minimum_sample: int = 100
    alpha: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOutcome:
    """What came of one assignment: its id, or the variant's name where nothing else is known."""

    assignment: str
    value: JSON
    guardrails: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcomes:
    """Write outcomes of one experiment, all or none."""

    experiment_id: str
    outcomes: tuple[GivenOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """How many outcomes were new and count, came too late to count, or were there already."""

    recorded: int
    late: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CountExposures:
    """Predictions that ``writer`` has served of an experiment since it began to: variant -> count."""

    experiment_id: str
    writer: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopExperiment:
    """End an experiment."""

    experiment_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteWinner:
    """Promote an experiment's winner through the gates and stop the experiment."""

    experiment_id: str
    target: ModelStage = ModelStage.PRODUCTION
    requirements: Mapping[str, JSON] = field(default_factory=dict)
    reason: str = ""
    dry_run: bool = False
