"""Judging what a bundle has besides models and versions: experiments, what was recorded of them, withdrawn sources.

An experiment has to be what its model's chain says. Outcomes, counts and sources are in no chain of the bundle: they
have to be such as this registry would take from a caller, so that none is refused when others have been written.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from modelyard.domain import experiment_checks, experiment_history, lineage
from modelyard.domain.errors import IntegrityError, InvalidInput
from modelyard.domain.events import EXPERIMENT
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.records import Event, ModelVersion, Source
from modelyard.domain.text import shown
from modelyard.ports.service import Bundle

Trials: TypeAlias = Mapping[tuple[str, str], Experiment]
"""Experiments of a bundle by model and id."""


def verify(bundle: Bundle) -> None:
    """Raise ``IntegrityError`` for the first record that is not right; it is named."""
    _once("experiment", (trial.experiment_id for trial in bundle.experiments))
    _once("outcome", ((o.experiment_id, o.unit, o.draw) for o in bundle.outcomes))
    _once("count of predictions", ((x.experiment_id, x.writer) for x in bundle.exposures))
    _once("source", ((source.kind, source.target) for source in bundle.sources))
    _verify_experiments(bundle)
    trials = {(trial.model, trial.experiment_id): trial for trial in bundle.experiments}
    for outcome in bundle.outcomes:
        with _named(f"outcome of {shown(outcome.unit)} in experiment {shown(outcome.experiment_id)}"):
            experiment_checks.check_outcome(_trial(trials, outcome, {outcome.variant}), outcome)
    for exposure in bundle.exposures:
        with _named(f"count of predictions in experiment {shown(exposure.experiment_id)}"):
            experiment_checks.check_exposure(_trial(trials, exposure, exposure.counts.keys()), exposure)
    for source in bundle.sources:
        with _named(f"{shown(source.kind)} {shown(source.target)}"):
            _verify_source(source)


def _once(what: str, keys: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for key in keys:
        if key in seen:
            raise IntegrityError(f"the bundle has one {what} twice: {shown(str(key))}; nothing was imported")
        seen.add(key)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """What a caller would have been told of one value, told of a record of the bundle."""
    try:
        yield
    except InvalidInput as error:
        raise IntegrityError(
            f"the bundle's {what} is none that a registry takes; nothing was imported: {error.detail}"
        ) from error


def _verify_experiments(bundle: Bundle) -> None:
    """Each is what its model's chain says, between versions of that model."""
    logs: dict[tuple[str, str], list[Event]] = {}
    for event in bundle.events:
        for key in event.after:
            if key.startswith(EXPERIMENT):
                logs.setdefault((event.model, key), []).append(event)
    versions = {version.model_id: version for version in bundle.versions}
    for trial in bundle.experiments:
        log = logs.get((trial.model, experiment_history.subject(trial.experiment_id)), ())
        if said := experiment_history.problem(trial, log):
            raise IntegrityError(
                f"the bundle's experiment {shown(trial.experiment_id)} is not what the history of {trial.model!r} "
                f"says: {said}; nothing was imported"
            )
        with _named(f"experiment {trial.experiment_id}"):
            experiment_checks.check_experiment(trial)
            _verify_variants(trial, versions)


def _verify_variants(trial: Experiment, versions: Mapping[str, ModelVersion]) -> None:
    for variant in trial.variants:
        found = versions.get(variant.model_id)
        known = found and (found.name, found.number, found.version)
        if known != (trial.model, variant.number, variant.version):
            raise InvalidInput(
                f"variant {variant.name}: #{variant.number} is not that version of {trial.model}"
            )


def _trial(trials: Trials, record: Outcome | Exposure, named: Collection[str]) -> Experiment:
    """The experiment of a record, which has the variants that it names."""
    trial = trials.get((record.model, record.experiment_id))
    if trial is None or not set(named) <= {variant.name for variant in trial.variants}:
        raise InvalidInput("it is of no experiment in the bundle, or not of its variants")
    return trial


def _verify_source(source: Source) -> None:
    lineage.check_source(source.kind)
    edge = lineage.check_edge(source.kind, source.target, None)
    if (edge.kind, edge.target) != (source.kind, source.target):
        raise InvalidInput("expected kind and name as they are kept")
    if source.withdrawn is not None and not source.withdrawn.reason.strip():
        raise InvalidInput("expected a reason for which it is withdrawn, found none")
