"""Experiments to judge, and what comes of them."""

from datetime import UTC, datetime

from modelyard.domain.experiments import Experiment, ExperimentVariant, Outcome

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IDENTITY = "0123456789abcdef" * 4
ID = "01j9zx4m8n2p6q7r5s3t1v0w9y"


def an_experiment(weights=(0.5, 0.5), **facts) -> Experiment:
    """Variants ``A``, ``B`` ... over versions 1, 2 ..."""
    variants = tuple(
        ExperimentVariant(
            name="ABCDEFGH"[i], model_id=f"id{i}", number=i + 1, version=f"1.{i}.0", weight=weight
        )
        for i, weight in enumerate(weights)
    )
    given = {
        "experiment_id": ID,
        "model": "fraud",
        "name": "",
        "identity": IDENTITY,
        "variants": variants,
        "metric": "accuracy",
        "kind": "binary",
        "higher_is_better": True,
        "guardrails": {},
        "minimum_sample": 100,
        "alpha": 0.05,
        "created_at": NOW,
        "created_by": "ann",
        "revision": 1,
    }
    return Experiment(**(given | facts))


def an_outcome(variant="A", unit="u", draw="d", value=1.0, **facts) -> Outcome:
    """One outcome that counts."""
    given = {"experiment_id": ID, "model": "fraud", "at": NOW, "by": "ann", "revision": 1}
    return Outcome(variant=variant, unit=unit, draw=draw, value=value, **(given | facts))
