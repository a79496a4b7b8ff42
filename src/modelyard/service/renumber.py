"""Taking versions of a model whose history here is another one: each is registered anew, with all its facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelyard.domain import metrics, versioning
from modelyard.domain import names as domain_names
from modelyard.domain.canonical import plain
from modelyard.domain.errors import Conflict
from modelyard.domain.lineage import is_version, spelled
from modelyard.domain.query import Compare, Field
from modelyard.domain.records import LineageEdge, Model, ModelStage, ModelVersion, ScanReport, Withdrawal
from modelyard.ports.metadata import EventQuery, LabelKey, VersionKey, VersionQuery
from modelyard.ports.service import CreateVersion
from modelyard.service import collection, resolve, versions, withdrawals
from modelyard.service.draft import Draft, change, touched
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

Lineage: TypeAlias = tuple[LineageEdge, ...]
IMPORTED: Final = "imported: registered elsewhere"
"""Why a label is taken although the step up to it is smaller than this registry wants."""


def renumber(
    service: LocalService, present: Model, theirs: Model, found: Sequence[ModelVersion]
) -> tuple[str, int, list[str]]:
    """Register what is not here yet, under its label if that is free; a commit per version.

    Args:
        service: Where to.
        present: The model that is here.
        theirs: The same name elsewhere, whose history is another.
        found: Its versions.

    Returns:
        ``renumbered``, or ``unchanged`` if nothing was; how many were taken; and a line for each that has another
        number here, was not taken, or is withdrawn now.
    """
    lines: list[str] = []
    todo: list[ModelVersion] = []
    for version in _not_here(service, present, found):
        if version.deleted:
            lines.append(f"{_spelled(version)} is deleted there and was not taken")
        else:
            todo.append(version)
    notes = []
    for version in todo:
        # The history counts as taken in once its last version is: an import that is cut short is not over.
        head = theirs.head if version is todo[-1] else ""
        created, lost = _take(service, present.name, version, head)
        notes.append(
            f"{_spelled(version)} is {created.version} (#{created.number}) here{_left_behind(version, lost)}"
        )
    told = list(_withdrawn(service, present.name, found))
    return "renumbered" if todo or told else "unchanged", len(todo), notes + lines + told


def _withdrawn(service: LocalService, name: str, found: Sequence[ModelVersion]) -> Iterator[str]:
    """Withdraw here what is withdrawn there, however the histories differ: whoever uses it has to learn of it."""
    for theirs in found:
        mine = service.decide(partial(_withdraw, service, name, theirs)) if theirs.withdrawn else None
        if mine is not None:
            known = "" if mine.model_id == theirs.model_id else f", as {mine.version} (#{mine.number})"
            yield f"{_spelled(theirs)} was withdrawn there and is withdrawn here now{known}"


def _withdraw(
    service: LocalService, name: str, theirs: ModelVersion
) -> tuple[ModelVersion | None, Draft | None]:
    """By whom and when it was said there; what was taken back here since stays so."""
    model = resolve.model_named(service, name)
    model_id = _counterpart(service, theirs.model_id)
    mine = service.store.get(VersionKey(model_id)) if model_id else None
    if mine is None or mine.withdrawn is not None or mine.content_digest != theirs.content_digest:
        return None, None
    if theirs.withdrawn is None or _taken_back(service, mine, theirs.withdrawn):
        return None, None
    draft = withdrawals.mark(service, model, mine, theirs.withdrawn, theirs.withdrawn.reason)
    collection.imported(service, draft, model.name, "renumbered", 0, "")
    return mine, draft


def _taken_back(service: LocalService, version: ModelVersion, withdrawal: Withdrawal) -> bool:
    """Whether this very withdrawal stood here once."""
    subject = touched(version)
    key, said = f"{subject}.withdrawn", plain(withdrawal)
    log = every(service.store, EventQuery(model_key=domain_names.fold(version.name), subject=subject))
    return any(event.before.get(key) == said for event in log)


def _not_here(service: LocalService, present: Model, found: Sequence[ModelVersion]) -> Iterator[ModelVersion]:
    """Versions that are neither here nor taken from elsewhere before."""
    here = _identities(resolve.versions_of(service, present, deleted=None))
    for version in found:
        if not _identities([version]) & here:
            yield version
            here.add((version.model_id, version.content_digest))


def _spelled(version: ModelVersion) -> str:
    return f"{version.name}:{version.version} (#{version.number})"


def _identities(found: Sequence[ModelVersion]) -> set[tuple[str, str]]:
    """What versions are known by: identifier, or that of the version they were taken from, with the same bytes.

    Equal bytes alone say nothing: two versions may differ in all but their bytes, and many have none.
    """
    origins = ((v, v.attributes.get("imported_from")) for v in found)
    taken = {(origin, v.content_digest) for v, origin in origins if isinstance(origin, str)}
    return taken | {(v.model_id, v.content_digest) for v in found}


def _left_behind(version: ModelVersion, lost: Lineage) -> str:
    """What a version could not bring along, for its note."""
    stage = version.stage.value
    moved = (
        f"; it starts in development ({stage} there)" if version.stage is not ModelStage.DEVELOPMENT else ""
    )
    return moved + "".join(f"; its {edge.kind} {edge.target} is not here" for edge in lost)


def _take(service: LocalService, name: str, version: ModelVersion, head: str) -> tuple[ModelVersion, Lineage]:
    """Register a version of elsewhere and give it the rest of its facts, in one commit.

    Also returns the links that were left behind, because the version that they lead to is not here. Three events are
    written: the registration as any other, ``version.imported`` with what no registration brings, and the registry's.
    """
    scans: dict[str, ScanReport] = {}
    model_id = service.clock.new_id()
    edges, lost = _led_here(service, version.lineage)
    links, missing = _led_here(service, version.links)

    def step() -> tuple[ModelVersion, Draft]:
        work = versions.Work(
            request=_request(service, name, version),
            model_id=model_id,
            name=name,
            asked="",
            edges=edges,
            scans=scans,
        )
        created, draft = versions.decide(service, work)
        if draft is None:
            raise Conflict(f"{name}:{version.version} came into being while it was imported; import it again")
        result = _complete(service, created, replace(version, links=links), draft)
        collection.imported(service, draft, name, "renumbered", 1, head)
        return result

    return service.decide(step), lost + missing


def _led_here(service: LocalService, edges: Lineage) -> tuple[Lineage, Lineage]:
    """Links with the versions that they lead to by their ids here, and those whose versions are not here."""
    found: list[LineageEdge] = []
    lost: list[LineageEdge] = []
    for edge in edges:
        target = _counterpart(service, edge.target) if is_version(edge.kind) else edge.target
        if target is None:
            lost.append(edge)
        else:
            found.append(replace(edge, target=target))
    return tuple(found), tuple(lost)


def _request(service: LocalService, name: str, version: ModelVersion) -> CreateVersion:
    """What is registered. How large a step its label is was judged where it was first registered."""
    key = domain_names.fold(name)
    free = service.store.get(LabelKey(key, versioning.label_key(version.version))) is None
    judged = IMPORTED if service.enforce_steps == "refuse" else ""
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
        override_reason=version.override_reason or judged,
    )


def _counterpart(service: LocalService, model_id: str) -> str | None:
    """The ``model_id`` here of the version that it names there: the same, or that of what was taken from it."""
    if service.store.get(VersionKey(model_id)) is not None:
        return model_id
    origin = Compare(Field("attributes", ("imported_from",)), "=", model_id)
    found = service.store.find(VersionQuery(where=origin, deleted=None, limit=1)).items
    return found[0].model_id if found else None


def _complete(
    service: LocalService, created: ModelVersion, version: ModelVersion, draft: Draft
) -> tuple[ModelVersion, Draft]:
    """The registration's draft with a second event: metrics, checks, card and the like, as they were recorded there.

    The card is taken as it is: fields that the policy there knows may be unknown to the policy here.
    """
    model = next(put.record for put in draft.records if isinstance(put.record, Model))
    facts: dict[str, Any] = {
        "metrics": version.metrics,
        "checks": version.checks,
        "card": version.card,
        "card_version": 1 if version.card else 0,
        "legal_hold": version.legal_hold,
        "links": version.links,
        "withdrawn": version.withdrawn,
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
    linked = {f"links.{spelled(edge)}": plain(edge.details) for edge in version.links}
    withdrawn = {"withdrawn": plain(version.withdrawn)} if version.withdrawn is not None else {}
    return {**measured, **checked, **card, **hold, **linked, **withdrawn}


def _origin(version: ModelVersion) -> dict[str, Any]:
    """Where an imported version comes from, for its event."""
    facts = ("model_id", "name", "number", "version", "stage", "created_at", "created_by", "digest")
    return {"imported": {fact: getattr(version, fact) for fact in facts}}
