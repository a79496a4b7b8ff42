"""Whole models out and in, with their history, so that a chain verified there verifies here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.domain import names as domain_names
from modelyard.domain.answers import Imported
from modelyard.domain.errors import Conflict
from modelyard.domain.records import Blob, Event, Model, ModelVersion, ScanReport
from modelyard.ports.metadata import EventQuery, ExperimentQuery, ModelKey, SlugKey, VersionKey
from modelyard.ports.service import Bundle
from modelyard.service import blobs, collection, experiment_copies, resolve, vetting
from modelyard.service.deletion import models
from modelyard.service.draft import Draft
from modelyard.service.lineage import refuse_cycles
from modelyard.service.pages import every
from modelyard.service.renumber import renumber
from modelyard.service.vetting import Part
from modelyard.service.withdrawals import export_sources, import_sources

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

READINGS = 5
"""How often a model is read that others change meanwhile; from the second time on they are asked to wait."""


class _Moved(Exception):
    """What is here is not what it was when it was decided how a model is to be taken."""


def export(service: LocalService, names: Sequence[str] | None) -> Bundle:
    """Records of the named models (default: all), deleted versions and tombstones included."""
    chosen = models(service, None) if names is None else [resolve.model_named(service, n) for n in names]
    parts = [_read(service, model) for model in {model.key: model for model in chosen}.values()]
    taken = tuple(version for part in parts for version in part.versions)
    experiments = sorted((e for part in parts for e in part.trials), key=lambda e: e.experiment_id)
    outcomes, exposures = experiment_copies.export(service, experiments)
    return Bundle(
        models=tuple(part.model for part in parts),
        versions=taken,
        events=tuple(event for part in parts for event in part.log),
        sources=export_sources(service, taken),
        experiments=tuple(experiments),
        outcomes=outcomes,
        exposures=exposures,
    )


def _read(service: LocalService, model: Model) -> Part:
    """A model with versions, events and experiments of one moment: read again if its revision moved meanwhile."""
    for reading in range(READINGS):
        with service.store.alone() if reading else nullcontext():
            model = resolve.model_named(service, model.name)
            found = sorted(resolve.versions_of(service, model, deleted=None), key=lambda v: v.number)
            log = list(events_of(service, model))
            trials = list(every(service.store, ExperimentQuery(model_key=model.key)))
            if resolve.model_named(service, model.name).revision == model.revision:
                return Part(model, found, log, trials)
    raise Conflict(f"{model.name!r} changes faster than it can be read; export it when it is quieter")


def events_of(service: LocalService, model: Model) -> Iterator[Event]:
    """A model's whole history, oldest first, page by page."""
    return every(service.store, EventQuery(model_key=model.key))


def check(service: LocalService, bundle: Bundle) -> None:
    """Everything about a bundle that can be judged before its bytes are here; nothing is written.

    Raises:
        AuditBroken: A chain does not hold.
        IntegrityError: A record does not follow from its model's events, or a version from its digest.
    """
    vetting.parts_of(service, bundle)


def import_(service: LocalService, bundle: Bundle) -> Imported:
    """Take models that are new whole; fast-forward those with the same history; renumber the rest.

    The bytes must be in the blob store already. Chains, records and manifests are checked before the first model is
    written; each model is one commit, a renumbered one a commit per version, and the registry's own event is part of
    it. So repeating an import changes nothing, and one that was cut short goes on where it stopped.
    """
    parts = vetting.parts_of(service, bundle)
    for part in parts:
        vetting.require_bytes(service, part)
    outcome: dict[str, str] = {}
    notes: list[str] = []
    count = 0
    for part in parts:
        outcome[part.model.name], taken, said = _import_model(service, part)
        count += taken
        notes += said
    notes += _besides(service, bundle)
    return Imported(models=outcome, versions=count, notes=tuple(notes))


def _besides(service: LocalService, bundle: Bundle) -> Iterator[str]:
    """Take what is not a version and not a model; a line for each kind of which something was new."""
    if withdrawn := import_sources(service, bundle.sources):
        yield f"{withdrawn} source(s) that were withdrawn there are withdrawn here now"
    new, notes = experiment_copies.import_(service, bundle.experiments, bundle.outcomes, bundle.exposures)
    if new:
        yield f"{new} record(s) of experiments were taken"
    yield from notes


# --- one model --------------------------------------------------------------------------------------------------------


def _import_model(service: LocalService, part: Part) -> tuple[str, int, list[str]]:
    """Take one model; decide anew if another import or a writer was faster meanwhile."""
    for _ in range(READINGS):
        with suppress(_Moved):
            return _decide_on(service, part)
    raise Conflict(
        f"{part.model.name!r} changes faster than it can be imported; import it when it is quieter"
    )


def _decide_on(service: LocalService, part: Part) -> tuple[str, int, list[str]]:
    model = part.model
    present = service.store.get(ModelKey(model.key))
    if present is None:
        return "taken", _write(service, part, None), []
    if present.head == model.head:
        return "unchanged", 0, []
    if present.sequence < model.sequence and part.log[present.sequence - 1].hash == present.head:
        return "forwarded", _write(service, part, present), []
    if present.sequence > model.sequence and _has(service, present, model):
        return "unchanged", 0, []
    return renumber(service, present, model, part.versions)


def _has(service: LocalService, present: Model, model: Model) -> bool:
    """True if our history continues the bundle's."""
    log = list(events_of(service, present))
    return model.sequence <= len(log) and log[model.sequence - 1].hash == model.head


def _write(service: LocalService, part: Part, seen: Model | None) -> int:
    """One commit: the model and its versions as they are there, with revisions, slug and scans of their own here.

    Returns how many of the versions were not here before.
    """
    model = part.model
    news = part.log[seen.sequence if seen else 0 :]
    judged: dict[str, ScanReport] = {}

    def step() -> tuple[int, Draft]:
        draft = Draft()
        present = service.store.get(ModelKey(model.key))
        if _next(present) != _next(seen):
            raise _Moved
        draft.put(replace(model, slug=_slug(service, model, present), revision=_next(present)))
        rows: dict[str, Blob] = {}
        new = 0
        for version in part.versions:
            here = vetting.same(service.store.get(VersionKey(version.model_id)), version)
            new += here is None
            verdicts = version.scans
            if version.collected_at is None:
                claimed = blobs.claim(service, version.files, judged)
                verdicts = claimed.scans
                rows |= {row.digest: row for row in claimed.rows}
            draft.put(replace(version, scans=verdicts, revision=_next(here), artifact_path=""))
        blobs.write(draft, rows.values())
        draft.guards.extend(refuse_cycles(service, part.versions))
        draft.log.extend(news)
        collection.imported(service, draft, model.name, "forwarded" if seen else "taken", new, model.head)
        return new, draft

    return service.decide(step)


def _next(here: Model | ModelVersion | None) -> int:
    return (here.revision if here else 0) + 1


def _slug(service: LocalService, model: Model, present: Model | None) -> str:
    """A slug is this registry's own: the bundle's if it is free, so that addresses stay what they are there."""
    if present is not None:
        return present.slug

    def taken(slug: str) -> bool:
        return service.store.get(SlugKey(slug)) is not None

    if domain_names.is_slug_of(model.name, model.slug) and not taken(model.slug):
        return model.slug
    return domain_names.make_slug(model.name, taken)
