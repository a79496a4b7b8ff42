"""Questions: nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.domain import names, query, refs
from modelyard.domain.answers import ModelStatus, Stats
from modelyard.domain.errors import AliasNotFound, InvalidInput, ModelyardError
from modelyard.domain.lineage import parent_of
from modelyard.domain.pointers import TRACKED
from modelyard.domain.records import Event, Model, ModelStage, ModelVersion
from modelyard.ports.metadata import (
    EventQuery,
    ModelQuery,
    NumberKey,
    Page,
    TallyQuery,
    VersionKey,
    VersionQuery,
)
from modelyard.ports.service import AsOf, History, RollBack, Search
from modelyard.service import promotion, resolve, rollback

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

STATUS_TRIES = 5
"""A model that moves faster than this is answered for one of its moments all the same."""

LONGEST_LINE = 10_000
"""Ancestors that a lineage follows; more than this is a cycle written by another program."""


def get_version(service: LocalService, ref: str) -> ModelVersion:
    return resolve.version(service, ref)


def get_model(service: LocalService, name: str) -> Model:
    return resolve.model_named(service, name)


def search(service: LocalService, request: Search) -> Page[ModelVersion]:
    """One page of versions by the query language, newest first unless it orders otherwise."""
    parsed = query.parse(request.text, now=service.clock.now())
    return service.store.find(
        VersionQuery(
            where=parsed.where,
            order=parsed.order,
            model_key=names.fold(request.model) if request.model else None,
            deleted=request.deleted,
            limit=query.check_limit(request.limit),
            after=request.after,
        )
    )


def list_models(service: LocalService, contains: str, limit: int, after: str | None) -> Page[Model]:
    return service.store.find(ModelQuery(contains=contains, limit=query.check_limit(limit), after=after))


def lineage(service: LocalService, ref: str) -> tuple[ModelVersion, ...]:
    """Ancestors by ``parent``, the first one first, the version itself last; deleted ancestors stay visible."""
    line = [resolve.version(service, ref)]
    while (parent := parent_of(line[-1].edges)) is not None and len(line) < LONGEST_LINE:
        found = service.store.get(VersionKey(parent))
        if found is None or found in line:
            break
        line.append(found)
    return tuple(reversed(line))


def history(service: LocalService, request: History) -> Page[Event]:
    """Events of the registry, a model, or one version."""
    model_key, subject = "", ""
    if request.ref:
        parsed = refs.parse(request.ref)
        if parsed.kind == "latest":
            model_key = resolve.model_named(service, parsed.model).key
        else:
            version = resolve.version(service, request.ref, deleted=True)
            model_key, subject = names.fold(version.name), f"version:{version.number}"
    return service.store.find(
        EventQuery(
            model_key=model_key,
            subject=subject,
            newest_first=request.newest_first,
            limit=query.check_limit(request.limit),
            after=request.after,
        )
    )


def as_of(service: LocalService, request: AsOf) -> ModelVersion | None:
    """What a pointer named at an instant, from the events; the version may have been deleted since."""
    model = resolve.model_named(service, request.model)
    pointer = resolve.pointer_key(model, request.pointer)
    kind, _, name = pointer.partition(":")
    if not resolve.is_tracked(pointer):
        tracked = ", ".join(stage.value for stage in TRACKED)
        raise InvalidInput(
            f"{name} is not a pointer: any number of versions stand in it. Ask for one of {tracked}, or an alias"
        )
    number = resolve.number_at(service, model, pointer, request.at)
    if number is None and kind == "alias":
        _check_known(service, model, name)
    return service.store.get(NumberKey(model.key, number)) if number is not None else None


def _check_known(service: LocalService, model: Model, alias: str) -> None:
    """An alias that never was is a slip, not an answer."""
    if alias == "latest":
        raise InvalidInput("latest is computed, not moved, so it has no history; ask for a stage or an alias")
    if not resolve.moves_of(service, model, f"alias:{alias}"):
        known = ", ".join(sorted(model.aliases)) or "none"
        raise AliasNotFound(
            f"model {model.name!r} never had an alias {names.plain(alias)!r}; it has: {known}"
        )


def status(service: LocalService, name: str) -> ModelStatus:
    """The five answers, and what one asks next; asked again when the model moved while they were gathered."""
    for _ in range(STATUS_TRIES):
        model = resolve.model_named(service, name)
        answer = _status(service, model)
        if resolve.model_named(service, name).revision == model.revision:
            break
    return answer


def _status(service: LocalService, model: Model) -> ModelStatus:
    production = ModelStage.PRODUCTION.value
    number = resolve.holder(model, f"stage:{production}")
    live = service.store.get(NumberKey(model.key, number)) if number is not None else None
    decision = _decision(service, model, live)
    damage = promotion.damage(service, live) if live else ()
    undo, note = _undo(service, model, live)
    stages = _stages(service, model)
    return ModelStatus(
        name=model.name,
        live=live,
        since=decision.at if decision else None,
        by=decision.actor if decision else "",
        reason=decision.reason if decision else "",
        intact=None if live is None or not live.files else not damage,
        damage=damage,
        undo=undo,
        undo_note=note,
        aliases=_aliases(service, model),
        latest=service.store.get(VersionKey(model.latest)) if model.latest else None,
        stages={stage: count for stage, (count, _) in stages.items()},
        versions=sum(count for count, _ in stages.values()),
        size=sum(size for _, size in stages.values()),
        recent=service.store.find(EventQuery(model_key=model.key, newest_first=True, limit=5)).items,
    )


def _decision(service: LocalService, model: Model, live: ModelVersion | None) -> Event | None:
    """The event that brought the live version to where it is."""
    if live is None:
        return None
    pointer = f"stage:{ModelStage.PRODUCTION.value}"
    after: str | None = None
    while True:
        page = service.store.find(
            EventQuery(
                model_key=model.key,
                subject=f"version:{live.number}",
                newest_first=True,
                limit=50,
                after=after,
            )
        )
        for event in page.items:
            if event.after.get(pointer, [None])[-1:] == [live.number]:
                return event
        if (after := page.next) is None:
            return None


def _undo(service: LocalService, model: Model, live: ModelVersion | None) -> tuple[ModelVersion | None, str]:
    """What a rollback would bring back, or why there is nothing."""
    if live is None:
        return None, "nothing is live"
    try:
        plan = rollback.roll_back(service, RollBack(ref=model.name, drill=True))
    except ModelyardError as error:
        return None, error.detail
    if plan.candidate is not None:
        return plan.candidate, ""
    if plan.offer is not None:
        return None, plan.refusal().detail
    reasons = [f"{c.version.version}: {'; '.join(c.reasons)}" for c in plan.considered]
    return None, " | ".join(reasons) or "no other version has been live"


def _stages(service: LocalService, model: Model) -> dict[str, tuple[int, int]]:
    tally = service.store.find(TallyQuery(by="stage", model_key=model.key))
    return {t.value: (t.count, t.size) for t in tally.items}


def _aliases(service: LocalService, model: Model) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for alias in model.aliases.values():
        version = service.store.get(VersionKey(alias.model_id))
        found[alias.name] = {
            "version": version.version if version else "?",
            "number": alias.number,
            "model_id": alias.model_id,
            "protected": alias.protected,
            "at": alias.at,
            "by": alias.by,
        }
    return found


def stats(service: LocalService) -> Stats:
    """Totals over the registry."""
    stages = service.store.find(TallyQuery(by="stage")).items
    frameworks = service.store.find(TallyQuery(by="framework")).items
    blobs, stored = _stored(service)
    return Stats(
        total_models=_count_models(service),
        total_versions=sum(t.count for t in stages),
        stages={t.value: t.count for t in stages},
        frameworks={t.value or "unknown": t.count for t in frameworks},
        blobs=blobs,
        stored_bytes=stored,
        logical_bytes=sum(t.size for t in stages),
    )


def _count_models(service: LocalService) -> int:
    return sum(t.count for t in service.store.find(TallyQuery(by="model")).items)


def _stored(service: LocalService) -> tuple[int, int]:
    tally = service.store.find(TallyQuery(by="blob")).items
    return sum(t.count for t in tally), sum(t.size for t in tally)
