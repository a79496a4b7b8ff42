"""A/B tests between versions, on live traffic, with a verdict that may be looked at whenever one likes."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from modelyard.client import rows
from modelyard.domain import abtest
from modelyard.domain.abtest_verdict import ExperimentVerdict, chance
from modelyard.domain.answers import Promotion
from modelyard.domain.errors import InvalidInput, ModelyardError, ModelyardWarning
from modelyard.domain.experiments import Experiment, ExperimentVariant
from modelyard.domain.lifecycle import parse_stage
from modelyard.domain.records import ModelStage
from modelyard.domain.request_types import check_mapping
from modelyard.domain.spelling import quoted
from modelyard.ports import service as ask
from modelyard.registry import ModelRegistry

REPORT_AFTER: Final = 1000
"""Predictions after which a process reports how many it has served."""

REPORT_SECONDS: Final = 5.0
"""Seconds after which it does so."""


class Variant(str):
    """What a unit was given: its variant's name, as text, and the id to record the outcome by.

    Attributes:
        assignment_id: Goes with the prediction to wherever the outcome becomes known.
        version: Label of the version that serves the variant.
        model_id: That version.
    """

    __slots__ = ("assignment_id", "model_id", "version")
    assignment_id: str
    version: str
    model_id: str

    def __new__(cls, variant: ExperimentVariant, assignment_id: str) -> Variant:
        made = super().__new__(cls, variant.name)
        made.assignment_id = assignment_id
        made.version = variant.version
        made.model_id = variant.model_id
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _variant, (str(self), self.assignment_id, self.version, self.model_id)


def _variant(name: str, assignment_id: str, version: str, model_id: str) -> Variant:
    """A :class:`Variant` as it was before it was pickled."""
    known = ExperimentVariant(name=name, model_id=model_id, number=0, version=version, weight=0.0)
    return Variant(known, assignment_id)


class ModelABTest:
    """Try versions of a model against each other, and promote the one that is better.

    The same arguments mean the same experiment: several processes, and a process that starts again, continue it. Who
    gets which variant is decided by a keyed hash of ``user_id``, so it is the same everywhere and for good. Outcomes
    are stored in the registry, durably, when the call returns; ``verdict`` is right at every look.

    Args:
        model_name: Name of the model in the registry.
        variant_a_version: Version that serves variant ``A``: a whole number (``"4"``, ``4``) is a version's number,
            anything else a label or ref. A pointer such as ``"@champion"`` is pinned when the experiment begins.
        variant_b_version: The same for ``B``.
        split: Share of the traffic for ``A``, above 0 and below 1.
        variants: Instead of the three above, any number: ``{"old": "4", "new": "5", "tiny": "1.0.0-tiny"}``.
        weights: With ``variants``: the share of each; they sum to 1. Without it all get the same.
        name: Tells experiments with otherwise equal arguments apart.
        metric: What an outcome measures.
        kind: ``binary`` (outcomes are right or wrong) or ``numeric``.
        higher_is_better: Which way ``metric`` improves; needed where its name does not tell.
        guardrails: What a winner must keep besides, such as ``{"max_latency_ms": 40, "no_worse_revenue": 0.0}``;
            ``no_worse_`` compares with the first variant.
        minimum_sample: Units with an outcome that each variant needs before there is a winner, 20 or more. Where right
            outcomes or large values are rare and shares differ, 100 are too few: see the guide.
        alpha: Chance that a test among equals ever names a winner.
        registry: An open ``ModelRegistry``, or a location as it takes one.
        trust: As for ``load_model``.

    Raises:
        InvalidInput: An argument is malformed; it is named.
        VersionNotFound: A variant names no version.
        NotAllowed: A version is withdrawn.
        AlreadyExists: ``name`` belongs to an experiment of this model with other arguments.
    """

    def __init__(
        self,
        model_name: str,
        variant_a_version: str | int | None = None,
        variant_b_version: str | int | None = None,
        split: float | None = None,
        *,
        variants: Mapping[str, str | int] | None = None,
        weights: Mapping[str, float] | None = None,
        name: str = "",
        metric: str = "accuracy",
        kind: str = "binary",
        higher_is_better: bool | None = None,
        guardrails: Mapping[str, float] | None = None,
        minimum_sample: int = 100,
        alpha: float = 0.05,
        registry: ModelRegistry | str | Path | None = None,
        trust: Sequence[str] = (),
    ) -> None:
        if variants is None:
            variants, weights = _two(variant_a_version, variant_b_version, split, weights)
        elif not (variant_a_version is variant_b_version is split is None):
            raise InvalidInput(
                "variants: expected them either as a mapping or as A and B with a split, found both"
            )
        check_mapping("variants", variants)
        self._owned = not isinstance(registry, ModelRegistry)
        self.registry = registry if isinstance(registry, ModelRegistry) else ModelRegistry(registry)
        request = ask.BeginExperiment(
            model=model_name,
            variants={variant: _text(variant, version) for variant, version in variants.items()},
            weights=weights or {},
            name=name,
            metric=metric,
            kind=kind,
            higher_is_better=higher_is_better,
            guardrails=guardrails or {},
            minimum_sample=minimum_sample,
            alpha=alpha,
        )
        try:
            self._begin(self.registry.service.begin_experiment(request), trust)
        except BaseException:
            if self._owned:
                self.registry.close()
            raise
        if not self.experiment.running:
            warnings.warn(_over(self.experiment), ModelyardWarning, stacklevel=2)

    @classmethod
    def open(
        cls,
        experiment: str,
        *,
        registry: ModelRegistry | str | Path | None = None,
        trust: Sequence[str] = (),
    ) -> ModelABTest:
        """The test with that id, or that name where only one has it.

        Raises:
            NotFound: There is none.
        """
        test = cls.__new__(cls)
        test._owned = not isinstance(registry, ModelRegistry)
        test.registry = registry if isinstance(registry, ModelRegistry) else ModelRegistry(registry)
        test._begin(test.registry.service.get_experiment(experiment), trust)
        return test

    def _begin(self, experiment: Experiment, trust: Sequence[str]) -> None:
        self.experiment = experiment
        self.model_name = experiment.model
        self.split = experiment.variants[0].weight
        self._ends = abtest.boundaries([variant.weight for variant in experiment.variants])
        self._trust = trust
        self._models: dict[str, Any] = {}
        self._loading = threading.Lock()
        self._served = _Served(self.registry, experiment)

    def __enter__(self) -> ModelABTest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ModelABTest({self.experiment.experiment_id!r}, {self.experiment.title!r})"

    def close(self) -> None:
        """Report what was served, and close the registry if this test opened it. The experiment goes on."""
        self._served.report()
        if self._owned:
            self.registry.close()

    # --- serving -----------------------------------------------------------------------------------------------------

    def assign(self, user_id: str | int, *, request: str | None = None) -> Variant:
        """The variant of a user, and a fresh assignment to record one outcome by. Stores nothing.

        Args:
            user_id: What names the user (session, device ...) for good; text or a whole number. It is not stored.
            request: Name of this request, if it has one: the same user and request give the same assignment again,
                so that another process can record the outcome without having been told the id.
        """
        unit = abtest.unit_name(user_id)
        experiment = self.experiment
        found = abtest.place(experiment.identity, unit)
        draw = abtest.new_draw() if request is None else abtest.named_draw(experiment.identity, request)
        variant = experiment.variants[abtest.chosen(self._ends, found)]
        body = abtest.sealed(experiment.experiment_id, experiment.identity, found[:16].hex(), draw)
        return Variant(variant, body)

    def predict(self, X: Any, user_id: Any) -> tuple[Any, Any]:  # noqa: N803 - what models call it everywhere
        """Predict with the variant of the user.

        Args:
            X: What the model's ``predict`` takes.
            user_id: One user, or a list of them, one for each row of ``X``.

        Returns:
            The prediction and the :class:`Variant`; for a list of users, predictions in the order of the rows and a
            list of variants.
        """
        if not rows.are_many(user_id):
            variant = self.assign(user_id)
            prediction = self.model(variant).predict(X)
            self._served.count([variant])
            return prediction, variant
        if isinstance(user_id, Set | Mapping):
            raise InvalidInput(
                f"user_id: expected a list of users in the order of the rows, found a {type(user_id).__name__}, which "
                "has none"
            )
        variants = [self.assign(user) for user in user_id]
        if len(variants) != rows.count(X):
            raise InvalidInput(
                f"user_id: expected one for each of {rows.count(X)} rows, found {len(variants)}"
            )
        predictions = rows.scattered(X, variants, lambda name, part: self.model(name).predict(part))
        self._served.count(variants)
        return predictions, variants

    def model(self, variant: str) -> Any:
        """The model that serves a variant, loaded on first use under the load contract."""
        with self._loading:
            if variant not in self._models:
                version = self.experiment.variant(variant)
                loaded = self.registry.load_model(version.model_id, trust=self._trust)
                if not hasattr(loaded, "predict"):
                    raise InvalidInput(
                        f"variant {variant}: {self.model_name}:{version.version} has no predict(); "
                        "use assign() and model(), and call it your own way"
                    )
                self._models[str(variant)] = loaded
            return self._models[variant]

    # --- outcomes ----------------------------------------------------------------------------------------------------

    def record_outcome(
        self,
        variant: str,
        correct: bool | None = None,
        *,
        value: float | None = None,
        guardrails: Mapping[str, float] | None = None,
    ) -> ask.Recorded:
        """Store what came of an assignment; it is durable when the call returns.

        The same outcome again is no change. An outcome after the experiment has stopped is kept and not counted.

        Args:
            variant: What ``predict`` or ``assign`` gave, or its ``assignment_id``. Only the name of a variant
                (``"A"``) is taken too: then a repetition cannot be noticed, and it counts as another unit.
            correct: Whether the prediction was right, for a binary metric.
            value: The value of a numeric metric.
            guardrails: Values of the metrics that guardrails look at, such as ``{"latency_ms": 12.5}``.

        Raises:
            NotFound: This experiment never gave such an assignment.
            AlreadyExists: The assignment has another outcome.
            InvalidInput: A value is missing, not finite, or not what the metric takes.
        """
        return self.record_outcomes([_given(variant, correct, value, guardrails)])

    def record_outcomes(self, outcomes: Iterable[Mapping[str, Any]]) -> ask.Recorded:
        """Store many outcomes at once, all or none: mappings with the arguments of :meth:`record_outcome` as keys.

        At most 10,000 at a time; a thousand together cost little more than one.
        """
        if not isinstance(outcomes, Iterable) or isinstance(outcomes, str | bytes | Mapping):
            raise InvalidInput(f"outcomes: expected a list of mappings, found {quoted(outcomes)}")
        given = tuple(_read(item) for item in outcomes)
        request = ask.RecordOutcomes(experiment_id=self.experiment.experiment_id, outcomes=given)
        return self.registry.service.record_outcomes(request)

    # --- deciding ----------------------------------------------------------------------------------------------------

    def verdict(self) -> ExperimentVerdict:
        """What can be said now: a winner, or what is missing for one. Look as often as you like."""
        self._served.report()
        return self.registry.service.judge_experiment(self.experiment.experiment_id)

    def get_results(self) -> dict[str, Any]:
        """The verdict as a dictionary: ``variant_a``, ``variant_b`` ..., ``winner`` and what it rests on.

        ``accuracy`` is the share of right outcomes among those recorded (``None`` without any), not among all
        predictions; ``winner`` is ``None`` while there is none.
        """
        found = self.verdict()
        results: dict[str, Any] = {}
        for standing in found.standings:
            results[f"variant_{standing.variant.lower()}"] = {
                "predictions": standing.predictions,
                found.metric: standing.mean,
                "outcomes": standing.outcomes,
                "units": standing.units,
                "interval": None if standing.low is None else (standing.low, standing.high),
                "version": standing.version,
                "model_id": standing.model_id,
            }
        return results | {
            "winner": found.winner,
            "verdict": found.state,
            "reasons": list(found.reasons),
            "p_value": chance(self.experiment, found),
            "sample_ratio_alarm": found.sample_ratio.alarm,
            "experiment_id": found.experiment_id,
        }

    def promote_winner(
        self,
        target_stage: ModelStage | str = ModelStage.PRODUCTION,
        requirements: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Promotion:
        """Promote the winner through the same gates as every other promotion, and stop the experiment.

        Raises:
            NotAllowed: There is no winner, with what is missing as reasons.
            GateRefused: A gate failed; the experiment goes on.
        """
        self._served.report()
        request = ask.PromoteWinner(
            experiment_id=self.experiment.experiment_id,
            target=parse_stage(target_stage),
            requirements=requirements or {},
            reason=reason or "",
            dry_run=dry_run,
        )
        promotion = self.registry.service.promote_winner(request)
        with suppress(ModelyardError):  # The winner is promoted, whatever comes of a further look.
            self.experiment = self.registry.service.get_experiment(self.experiment.experiment_id)
        return promotion

    def stop(self, reason: str | None = None) -> Experiment:
        """End the experiment; its versions may be deleted again. Stopping again changes nothing."""
        self._served.report()
        request = ask.StopExperiment(experiment_id=self.experiment.experiment_id, reason=reason or "")
        self.experiment = self.registry.service.stop_experiment(request)
        return self.experiment


def _over(experiment: Experiment) -> str:
    return (
        f"experiment {experiment.experiment_id} ({experiment.title}) was stopped at "
        f"{experiment.stopped_at:%Y-%m-%d %H:%M} UTC: it serves on, and outcomes are kept as late and not counted; "
        "to try the same again, give another name"
    )


class _Served:
    """How many predictions this process has served; told to the registry now and then, and before every look.

    A process that is killed loses what it has not told yet: these are statistics, outcomes are not among them.
    """

    def __init__(self, registry: ModelRegistry, experiment: Experiment) -> None:
        self._registry = registry
        self._experiment_id = experiment.experiment_id
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._writer = abtest.new_draw()
        self._counts: dict[str, int] = {}
        self._untold = 0
        self._told_at = time.monotonic()
        self._lock = threading.Lock()

    def _here(self) -> threading.Lock:
        """The lock; a forked child counts for itself, from nothing, under a name of its own."""
        if self._pid != os.getpid():
            self._begin()
        return self._lock

    def count(self, variants: Iterable[str]) -> None:
        with self._here():
            for variant in variants:
                self._counts[str(variant)] = self._counts.get(variant, 0) + 1
                self._untold += 1
            due = self._untold >= REPORT_AFTER or time.monotonic() > self._told_at + REPORT_SECONDS
        if due:
            self.report()

    def report(self) -> None:
        with self._here():
            if not self._untold:
                return
            request = ask.CountExposures(
                experiment_id=self._experiment_id, writer=self._writer, counts=dict(self._counts)
            )
            self._registry.service.count_exposures(request)
            self._untold, self._told_at = 0, time.monotonic()


def _two(
    a: str | int | None, b: str | int | None, split: Any, weights: Any
) -> tuple[dict[str, str | int], dict[str, float]]:
    """Variants ``A`` and ``B`` and their shares."""
    if a is None or b is None or weights is not None:
        raise InvalidInput(
            "variants: expected variant_a_version and variant_b_version (with a split), "
            "or variants={...} (with weights)"
        )
    share = abtest.check_split(0.5 if split is None else split)
    return {"A": a, "B": b}, {"A": share, "B": 1 - share}


def _text(variant: str, version: Any) -> str:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise InvalidInput(
            f"variant {quoted(variant)}: expected a number, label or ref, found {quoted(version)}"
        )
    return str(version)


def _given(variant: str, correct: Any, value: Any, guardrails: Mapping[str, float] | None) -> dict[str, Any]:
    return {"variant": variant, "correct": correct, "value": value, "guardrails": guardrails}


def _read(item: Mapping[str, Any]) -> ask.GivenOutcome:
    if not isinstance(item, Mapping) or item.keys() - {"variant", "correct", "value", "guardrails"}:
        raise InvalidInput(
            f"outcome: expected a mapping with variant, correct or value, and guardrails, found {quoted(item)}"
        )
    correct, value = item.get("correct"), item.get("value")
    if (correct is None) is (value is None):
        raise InvalidInput(
            "outcome: expected either correct=True or False, or value=..., found both or neither"
        )
    variant = item.get("variant")
    assignment = getattr(variant, "assignment_id", variant)
    if not isinstance(assignment, str):
        raise InvalidInput(f"variant: expected what predict() or assign() gave, found {quoted(variant)}")
    return ask.GivenOutcome(
        assignment=assignment,
        value=value if correct is None else correct,
        guardrails=item.get("guardrails") or {},
    )


__all__ = ["ModelABTest", "Variant"]
