"""Experiments begin, are judged and end; beginning and end are events of the model's chain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain import abtest, names, refs
from modelyard.domain import experiment_history as history
from modelyard.domain.abtest_verdict import ExperimentVerdict, judge
from modelyard.domain.answers import Promotion
from modelyard.domain.canonical import canonical, fingerprint
from modelyard.domain.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from modelyard.domain.experiment_history import STARTED
from modelyard.domain.experiments import Experiment, ExperimentVariant
from modelyard.domain.metrics import higher_is_better
from modelyard.domain.pointers import Board
from modelyard.domain.records import Event, Model, ModelVersion
from modelyard.domain.request_types import check_mapping, check_text_fact
from modelyard.domain.spelling import quoted
from modelyard.domain.standing import standing
from modelyard.ports.metadata import (
    EventQuery,
    ExperimentKey,
    ExperimentQuery,
    ExposureQuery,
    IdentityKey,
    OutcomeTallyQuery,
)
from modelyard.ports.service import (
    BeginExperiment,
    Promote,
    PromoteWinner,
    StopExperiment,
)
from modelyard.service import promotion, resolve
from modelyard.service.draft import Draft, change
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

FIXED: Final = ("id", "label", "number", "digest")
"""Kinds of reference that name the same version for ever; the others are pinned when an experiment begins."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


# --- beginning -------------------------------------------------------------------------------------------------------


def begin(service: LocalService, request: BeginExperiment) -> Experiment:
    """The experiment with these arguments: the one there is, running or stopped, or a new one."""
    asked = _checked(request)
    experiment_id = service.clock.new_id()
    return service.decide(lambda: _begin(service, asked, experiment_id))


def _checked(request: BeginExperiment) -> BeginExperiment:
    """The request with everything in it checked that can be without looking anything up."""
    check_text_fact("model", request.model)
    check_text_fact("experiment name", request.name)
    for what in ("variants", "weights", "guardrails"):
        check_mapping(what, getattr(request, what))
    abtest.check_variant_names(request.variants)
    given = request.weights or _equal(request.variants)
    if given.keys() != request.variants.keys():
        raise InvalidInput(
            f"weights: expected one for each of {', '.join(request.variants)}, found {', '.join(map(str, given))}"
        )
    if request.name:
        names.check_key(request.name, "experiment name")
    names.check_metric_name(request.metric)
    abtest.check_kind(request.kind)
    return replace(
        request,
        weights=abtest.check_weights(given),
        guardrails=abtest.check_guardrails(request.guardrails),
        minimum_sample=abtest.check_sample(request.minimum_sample),
        alpha=abtest.check_alpha(request.alpha),
        higher_is_better=_direction(request),
    )


def _equal(variants: Mapping[str, Any]) -> dict[str, float]:
    return {name: 1 / len(variants) for name in variants}


def _direction(request: BeginExperiment) -> bool:
    """As given; what is right or wrong is better right; otherwise by the metric's name."""
    if isinstance(request.higher_is_better, bool):
        return request.higher_is_better
    if request.higher_is_better is not None:
        raise InvalidInput(
            f"higher_is_better: expected true or false, found {quoted(request.higher_is_better)}"
        )
    known = higher_is_better(request.metric)
    if known is None and request.kind == "numeric":
        raise InvalidInput(
            f"metric {request.metric!r}: nothing is known of which way it improves; say higher_is_better"
        )
    return True if known is None else known


def _begin(
    service: LocalService, request: BeginExperiment, experiment_id: str
) -> tuple[Experiment, Draft | None]:
    model = resolve.model_named(service, request.model)
    identity = _identity(service, model, request)
    if (present := service.store.get(IdentityKey(identity))) is not None:
        return present, None
    found = {name: resolve.version(service, _ref(model, ref)) for name, ref in request.variants.items()}
    for name, version in found.items():
        resolve.require_same_model(version, model)
        _require_usable(name, version)
    experiment = _experiment(service, model, request, found, identity, experiment_id)
    _require_free_name(service, model, experiment)
    event, draft = _change(service, model, experiment, STARTED, history.configuration(experiment))
    experiment = history.begun(experiment, event)
    draft.put(experiment)
    return experiment, draft


def _require_usable(variant: str, version: ModelVersion) -> None:
    """Live traffic is a use like any other."""
    if version.withdrawn is not None:
        raise NotAllowed(
            f"variant {variant}: {version.name}:{version.version} is withdrawn and serves nobody: "
            f"{version.withdrawn.reason}; try another, or reinstate it first"
        )


def _require_free_name(service: LocalService, model: Model, experiment: Experiment) -> None:
    """A name is what people call one experiment of a model by, for good."""
    for other in every(service.store, ExperimentQuery(model_key=model.key)) if experiment.name else ():
        if other.name == experiment.name:
            raise AlreadyExists(
                f"the name {quoted(experiment.name)} belongs to experiment {other.experiment_id} of {model.name}, "
                f"which has other arguments ({_differing(experiment, other)}); choose another name"
            )


def _differing(one: Experiment, other: Experiment) -> str:
    """Names of the arguments in which two experiments differ."""
    mine, theirs = history.configuration(one), history.configuration(other)
    found = [key for key in mine if key != "identity" and canonical(mine[key]) != canonical(theirs[key])]
    return ", ".join(found) or "variants by other references"


def _ref(model: Model, text: str) -> str:
    """A variant as a ref: a whole number is a version's number, a bare label one of this model's versions."""
    names.check_text(text, refs.REF_LENGTH, "variant")
    return resolve.within(model, f"#{text}" if _NUMBER.fullmatch(text) else text)


def _identity(service: LocalService, model: Model, request: BeginExperiment) -> str:
    """64 hex digits over the arguments; what names a version for ever counts as that version."""
    variants = []
    for name, text in request.variants.items():
        ref = refs.parse(_ref(model, text))
        target = str(ref)
        if ref.kind in FIXED:
            target = resolve.version(service, target, deleted=True).model_id
        variants.append([name, target, request.weights[name]])
    settings = ("name", "metric", "kind", "higher_is_better", "minimum_sample", "alpha")
    arguments = {name: getattr(request, name) for name in settings}
    asked = {"model": model.key, "variants": variants, "guardrails": dict(request.guardrails), **arguments}
    return fingerprint(asked).removeprefix("sha256:")


def _experiment(
    service: LocalService,
    model: Model,
    request: BeginExperiment,
    found: Mapping[str, ModelVersion],
    identity: str,
    experiment_id: str,
) -> Experiment:
    assert request.higher_is_better is not None  # noqa: S101 - narrows the type: settled when it was checked
    variants = tuple(
        ExperimentVariant(
            name=name, model_id=v.model_id, number=v.number, version=v.version, weight=request.weights[name]
        )
        for name, v in found.items()
    )
    return Experiment(
        experiment_id=experiment_id,
        model=model.name,
        name=request.name,
        identity=identity,
        variants=variants,
        metric=request.metric,
        kind=request.kind,
        higher_is_better=request.higher_is_better,
        guardrails=request.guardrails,
        minimum_sample=request.minimum_sample,
        alpha=request.alpha,
        created_at=service.clock.now(),
        created_by=service.actor.name,
        revision=1,
    )


def _change(
    service: LocalService,
    model: Model,
    experiment: Experiment,
    action: str,
    facts: Mapping[str, Any],
    reason: str = "",
) -> tuple[Event, Draft]:
    """The beginning or the end of an experiment in its model's record, and the event that tells of it."""
    key = history.subject(experiment.experiment_id)
    before = model.experiments.get(experiment.experiment_id)
    after = list(experiment.numbers) if action == STARTED else None
    running = {name: kept for name, kept in model.experiments.items() if name != experiment.experiment_id}
    if after:
        running[experiment.experiment_id] = experiment.numbers
    _, _, draft = change(
        service,
        replace(model, experiments=running),
        (),
        action=action,
        subject=key,
        before={key: before and list(before)},
        after={key: after, "experiment": facts},
        reason=reason,
    )
    return draft.log[-1], draft


# --- finding ---------------------------------------------------------------------------------------------------------


def get(service: LocalService, experiment: str) -> Experiment:
    """An experiment by its id, or by its name where only one has it.

    Raises:
        NotFound: None has it, or several have that name.
    """
    wanted: object = experiment
    if not isinstance(wanted, str):
        raise InvalidInput(f"experiment: expected an id or a name, found {quoted(wanted)}")
    if found := service.store.get(ExperimentKey(experiment.lower())):
        return found
    named = [e for e in every(service.store, ExperimentQuery()) if experiment and e.name == experiment]
    if len(named) == 1:
        return named[0]
    if named:
        raise NotFound(
            f"{len(named)} experiments are named {quoted(experiment)}; use an id",
            reasons=[f"{e.experiment_id} of {e.model}" for e in named],
        )
    raise NotFound(f"there is no experiment {quoted(experiment)}; `modelyard experiment list` shows all")


def of(service: LocalService, model: str | None) -> tuple[Experiment, ...]:
    """Experiments of a model, or all, oldest first."""
    key = None if model is None else resolve.model_named(service, model).key
    return tuple(every(service.store, ExperimentQuery(model_key=key)))


def differences(service: LocalService, model: Model) -> Iterator[str]:
    """Where a model's experiments are not what its record and its history say, one line each."""
    found = list(every(service.store, ExperimentQuery(model_key=model.key)))
    running = {e.experiment_id: e.numbers for e in found if e.running}
    if running != dict(model.experiments):
        yield f"the experiments {sorted(running)} run, its record names {sorted(model.experiments)}"
    for experiment in found:
        if said := history.problem(experiment, told(service, experiment)):
            yield f"experiment {experiment.experiment_id} is not what the history says: {said}"


def told(service: LocalService, experiment: Experiment) -> Iterator[Event]:
    """What the history here tells of an experiment, oldest first."""
    subject = history.subject(experiment.experiment_id)
    return every(service.store, EventQuery(model_key=names.fold(experiment.model), subject=subject))


# --- judging and ending ----------------------------------------------------------------------------------------------


def verdict(service: LocalService, experiment: str) -> ExperimentVerdict:
    """What can be said of an experiment now."""
    return _verdict(service, get(service, experiment))


def _verdict(service: LocalService, experiment: Experiment) -> ExperimentVerdict:
    served: dict[str, int] = {}
    for exposure in every(service.store, ExposureQuery(experiment_id=experiment.experiment_id)):
        for name, count in exposure.counts.items():
            served[name] = served.get(name, 0) + count
    metrics = {abtest.split_rule(rule)[1] for rule in experiment.guardrails}
    tally = OutcomeTallyQuery(experiment_id=experiment.experiment_id)
    return judge(
        experiment,
        service.store.find(tally).items,
        predictions=served,
        guarded={m: service.store.find(replace(tally, metric=m)).items for m in sorted(metrics)},
    )


def stop(service: LocalService, request: StopExperiment) -> Experiment:
    """End an experiment; its versions are free again, and outcomes that still come are late. Again: no change."""
    return service.decide(lambda: _stop(service, request.experiment_id, request.reason, promoted=False))


def _stop(
    service: LocalService, experiment_id: str, reason: str, *, promoted: bool
) -> tuple[Experiment, Draft | None]:
    experiment = get(service, experiment_id)
    if not experiment.running:
        return experiment, None
    model = resolve.model_named(service, experiment.model)
    found = _verdict(service, experiment)
    facts = {
        "winner": found.winner,
        "promoted": promoted,
        "units": found.sample_ratio.units,
        "means": {standing.variant: standing.mean for standing in found.standings},
    }
    event, draft = _change(service, model, experiment, history.STOPPED, facts, reason)
    ended = replace(history.ended(experiment, event), revision=experiment.revision + 1)
    draft.put(ended)
    return ended, draft


def promote_winner(service: LocalService, request: PromoteWinner) -> Promotion:
    """Promote the winner through the gates, then stop the experiment. After a crash in between, the same call again
    finds the winner promoted and stops.

    Raises:
        NotAllowed: There is no winner; each thing that is missing is a reason.
    """
    experiment = get(service, request.experiment_id)
    found = _verdict(service, experiment)
    if found.winner is None:
        raise NotAllowed(
            f"experiment {experiment.experiment_id} ({experiment.title}) has no winner to promote; nothing was changed",
            reasons=found.reasons,
        )
    winner = experiment.variant(found.winner)
    reason = request.reason or f"winner of experiment {experiment.experiment_id}"
    outcome = promotion.promote(
        service,
        Promote(
            ref=winner.model_id,
            target=request.target,
            requirements=request.requirements,
            reason=reason,
            dry_run=request.dry_run,
        ),
    )
    if not request.dry_run:
        promoted = outcome.version
        with standing(f"the winner {promoted.name}:{promoted.version} is in {promoted.stage}"):
            service.decide(lambda: _stop(service, experiment.experiment_id, reason, promoted=True))
    return outcome


def abandon(service: LocalService, board: Board, version: ModelVersion) -> list[Experiment]:
    """What needs a version that is deleted by force and so ends; the board notes it, :func:`bury` the records."""
    ending = []
    for experiment_id, numbers in list(board.model.experiments.items()):
        experiment = service.store.get(ExperimentKey(experiment_id))
        if version.number not in numbers or experiment is None:
            continue
        key = history.subject(experiment_id)
        board.before[key], board.after[key] = list(numbers), None
        running = {name: kept for name, kept in board.model.experiments.items() if name != experiment_id}
        board.model = replace(board.model, experiments=running)
        ending.append(experiment)
    return ending


def bury(draft: Draft, ending: Iterable[Experiment]) -> None:
    """Add the ended experiments to the commit whose event ends them."""
    for experiment in ending:
        draft.put(replace(history.ended(experiment, draft.log[-1]), revision=experiment.revision + 1))
