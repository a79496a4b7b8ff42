"""Experiments out and in, with all that is recorded of them.

Their beginning and end are in their model's chain, so an experiment is taken only where that chain is: a model whose
versions got new numbers here never had these experiments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.names import fold
from modelyard.domain.records import Model
from modelyard.ports.metadata import (
    EventQuery,
    ExperimentKey,
    ExperimentQuery,
    ExposureKey,
    ExposureQuery,
    OutcomeKey,
    OutcomeQuery,
)
from modelyard.service.draft import Draft
from modelyard.service.experiments import STARTED
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

AT_ONCE = 1000
"""Outcomes in one commit, so that others get their turn in between."""


def export(
    service: LocalService, models: Iterable[Model]
) -> tuple[tuple[Experiment, ...], tuple[Outcome, ...], tuple[Exposure, ...]]:
    """Experiments of some models with all that is recorded of them, each sorted by its key."""
    found = sorted(
        (e for model in models for e in every(service.store, ExperimentQuery(model_key=model.key))),
        key=lambda experiment: experiment.experiment_id,
    )
    outcomes = (o for e in found for o in every(service.store, OutcomeQuery(experiment_id=e.experiment_id)))
    exposures = (x for e in found for x in every(service.store, ExposureQuery(experiment_id=e.experiment_id)))
    return tuple(found), tuple(outcomes), tuple(exposures)


def import_(
    service: LocalService,
    experiments: Sequence[Experiment],
    outcomes: Sequence[Outcome],
    exposures: Sequence[Exposure],
) -> tuple[int, tuple[str, ...]]:
    """Take experiments that the chains here know, and what was recorded of them; run it after their models are in.

    Repeating it changes nothing; interrupted, it goes on where it was.

    Whether they are what their models' histories say was judged before, over the whole bundle.

    Returns:
        How many records were new, and one note per experiment that was left behind.
    """
    notes = []
    known: dict[str, Experiment] = {}
    count = 0
    for experiment in experiments:
        if _is_known(service, experiment):
            known[experiment.experiment_id] = experiment
        else:
            notes.append(f"experiment {experiment.experiment_id} of {experiment.model} is in no history here")
    for experiment in known.values():
        count += service.decide(partial(_take_experiment, service, experiment))
    taken = [o for o in outcomes if o.experiment_id in known]
    for start in range(0, len(taken), AT_ONCE):
        part = taken[start : start + AT_ONCE]
        count += service.decide(partial(_take_outcomes, service, part))
    for exposure in exposures:
        if exposure.experiment_id in known:
            count += service.decide(partial(_take_exposure, service, exposure))
    return count, tuple(notes)


def _is_known(service: LocalService, experiment: Experiment) -> bool:
    """Whether its model's chain here tells of its beginning."""
    subject = f"experiment:{experiment.experiment_id}"
    log = every(service.store, EventQuery(model_key=fold(experiment.model), subject=subject))
    return any(event.action == STARTED for event in log)


def _take_experiment(service: LocalService, experiment: Experiment) -> tuple[int, Draft | None]:
    """As it is there; one that is here and still runs learns of its end."""
    present = service.store.get(ExperimentKey(experiment.experiment_id))
    if present is not None and (not present.running or experiment.running):
        return 0, None
    draft = Draft()
    draft.put(replace(experiment, revision=(present.revision if present else 0) + 1))
    return int(present is None), draft


def _take_outcomes(service: LocalService, part: Sequence[Outcome]) -> tuple[int, Draft | None]:
    draft = Draft()
    for outcome in part:
        if service.store.get(OutcomeKey(outcome.experiment_id, outcome.unit, outcome.draw)) is None:
            draft.put(replace(outcome, revision=1))
    return len(draft.records), draft if draft.records else None


def _take_exposure(service: LocalService, exposure: Exposure) -> tuple[int, Draft | None]:
    """The larger counts are the later ones."""
    present = service.store.get(ExposureKey(exposure.experiment_id, exposure.writer))
    if present is not None and sum(present.counts.values()) >= sum(exposure.counts.values()):
        return 0, None
    draft = Draft()
    draft.put(replace(exposure, revision=(present.revision if present else 0) + 1))
    return int(present is None), draft
