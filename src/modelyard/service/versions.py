"""Registering a version: everything is checked, judged and chained before one commit makes it visible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelyard.domain import (
    card,
    code_state,
    leftovers,
    manifest,
    metrics,
    names,
    policy,
    signature_given,
    versioning,
)
from modelyard.domain.canonical import canonical, fingerprint, plain
from modelyard.domain.errors import AlreadyExists, InvalidInput, NotAllowed
from modelyard.domain.lineage import implied, joined, parent_of, spelled
from modelyard.domain.pointers import Board
from modelyard.domain.records import (
    Actor,
    LineageEdge,
    Model,
    ModelStage,
    ModelVersion,
    Receipt,
    ScanReport,
)
from modelyard.domain.request_types import (
    check_json,
    check_mapping,
    check_tag_values,
    check_text_fact,
    given_tags,
)
from modelyard.ports.metadata import (
    LabelKey,
    ModelKey,
    ReceiptKey,
    SlugKey,
    VersionKey,
)
from modelyard.ports.service import CreateVersion
from modelyard.service import blobs, lineage, promotion, quota, resolve, steps
from modelyard.service.draft import Draft, change, touched
from modelyard.service.housing import house
from modelyard.service.reasons import LIMIT as REASON_LIMIT

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

DESCRIPTION_LIMIT = 100_000
"""Characters."""
FACTS = ("hyperparams", "environment", "data_lineage")
"""Facts of a request that are any JSON and go into the manifest."""
READY = ("framework", "flavor", "signature")
"""More facts of a request that go into the manifest as they are."""
FIXED = ("content_digest", "hyperparams", "signature", "data_lineage", "parent", "framework", "algorithm")
"""What a repeated registration is compared by, in the order in which a difference is named."""


@dataclass(slots=True)
class Work:
    """What stays the same over the tries of one registration."""

    request: CreateVersion
    model_id: str
    name: str
    asked: str
    receipt: str = ""
    edges: tuple[LineageEdge, ...] = ()
    scans: dict[str, ScanReport] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    """Bytes that a look before the decision found, for its first try."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the request alone says of the version; made by the decision where it was not made before."""
    ready: Mapping[str, bytes] = field(default_factory=dict)
    """Facts of the manifest in their canonical form."""
    after: Model | None = None
    """The model as the last decision leaves it, if the new version has the highest label in it."""


def create(service: LocalService, request: CreateVersion) -> ModelVersion:
    """Register a version, or return the equal one that the label or the idempotency key already names."""
    work = begin(service, request)
    work.edges = origins(service, work)
    if service.crowded:
        work.seen = blobs.foresee(service, work.request.files, work.scans)
    version = service.decide(lambda: decide(service, work))
    if work.after is not None:
        service.recent.note(work.after, work.request.signature)
    house(service, version)
    return version


def begin(service: LocalService, request: CreateVersion) -> Work:
    """A registration that is well formed; nothing stored was looked at yet.

    Raises:
        InvalidInput: Something given is wrong by itself.
    """
    _check_types(request)
    own = {fact: _plain(getattr(request, fact), fact) for fact in FACTS}
    request = replace(request, signature=_signature(request), **own)
    name = _check(request)
    ready = {fact: check_json(getattr(request, fact), fact) for fact in FACTS}
    return Work(
        request=request,
        name=name,
        facts=_facts(request),
        ready=ready | {fact: canonical(getattr(request, fact)) for fact in READY},
        model_id=service.clock.new_id(),
        asked=_asked(request) if request.idempotency_key else "",
        receipt=_receipt_key(service.actor, request),
    )


def _receipt_key(actor: Actor, request: CreateVersion) -> str:
    """Nobody's key is another's: a service may be called like a user, and a name may hold what stands between."""
    return f"{leftovers.IDEMPOTENCY}{actor.kind}:{len(actor.name)}:{actor.name}:{request.idempotency_key}"


def origins(service: LocalService, work: Work) -> tuple[LineageEdge, ...]:
    """What the version is said to come from, as stored.

    Raises:
        NotFound: It is not there.
    """
    request = work.request
    parent = resolve.version(service, request.parent) if request.parent else None
    return lineage.resolved(service, request.lineage, parent)


def _signature(request: CreateVersion) -> dict[str, Any] | None:
    """The signature in its one form, whichever it was given in."""
    if request.signature is None:
        return None
    found: dict[str, Any] = _plain(signature_given.parse(request.signature).to_mapping(), "signature")
    return found


def _check(request: CreateVersion) -> str:
    """What can be wrong by itself but for types and ``FACTS``; returns the model's name in its one spelling."""
    name = names.check_model_name(request.name)
    if request.version is not None:
        names.check_label(request.version)
        if request.bump:
            raise InvalidInput("give either a version label or bump=, not both")
    if request.bump not in (None, "major", "minor", "patch"):
        raise InvalidInput(f"bump must be 'major', 'minor' or 'patch', not {request.bump!r}")
    if request.alias is not None:
        names.check_alias(request.alias)
    for entry in request.files:
        names.check_path(entry.path)
    names.check_paths(entry.path for entry in request.files)
    check_tags(request.tags)
    for key in (*request.attributes, *request.hyperparams, *request.data_lineage):
        names.check_key(key)
    check_json(request.attributes, "attributes")
    names.check_text(request.description, DESCRIPTION_LIMIT, "description")
    names.check_text(request.override_reason, REASON_LIMIT, "override_reason")
    return name


def _check_types(request: CreateVersion) -> None:
    """A fact of the wrong type would be stored, and no import could read it again."""
    for what in ("hyperparams", "attributes", "data_lineage", "environment", "card"):
        check_mapping(what, getattr(request, what))
    for what in ("description", "framework", "algorithm", "override_reason"):
        check_text_fact(what, getattr(request, what))


def check_tags(tags: Mapping[str, Any]) -> None:
    """Tags are short texts under keys; ``None`` removes one, or is none."""
    check_tag_values(tags, removing=True)
    for key, value in tags.items():
        names.check_key(key)
        names.check_text(value or "", 5_000, f"tag {key!r}")


def _plain(value: Any, what: str) -> Any:
    """A copy as plain JSON, which no caller can change any more while it is hashed and stored."""
    try:
        return plain(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} may hold JSON values only: {error}") from error


def _asked(request: CreateVersion) -> str:
    """Fingerprint of the facts of a request.

    Bytes count, except those made here from a live object (its proof of origin tells): an object need not serialise
    to the same bytes twice.
    """
    body = plain(replace(request, idempotency_key=None, environment={}, flavor=None))
    if request.flavor is not None and request.flavor.options.get("origin"):
        body["files"] = [entry.path for entry in request.files]
    return fingerprint(body)


def decide(service: LocalService, work: Work) -> tuple[ModelVersion, Draft | None]:
    request, work.after = work.request, None
    receipt = _receipt(service, work)
    if receipt.revision and (known := _answered(service, receipt, work)):
        return known, None
    model = _model(service, work.name)
    given = request.version is not None and not _is_above(model, request.version)
    if given and (known := _existing(service, model, work)):
        return known, None
    _check_code(model, request)
    label, warnings = steps.decide(service, model, request)
    now = service.clock.now()
    claimed = blobs.claim(service, request.files, work.scans, work.seen)
    work.seen = frozenset()
    quota.require(service, model, request.files, claimed.added)
    version = _version(service, model, work, label, now, claimed.scans, warnings)
    counted = replace(model, last_number=version.number, highest=_highest(model, version))
    board = Board(model=counted, at=now, actor=service.actor)
    board.changed[version.number] = version
    _place(service, board, version, request)
    moved, draft = _commit(service, board, version, request)
    work.after = moved if moved.highest == version.version else None
    blobs.write(draft, claimed.rows)
    created = _written(draft, version)
    if request.idempotency_key:
        draft.put(
            replace(
                receipt,
                request=work.asked,
                result={"model_id": created.model_id},
                at=now,
                revision=receipt.revision + 1,
            )
        )
    return created, draft


def _receipt(service: LocalService, work: Work) -> Receipt:
    """What is remembered of the idempotency key, or an empty receipt (revision 0)."""
    found = service.store.get(ReceiptKey(work.receipt)) if work.request.idempotency_key else None
    return found or Receipt(key=work.receipt, request="", result={}, at=service.clock.now())


def _answered(service: LocalService, receipt: Receipt, work: Work) -> ModelVersion | None:
    if leftovers.is_past(receipt, service.clock.now()):
        return None
    if receipt.request != work.asked:
        raise InvalidInput(
            f"the idempotency key {work.request.idempotency_key!r} was used for another registration; "
            "use a new key for a new request"
        )
    known = resolve.version(service, receipt.result["model_id"], deleted=True)
    _check_not_deleted(known)
    return known


def _model(service: LocalService, name: str) -> Model:
    """The model as stored, or a new one that is not stored yet (revision 0)."""
    key = names.fold(name)
    model = service.store.get(ModelKey(key))
    if model is not None:
        return _same_spelling(model, name)
    return Model(
        name=name,
        key=key,
        slug=names.make_slug(name, lambda slug: service.store.get(SlugKey(slug)) is not None),
        created_at=service.clock.now(),
        created_by=service.actor.name,
        policy=policy.DEFAULT,
    )


def _same_spelling(model: Model, name: str) -> Model:
    if model.name != name:
        raise AlreadyExists(
            f"the name {name!r} differs from the existing model {model.name!r} only in case or in equivalent "
            f"characters; use {model.name!r}, or a clearly different name"
        )
    return model


def _existing(service: LocalService, model: Model, work: Work) -> ModelVersion | None:
    """The version under the wanted label if it is the same one; an error if it is another."""
    label = work.request.version or ""
    found = service.store.get(LabelKey(model.key, versioning.label_key(label)))
    if found is None:
        return None
    _check_not_deleted(found)
    _check_placed(model, found, work.request)
    wanted = {
        "content_digest": manifest.content_digest(work.request.files),
        "hyperparams": _hyperparams(work.request),
        "signature": work.request.signature,
        "data_lineage": work.request.data_lineage,
        "parent": parent_of(work.edges),
        "framework": work.request.framework,
        "algorithm": work.request.algorithm,
    }
    for fact in FIXED:
        if wanted[fact] and plain(wanted[fact]) != plain(getattr(found, fact)):
            raise AlreadyExists(
                f"{model.name}:{found.version} exists with another {fact.replace('_', ' ')}; versions never "
                "change: register under a new label, or leave the label out to get the next one",
                data={"model_id": found.model_id, "difference": fact},
            )
    _check_lineage(found, work.edges)
    return found


def _check_lineage(found: ModelVersion, given: tuple[LineageEdge, ...]) -> None:
    """What a repeated registration says of its origin must have been said the first time."""
    for edge in given:
        if plain(edge) not in plain(found.lineage):
            raise AlreadyExists(
                f"{found.name}:{found.version} exists without the lineage {spelled(edge)}; versions never change: "
                f"use link({f'{found.name}:{found.version}'!r}, {edge.kind!r}, {edge.target!r}), or a new label",
                data={"model_id": found.model_id, "difference": "lineage"},
            )


def _check_code(model: Model, request: CreateVersion) -> None:
    """A policy may want every version to be traced to a commit."""
    if model.policy.clean_git and (doubt := code_state.doubt(request.environment)):
        raise NotAllowed(
            f"{model.name!r} takes only versions made from committed code (its policy has clean_git), but {doubt}; "
            "commit, and register from that work tree",
            data={"check": "clean_git"},
        )


def _check_not_deleted(found: ModelVersion) -> None:
    """A deleted version keeps its label for ever, and is not an answer."""
    if not found.deleted:
        return
    spelled = f"{found.name}:{found.version}"
    way = f"`undelete {spelled}`, or " if found.collected_at is None else ""
    raise AlreadyExists(f"{spelled} was deleted, and its label stays reserved; {way}use another label")


def _check_placed(model: Model, found: ModelVersion, request: CreateVersion) -> None:
    """A repeated registration moves no pointer: what it asks for must have been done the first time."""
    spelled = f"{found.name}:{found.version}"
    if request.alias is not None and request.alias not in found.aliases:
        raise AlreadyExists(
            f"{spelled} exists, and alias {request.alias!r} does not name it; a repeated registration moves nothing: "
            f"use set_alias({model.name!r}, {request.alias!r}, {spelled!r})"
        )
    if request.stage is not ModelStage.DEVELOPMENT and found.stage is ModelStage.DEVELOPMENT:
        raise AlreadyExists(
            f"{spelled} exists and stands in development; a repeated registration moves nothing: "
            f"use promote_model({spelled!r}, {request.stage.value!r})"
        )


def _hyperparams(request: CreateVersion) -> dict[str, Any]:
    return dict(plain(request.hyperparams))


def _version(
    service: LocalService,
    model: Model,
    work: Work,
    label: str,
    now: datetime,
    scans: Mapping[str, ScanReport],
    warnings: tuple[str, ...],
) -> ModelVersion:
    request = work.request
    facts = work.facts or _facts(request)
    edges = joined(work.edges, implied(facts["data_lineage"], request.environment))
    version = ModelVersion(
        **facts,
        model_id=work.model_id,
        name=model.name,
        number=model.last_number + 1,
        version=label,
        created_at=now,
        created_by=service.actor.name,
        lineage=edges,
        parent=parent_of(edges),
        warnings=(*warnings, *lineage.withdrawn_among(service, edges)),
        metrics=metrics.parse_metrics(request.metrics, at=now, by=service.actor.name),
        card=card.merge({}, request.card, known=model.policy.card_fields),
        card_version=1 if request.card else 0,
        scans=scans,
        staged_at=now,
    )
    return replace(version, digest=manifest.build(version, work.ready).digest)


def _facts(request: CreateVersion) -> dict[str, Any]:
    """What a request alone says of its version, in the form in which it is kept."""
    return {
        "files": tuple(sorted(request.files, key=lambda f: f.path)),
        "flavor": request.flavor,
        "framework": request.framework,
        "algorithm": request.algorithm,
        "hyperparams": _hyperparams(request),
        "signature": plain(request.signature),
        "environment": plain(request.environment),
        "data_lineage": plain(request.data_lineage),
        "override_reason": request.override_reason,
        "content_digest": manifest.content_digest(request.files),
        "description": request.description,
        "tags": given_tags(request.tags),
        "attributes": plain(request.attributes),
    }


def _is_above(model: Model, label: str) -> bool:
    """Whether a label is above all that were ever given, so that nobody needs to look whether it was."""
    return bool(model.highest) and versioning.rank(label, 0) > versioning.rank(model.highest, 0)


def _highest(model: Model, version: ModelVersion) -> str:
    """The higher of two labels; the older of equals."""
    present = versioning.rank(model.highest, 0) if model.highest else ""
    return version.version if versioning.rank(version.version, 0) > present else model.highest


def _place(service: LocalService, board: Board, version: ModelVersion, request: CreateVersion) -> None:
    """Stage, alias and ``latest`` of the newcomer."""
    number = version.number
    board.after[touched(version)] = {
        "model_id": version.model_id,
        "version": version.version,
        "digest": version.digest,
    }
    board.after[f"version:{number}.stage"] = version.stage
    board.after |= {f"version:{number}.{path}": value for path, value in _given(version)}
    if request.stage is not ModelStage.DEVELOPMENT:
        promotion.enter(service, board, version, request.stage)
    if request.alias is not None:
        present = board.model.aliases.get(request.alias)
        promotion.forbid_unsafe(version, f"alias {request.alias!r}")
        promotion.forbid_withdrawn(service, version, f"alias {request.alias!r}")
        if present is not None:
            promotion.require_unprotected(board.model, present, force=False, reason="")
        holder = service.store.get(VersionKey(present.model_id)) if present else None
        board.alias(request.alias, version, holder)
    rank = versioning.rank(version.version, number)
    if request.stage is not ModelStage.ARCHIVED and rank > board.model.latest_rank:
        board.latest(version, rank)


def _given(version: ModelVersion) -> Iterator[tuple[str, Any]]:
    """Facts that may change later, under the paths by which events name them, so that the chain covers their start."""
    yield from ((f"metrics.{metrics.qualified(m)}", m.value) for m in version.metrics)
    for fact in ("tags", "attributes"):
        yield from ((f"{fact}.{key}", value) for key, value in getattr(version, fact).items())
    yield from ((fact, getattr(version, fact)) for fact in ("description", "card") if getattr(version, fact))


def _commit(
    service: LocalService, board: Board, version: ModelVersion, request: CreateVersion
) -> tuple[Model, Draft]:
    moved, _, draft = change(
        service,
        board.model,
        board.versions(),
        action="version.registered",
        subject=touched(version),
        before=board.before,
        after=board.after,
        reason=request.override_reason,
    )
    return moved, draft


def _written(draft: Draft, version: ModelVersion) -> ModelVersion:
    """The newcomer as the draft writes it."""
    return next(
        put.record
        for put in draft.records
        if isinstance(put.record, ModelVersion) and put.record.number == version.number
    )
