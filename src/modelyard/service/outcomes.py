"""What came of assignments: data, not history.

Outcomes guard the experiment's record, so that none is counted that came after the end. They write no event: there may
be thousands a second, and each is a record of its own that never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from modelyard.domain import abtest, names, refs
from modelyard.domain.errors import AlreadyExists, InvalidInput
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.ports.metadata import ExperimentKey, ExposureKey, Guard, OutcomeKey
from modelyard.ports.service import CountExposures, GivenOutcome, Recorded, RecordOutcomes
from modelyard.service import experiments
from modelyard.service.draft import Draft

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

MOST_AT_ONCE: Final = 10_000
"""Outcomes in one request: some megabytes, and half a second of everybody's turn to write."""


def record(service: LocalService, request: RecordOutcomes) -> Recorded:
    """Write what came of assignments, all or none; what is there already and equal is left alone."""
    if len(request.outcomes) > MOST_AT_ONCE:
        raise InvalidInput(
            f"outcomes: expected at most {MOST_AT_ONCE} at once, found {len(request.outcomes)}; send them in parts"
        )
    drawn = [(abtest.new_draw() + abtest.new_draw(), abtest.new_draw()) for _ in request.outcomes]
    return service.decide(lambda: _record(service, request, drawn))


def _record(
    service: LocalService, request: RecordOutcomes, drawn: Sequence[tuple[str, str]]
) -> tuple[Recorded, Draft | None]:
    experiment = experiments.get(service, request.experiment_id)
    fresh: dict[OutcomeKey, Outcome] = {}
    repeated = 0
    for given, (anyone, draw) in zip(request.outcomes, drawn, strict=True):
        outcome = _outcome(service, experiment, given, f"{abtest.DIRECT}{anyone}", draw)
        key = OutcomeKey(outcome.experiment_id, outcome.unit, outcome.draw)
        present = fresh.get(key) or service.store.get(key)
        if present is None:
            fresh[key] = outcome
        else:
            _require_same(present, outcome)
            repeated += 1
    late = 0 if experiment.running else len(fresh)
    answer = Recorded(recorded=len(fresh) - late, late=late, repeated=repeated)
    if not fresh:
        return answer, None
    draft = Draft(guards=[Guard(key=ExperimentKey(experiment.experiment_id), expected=experiment.revision)])
    for outcome in fresh.values():
        draft.put(outcome)
    return answer, draft


def _outcome(
    service: LocalService, experiment: Experiment, given: GivenOutcome, anyone: str, draw: str
) -> Outcome:
    names.check_text(given.assignment, refs.REF_LENGTH, "assignment")
    if any(variant.name == given.assignment for variant in experiment.variants):
        unit, variant = anyone, given.assignment
    else:
        unit, draw, variant = abtest.opened(experiment, given.assignment)
    return Outcome(
        experiment_id=experiment.experiment_id,
        model=experiment.model,
        unit=unit,
        draw=draw,
        variant=variant,
        value=abtest.check_value(experiment, given.value),
        guardrails=abtest.check_extras(experiment, given.guardrails),
        late=not experiment.running,
        at=service.clock.now(),
        by=service.actor.name,
        revision=1,
    )


def _require_same(present: Outcome, outcome: Outcome) -> None:
    if (present.value, dict(present.guardrails)) != (outcome.value, dict(outcome.guardrails)):
        raise AlreadyExists(
            f"the assignment of unit {outcome.unit} (draw {outcome.draw}) has the outcome {present.value:g} since "
            f"{present.at:%Y-%m-%d %H:%M:%S} UTC, and not {outcome.value:g}; outcomes are never changed"
        )


def count_exposures(service: LocalService, request: CountExposures) -> None:
    """Replace what one process has served so far by what it says now."""
    experiment = experiments.get(service, request.experiment_id)
    names.check_key(request.writer, "writer")
    abtest.check_counts(experiment, request.counts)

    def step() -> tuple[None, Draft | None]:
        present = service.store.get(ExposureKey(experiment.experiment_id, request.writer))
        if present is not None and present.counts == request.counts:
            return None, None
        draft = Draft()
        draft.put(
            Exposure(
                experiment_id=experiment.experiment_id,
                model=experiment.model,
                writer=request.writer,
                counts=dict(request.counts),
                revision=(present.revision if present else 0) + 1,
            )
        )
        return None, draft

    service.decide(step)
