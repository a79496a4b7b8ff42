"""Whole models out and in, with their history, so that a chain verified there verifies here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.domain import events as chains
from modelyard.domain import manifest, versioning
from modelyard.domain import names as domain_names
from modelyard.domain.answers import Imported
from modelyard.domain.errors import AuditBroken, Conflict, IntegrityError
from modelyard.domain.records import Blob, Event, Model, ModelVersion, ScanReport
from modelyard.ports.metadata import EventQuery, LabelKey, ModelKey, SlugKey, VersionKey
from modelyard.ports.service import Bundle, CreateVersion
from modelyard.service import blobs, collection, resolve, versions
from modelyard.service.deletion import models
from modelyard.service.draft import Draft

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def export(service: LocalService, names: Sequence[str] | None) -> Bundle:
    """Records of the named models (default: all), deleted versions and tombstones included."""
    chosen = models(service, None) if names is None else [resolve.model_named(service, n) for n in names]
    found: list[ModelVersion] = []
    log: list[Event] = []
    for model in chosen:
        found += sorted(resolve.versions_of(service, model, deleted=None), key=lambda v: v.number)
        log += _events(service, model)
    return Bundle(models=tuple(chosen), versions=tuple(found), events=tuple(log))


def _events(service: LocalService, model: Model) -> list[Event]:
    log: list[Event] = []
    after: str | None = None
    while True:
        page = service.store.find(EventQuery(model_key=model.key, limit=500, after=after))
        log.extend(page.items)
        if (after := page.next) is None:
            return log


def import_(service: LocalService, bundle: Bundle) -> Imported:
    """Take models that are new whole; fast-forward those with the same history; renumber the rest.

    The bytes must be in the blob store already. Chains and manifests are checked before the first model is written;
    each model is one commit. Repeating an import changes nothing.
    """
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    logs: dict[str, list[Event]] = defaultdict(list)
    for version in bundle.versions:
        by_model[version.name].append(version)
    for event in bundle.events:
        logs[event.model].append(event)
    for model in bundle.models:
        _verify(model, by_model[model.name], logs[model.name])
        _foresee(service, by_model[model.name])
    outcome: dict[str, str] = {}
    notes: list[str] = []
    count = 0
    for model in bundle.models:
        outcome[model.name], taken, said = _import_model(
            service, model, by_model[model.name], logs[model.name]
        )
        count += taken
        notes += said
    if count:
        collection.note(service, "registry.imported", {"models": outcome, "versions": count})
    return Imported(models=outcome, versions=count, notes=tuple(notes))


def _verify(model: Model, found: Sequence[ModelVersion], log: Sequence[Event]) -> None:
    broken = chains.first_break(log)
    if broken is None and (log[-1].hash if log else "", len(log)) != (model.head, model.sequence):
        broken = (len(log) + 1, "the chain does not end at the model's head")
    if broken is not None:
        raise AuditBroken(
            f"the bundle's history of {model.name!r} is broken at event {broken[0]}: {broken[1]}; nothing was imported",
            data={"model": model.name, "sequence": broken[0]},
        )
    if domain_names.fold(domain_names.check_model_name(model.name)) != model.key:
        raise IntegrityError(f"the bundle's {model.name!r} does not match its own key; nothing was imported")
    for version in found:
        domain_names.check_paths(domain_names.check_path(entry.path) for entry in version.files)
        if manifest.build(version).digest != version.digest:
            raise IntegrityError(
                f"the bundle's {version.name}:{version.version} does not match its own digest; nothing was imported"
            )


def _foresee(service: LocalService, found: Sequence[ModelVersion]) -> None:
    """What would stop the import of one model is found before another is written: bytes missing, identities taken."""
    for version in found:
        _same(service.store.get(VersionKey(version.model_id)), version)
        for entry in version.files if version.collected_at is None else ():
            blobs.look_at(service.blobs, entry)


def _import_model(
    service: LocalService, model: Model, found: Sequence[ModelVersion], log: Sequence[Event]
) -> tuple[str, int, list[str]]:
    present = service.store.get(ModelKey(model.key))
    if present is None:
        return "taken", _write(service, model, found, log, None), []
    if present.head == model.head:
        return "unchanged", 0, []
    if present.sequence < model.sequence and log[present.sequence - 1].hash == present.head:
        return "forwarded", _write(service, model, found, log[present.sequence :], present), []
    if present.sequence > model.sequence and _has(service, present, model):
        return "unchanged", 0, []
    return _renumber(service, present, found)


def _has(service: LocalService, present: Model, model: Model) -> bool:
    """True if our history continues the bundle's."""
    log = _events(service, present)
    return model.sequence <= len(log) and log[model.sequence - 1].hash == model.head


def _write(
    service: LocalService,
    model: Model,
    found: Sequence[ModelVersion],
    log: Sequence[Event],
    seen: Model | None,
) -> int:
    """One commit: the model and its versions as they are there, with revisions, slug and scans of their own here."""
    judged: dict[str, ScanReport] = {}

    def step() -> tuple[int, Draft]:
        draft = Draft()
        present = service.store.get(ModelKey(model.key))
        if _next(present) != _next(seen):
            raise Conflict(
                f"{model.name!r} changed while it was imported; nothing of it was written: import it again"
            )
        draft.put(replace(model, slug=_slug(service, model, present), revision=_next(present)))
        rows: dict[str, Blob] = {}
        for version in found:
            here = _same(service.store.get(VersionKey(version.model_id)), version)
            verdicts = version.scans
            if version.collected_at is None:
                claimed, verdicts = blobs.claim(service, version.files, judged)
                rows |= {row.digest: row for row in claimed}
            draft.put(replace(version, scans=verdicts, revision=_next(here), artifact_path=""))
        blobs.write(draft, rows.values())
        draft.log.extend(log)
        return len(found), draft

    return service.decide(step)


def _next(here: Model | ModelVersion | None) -> int:
    return (here.revision if here else 0) + 1


def _slug(service: LocalService, model: Model, present: Model | None) -> str:
    """A slug is this registry's own: another model may have the bundle's."""
    if present is not None:
        return present.slug
    return domain_names.make_slug(model.name, lambda slug: service.store.get(SlugKey(slug)) is not None)


def _same(here: ModelVersion | None, version: ModelVersion) -> ModelVersion | None:
    """What is here under the same ``model_id`` must be the same version: a bundle overwrites nothing else."""
    if here is not None and here.digest != version.digest:
        raise IntegrityError(
            f"the bundle's {version.name}:{version.version} has the model_id of {here.name}:{here.version}, "
            "which is another version; its model was not imported"
        )
    return here


def _renumber(
    service: LocalService, present: Model, found: Sequence[ModelVersion]
) -> tuple[str, int, list[str]]:
    """Histories differ: what is not here yet is registered anew, under its label if that is free."""
    here = {v.content_digest: v for v in resolve.versions_of(service, present, deleted=None)}
    notes: list[str] = []
    taken = 0
    for version in found:
        if version.deleted or version.content_digest in here:
            continue
        free = service.store.get(LabelKey(present.key, versioning.label_key(version.version))) is None
        request = CreateVersion(
            name=present.name,
            version=version.version if free else None,
            files=version.files,
            flavor=version.flavor,
            description=version.description,
            metrics=version.performance_metrics,
            hyperparams=version.hyperparams,
            tags=version.tags,
            attributes={**version.attributes, "imported_from": version.model_id},
            data_lineage=version.data_lineage,
            signature=version.signature,
            environment=version.environment,
            framework=version.framework,
            algorithm=version.algorithm,
            card=version.card,
        )
        created = versions.create(service, request)
        here[created.content_digest] = created
        taken += 1
        notes.append(
            f"{version.name}:{version.version} (#{version.number}) is {created.version} (#{created.number}) here"
        )
    return ("renumbered" if taken else "unchanged"), taken, notes
