"""Whole models out and in, with their history, so that a chain verified there verifies here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelyard.domain import events as chains
from modelyard.domain import manifest, metrics, replay, versioning
from modelyard.domain import names as domain_names
from modelyard.domain.answers import Imported
from modelyard.domain.canonical import plain
from modelyard.domain.errors import AuditBroken, Conflict, IntegrityError
from modelyard.domain.query import Compare, Field
from modelyard.domain.records import Blob, Event, Model, ModelStage, ModelVersion, ScanReport
from modelyard.ports.metadata import EventQuery, LabelKey, ModelKey, SlugKey, VersionKey, VersionQuery
from modelyard.ports.service import Bundle, CreateVersion
from modelyard.service import blobs, collection, resolve, versions
from modelyard.service.deletion import models
from modelyard.service.draft import Draft, change, touched
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

READINGS = 5
"""How often a model is read that others change meanwhile; from the second time on they are asked to wait."""


@dataclass(slots=True)
class _Part:
    """What a bundle says of one model."""

    model: Model
    versions: list[ModelVersion] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)


def export(service: LocalService, names: Sequence[str] | None) -> Bundle:
    """Records of the named models (default: all), deleted versions and tombstones included."""
    chosen = models(service, None) if names is None else [resolve.model_named(service, n) for n in names]
    parts = [_read(service, model) for model in chosen]
    return Bundle(
        models=tuple(part.model for part in parts),
        versions=tuple(version for part in parts for version in part.versions),
        events=tuple(event for part in parts for event in part.log),
    )


def _read(service: LocalService, model: Model) -> _Part:
    """A model with versions and events of one moment: read again if its revision moved while it was read."""
    for reading in range(READINGS):
        with service.store.alone() if reading else nullcontext():
            model = resolve.model_named(service, model.name)
            found = sorted(resolve.versions_of(service, model, deleted=None), key=lambda v: v.number)
            log = list(events_of(service, model))
            if resolve.model_named(service, model.name).revision == model.revision:
                return _Part(model, found, log)
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
    _check(service, bundle)


def import_(service: LocalService, bundle: Bundle) -> Imported:
    """Take models that are new whole; fast-forward those with the same history; renumber the rest.

    The bytes must be in the blob store already. Chains, records and manifests are checked before the first model is
    written; each model is one commit, a renumbered one a commit per version. Repeating an import changes nothing.
    """
    parts = _check(service, bundle)
    for part in parts:
        _require_bytes(service, part)
    outcome: dict[str, str] = {}
    notes: list[str] = []
    count = 0
    for part in parts:
        outcome[part.model.name], taken, said = _import_model(service, part)
        count += taken
        notes += said
    if set(outcome.values()) - {"unchanged"}:
        collection.note(service, "registry.imported", {"models": outcome, "versions": count})
    return Imported(models=outcome, versions=count, notes=tuple(notes))


# --- before anything is written ---------------------------------------------------------------------------------------


def _check(service: LocalService, bundle: Bundle) -> list[_Part]:
    parts = _parts(bundle)
    for part in parts:
        _verify(part)
        for version in part.versions:
            _same(service.store.get(VersionKey(version.model_id)), version)
    return parts


def _parts(bundle: Bundle) -> list[_Part]:
    """The bundle by model; each model once, and nothing without its model."""
    for key, times in Counter(model.key for model in bundle.models).items():
        if times > 1:
            raise IntegrityError(f"the bundle has the model {key!r} {times} times; nothing was imported")
    parts: dict[str, _Part] = {model.name: _Part(model) for model in bundle.models}
    for name in (*(v.name for v in bundle.versions), *(e.model for e in bundle.events)):
        if name not in parts:
            raise IntegrityError(
                f"the bundle has versions or events of {name!r}, but not that model; nothing was imported"
            )
    for version in bundle.versions:
        parts[version.name].versions.append(version)
    for event in bundle.events:
        parts[event.model].log.append(event)
    return list(parts.values())


def _verify(part: _Part) -> None:
    """The chain holds, every record follows from it, every version from its digest."""
    model, log = part.model, part.log
    broken = _first_break(log)
    if broken is None and (log[-1].hash if log else "", len(log)) != (model.head, model.sequence):
        broken = (len(log) + 1, "the chain does not end at the model's head")
    if broken is not None:
        raise AuditBroken(
            f"the bundle's history of {model.name!r} is broken at event {broken[0]}: {broken[1]}; nothing was imported",
            data={"model": model.name, "sequence": broken[0]},
        )
    if domain_names.fold(domain_names.check_model_name(model.name)) != model.key:
        raise IntegrityError(f"the bundle's {model.name!r} does not match its own key; nothing was imported")
    for version in part.versions:
        _verify_version(version)
    for difference in replay.differences(model, part.versions, log):
        raise IntegrityError(
            f"the bundle's records of {model.name!r} do not follow from its history: {difference}; "
            "nothing was imported: export it again where it comes from"
        )


def _first_break(log: Sequence[Event]) -> tuple[int, str] | None:
    """As the domain finds it; text that has no bytes, such as half a surrogate pair, has no hash either."""
    try:
        return chains.first_break(log)
    except ValueError as error:
        return 1, f"an event cannot be hashed ({error})"


def _verify_version(version: ModelVersion) -> None:
    domain_names.check_label(version.version)
    domain_names.check_paths(domain_names.check_path(entry.path) for entry in version.files)
    for entry in version.files:
        domain_names.check_digest(entry.digest)
    contents = manifest.content_digest(version.files)
    if (manifest.build(version).digest, contents) != (version.digest, version.content_digest):
        raise IntegrityError(
            f"the bundle's {version.name}:{version.version} does not match its own digest; nothing was imported"
        )


def _require_bytes(service: LocalService, part: _Part) -> None:
    """Bytes that are missing are found before another model is written."""
    for version in part.versions:
        for entry in version.files if version.collected_at is None else ():
            blobs.look_at(service.blobs, entry)


# --- one model --------------------------------------------------------------------------------------------------------


def _import_model(service: LocalService, part: _Part) -> tuple[str, int, list[str]]:
    model = part.model
    present = service.store.get(ModelKey(model.key))
    if present is None:
        return "taken", _write(service, model, part.versions, part.log, None), []
    if present.head == model.head:
        return "unchanged", 0, []
    if present.sequence < model.sequence and part.log[present.sequence - 1].hash == present.head:
        news = part.log[present.sequence :]
        return "forwarded", _write(service, model, part.versions, news, present), []
    if present.sequence > model.sequence and _has(service, present, model):
        return "unchanged", 0, []
    return _renumber(service, present, part.versions)


def _has(service: LocalService, present: Model, model: Model) -> bool:
    """True if our history continues the bundle's."""
    log = list(events_of(service, present))
    return model.sequence <= len(log) and log[model.sequence - 1].hash == model.head


def _write(
    service: LocalService,
    model: Model,
    found: Sequence[ModelVersion],
    log: Sequence[Event],
    seen: Model | None,
) -> int:
    """One commit: the model and its versions as they are there, with revisions, slug and scans of their own here.

    Returns how many of the versions were not here before.
    """
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
        new = 0
        for version in found:
            here = _same(service.store.get(VersionKey(version.model_id)), version)
            new += here is None
            verdicts = version.scans
            if version.collected_at is None:
                claimed, verdicts = blobs.claim(service, version.files, judged)
                rows |= {row.digest: row for row in claimed}
            draft.put(replace(version, scans=verdicts, revision=_next(here), artifact_path=""))
        blobs.write(draft, rows.values())
        draft.log.extend(log)
        return new, draft

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


# --- a model with another history -------------------------------------------------------------------------------------


def _renumber(
    service: LocalService, present: Model, found: Sequence[ModelVersion]
) -> tuple[str, int, list[str]]:
    """Histories differ: what is not here yet is registered anew, under its label if that is free."""
    here = _identities(resolve.versions_of(service, present, deleted=None))
    notes: list[str] = []
    taken = 0
    for version in found:
        if _identities([version]) & here:
            continue
        spelled = f"{version.name}:{version.version} (#{version.number})"
        if version.deleted:
            notes.append(f"{spelled} is deleted there and was not taken")
            continue
        created, lost = _take(service, present.name, version)
        here |= _identities([created])
        taken += 1
        notes.append(f"{spelled} is {created.version} (#{created.number}) here{_left_behind(version, lost)}")
    return ("renumbered" if taken else "unchanged"), taken, notes


def _identities(found: Sequence[ModelVersion]) -> set[tuple[str, str]]:
    """What versions are known by: identifier, or that of the version they were taken from, with the same bytes.

    Equal bytes alone say nothing: two versions may differ in all but their bytes, and many have none.
    """
    origins = ((v, v.attributes.get("imported_from")) for v in found)
    taken = {(origin, v.content_digest) for v, origin in origins if isinstance(origin, str)}
    return taken | {(v.model_id, v.content_digest) for v in found}


def _left_behind(version: ModelVersion, lost: bool) -> str:
    """What a version could not bring along, for its note."""
    stage = version.stage.value
    moved = (
        f"; it starts in development ({stage} there)" if version.stage is not ModelStage.DEVELOPMENT else ""
    )
    return moved + (f"; its parent {version.parent} is not here" if lost else "")


def _take(service: LocalService, name: str, version: ModelVersion) -> tuple[ModelVersion, bool]:
    """Register a version of elsewhere and give it the rest of its facts, in one commit.

    Also returns whether its parent was left behind, because it is not here. Two events are written: the registration
    as any other, and ``version.imported`` with what no registration brings.
    """
    parent = _counterpart(service, version.parent)
    scans: dict[str, ScanReport] = {}
    model_id = service.clock.new_id()

    def step() -> tuple[ModelVersion, Draft]:
        request = _request(service, name, version)
        work = versions.Work(
            request=request, model_id=model_id, name=name, asked="", parent=parent, scans=scans
        )
        created, draft = versions.decide(service, work)
        if draft is None:
            raise Conflict(f"{name}:{version.version} came into being while it was imported; import it again")
        return _complete(service, created, version, draft)

    return service.decide(step), version.parent is not None and parent is None


def _request(service: LocalService, name: str, version: ModelVersion) -> CreateVersion:
    key = domain_names.fold(name)
    free = service.store.get(LabelKey(key, versioning.label_key(version.version))) is None
    return CreateVersion(
        name=name,
        version=version.version if free else None,
        files=version.files,
        flavor=version.flavor,
        description=version.description,
        hyperparams=version.hyperparams,
        tags=version.tags,
        attributes={**version.attributes, "imported_from": version.model_id},
        data_lineage=version.data_lineage,
        signature=version.signature,
        environment=version.environment,
        framework=version.framework,
        algorithm=version.algorithm,
        override_reason=version.override_reason,
    )


def _counterpart(service: LocalService, model_id: str | None) -> ModelVersion | None:
    """The version that ``model_id`` names here: itself, or what was taken from it."""
    if model_id is None:
        return None
    same = service.store.get(VersionKey(model_id))
    if same is not None:
        return same
    origin = Compare(Field("attributes", ("imported_from",)), "=", model_id)
    found = service.store.find(VersionQuery(where=origin, deleted=None, limit=1)).items
    return found[0] if found else None


def _complete(
    service: LocalService, created: ModelVersion, version: ModelVersion, draft: Draft
) -> tuple[ModelVersion, Draft]:
    """The registration's draft with a second event: metrics, checks, card and hold, as they were recorded there.

    The card is taken as it is: fields that the policy there knows may be unknown to the policy here.
    """
    model = next(put.record for put in draft.records if isinstance(put.record, Model))
    facts: dict[str, Any] = {
        "metrics": version.metrics,
        "checks": version.checks,
        "card": version.card,
        "card_version": 1 if version.card else 0,
        "legal_hold": version.legal_hold,
    }
    prefix = touched(created)
    _, (written,), more = change(
        service,
        model,
        (replace(created, **facts),),
        action="version.imported",
        subject=prefix,
        after={f"{prefix}.{path}": value for path, value in _brought(version).items()} | _origin(version),
    )
    final = {type(put.record): put.record for put in more.records}
    for place, put in enumerate(draft.records):
        if put.record is model or put.record is created:
            # One commit writes a record once, so its revision moves by one for both events.
            record: Any = replace(final[type(put.record)], revision=put.record.revision)
            draft.records[place] = replace(put, record=record)
    draft.log += more.log
    return replace(written, revision=created.revision), draft


def _brought(version: ModelVersion) -> dict[str, Any]:
    """What ``version.imported`` sets, by path."""
    measured = {f"metrics.{metrics.qualified(m)}": m.value for m in metrics.latest(version.metrics).values()}
    checked = {f"checks.{name}": check.passed for name, check in version.checks.items()}
    card = {"card": plain(version.card)} if version.card else {}
    hold = {"legal_hold": version.legal_hold} if version.legal_hold else {}
    return {**measured, **checked, **card, **hold}


def _origin(version: ModelVersion) -> dict[str, Any]:
    """Where an imported version comes from, for its event."""
    facts = ("model_id", "name", "number", "version", "stage", "created_at", "created_by", "digest")
    return {"imported": {fact: getattr(version, fact) for fact in facts}}
