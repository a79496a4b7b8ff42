"""Experiments out and in, with all that is recorded of them.

Their beginning and end are in their model's chain, so an experiment is taken only where that chain is: a model whose
versions got new numbers here never had these experiments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from modelyard.domain import experiment_history as history
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.ports.metadata import (
    ExperimentKey,
    ExposureKey,
    ExposureQuery,
    OutcomeKey,
    OutcomeQuery,
)
from modelyard.service.draft import Draft
from modelyard.service.experiments import told
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

AT_ONCE = 1000
"""Outcomes in one commit, so that others get their turn in between."""


def export(
    service: LocalService, experiments: Sequence[Experiment]
) -> tuple[tuple[Outcome, ...], tuple[Exposure, ...]]:
    """All that is recorded of some experiments, in their order."""
    outcomes = (
        o for e in experiments for o in every(service.store, OutcomeQuery(experiment_id=e.experiment_id))
    )
    exposures = (
        x for e in experiments for x in every(service.store, ExposureQuery(experiment_id=e.experiment_id))
    )
    return tuple(outcomes), tuple(exposures)


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
    notes: list[str] = []
    known: set[str] = set()
    count = 0
    for experiment in experiments:
        here, new, said = service.decide(partial(_take_experiment, service, experiment))
        count += new
        notes += said
        known |= {experiment.experiment_id} if here else set()
    taken = [o for o in outcomes if o.experiment_id in known]
    for start in range(0, len(taken), AT_ONCE):
        part = taken[start : start + AT_ONCE]
        count += service.decide(partial(_take_outcomes, service, part))
    for exposure in exposures:
        if exposure.experiment_id in known:
            count += service.decide(partial(_take_exposure, service, exposure))
    return count, tuple(notes)


def _take_experiment(
    service: LocalService, experiment: Experiment
) -> tuple[tuple[bool, int, Sequence[str]], Draft | None]:
    """As it is there, if that is what the history here tells too; so one that still runs here learns of its end.

    Returns:
        Whether the experiment is here, then; how many records are new; what is to be said of it.
    """
    present = service.store.get(ExperimentKey(experiment.experiment_id))
    title = f"experiment {experiment.experiment_id} of {experiment.model}"
    if history.problem(experiment, told(service, experiment)) is not None:
        if present is None:
            return (False, 0, [f"{title} is in no history here"]), None
        goes_on = present.running and not experiment.running
        return (True, 0, [f"{title} has ended there and goes on here"] if goes_on else []), None
    if present is not None and present.running is experiment.running:
        return (True, 0, []), None
    draft = Draft()
    draft.put(replace(experiment, revision=(present.revision if present else 0) + 1))
    return (True, int(present is None), []), draft


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
