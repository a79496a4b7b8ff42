"""Going back: to the last version that held the pointer and was not itself rolled back from, proven before the move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.domain import lifecycle, refs
from modelyard.domain.answers import Candidate, Rollback
from modelyard.domain.errors import Conflict, IntegrityError, NotAllowed, NotFound, Protected
from modelyard.domain.pointers import Board
from modelyard.domain.records import Model, ModelStage, ModelVersion
from modelyard.ports.metadata import NumberKey
from modelyard.ports.service import RollBack
from modelyard.service import promotion, resolve
from modelyard.service.draft import Draft, change, touched

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

PRODUCTION = f"stage:{ModelStage.PRODUCTION.value}"


def roll_back(service: LocalService, request: RollBack) -> Rollback:
    """Plan (``drill``) or make a rollback; bytes of the candidate are read and verified before anything is written."""
    return service.decide(lambda: _decide(service, request))


def _decide(service: LocalService, request: RollBack) -> tuple[Rollback, Draft | None]:
    model, pointer = _pointer(service, request.ref)
    incumbent = _incumbent(service, model, pointer, request)
    considered, candidate = _choose(service, model, pointer, incumbent, request)
    if candidate is None and not request.drill:
        raise NotAllowed(
            f"nothing to roll {pointer} of {model.name!r} back to",
            reasons=[f"{c.version.version} (#{c.version.number}): {r}" for c in considered for r in c.reasons]
            or [f"no other version has held {pointer.partition(':')[2]}"],
        )
    followers = _followers(model, pointer, incumbent)
    plan = Rollback(
        model=model.name,
        pointer=pointer,
        incumbent=incumbent,
        candidate=candidate,
        considered=considered,
        aliases=followers,
        load_check=request.load_check or (candidate.load_check if candidate else None),
    )
    if request.drill or candidate is None:
        return plan, None
    return _move(service, model, plan, candidate, request)


def _pointer(service: LocalService, ref: str) -> tuple[Model, str]:
    """What is to move: the alias that the ref names, else stage ``production`` of its model."""
    parsed = refs.parse(ref)
    if parsed.kind == "latest":
        return resolve.model_named(service, parsed.model), PRODUCTION
    if parsed.kind == "pointer" and not parsed.back and parsed.at is None:
        model = resolve.model_named(service, parsed.model)
        return model, resolve.pointer_key(model, parsed.value)
    return resolve.model_named(service, resolve.version(service, ref).name), PRODUCTION


def _incumbent(service: LocalService, model: Model, pointer: str, request: RollBack) -> ModelVersion:
    number = resolve.holder(model, pointer)
    held = service.store.get(NumberKey(model.key, number)) if number is not None else None
    if held is None:
        raise NotAllowed(
            f"{pointer} of {model.name!r} names nothing, so there is nothing to roll back from; "
            "promote a version instead"
        )
    if request.expected is not None and held.model_id != request.expected:
        raise Conflict(
            f"{pointer} of {model.name!r} moved to {held.version} (#{held.number}) while the rollback was prepared; "
            "nothing was changed",
            data={"holder": held.number},
        )
    return held


def _choose(
    service: LocalService,
    model: Model,
    pointer: str,
    incumbent: ModelVersion,
    request: RollBack,
) -> tuple[tuple[Candidate, ...], ModelVersion | None]:
    """Candidates until the first sound one. A wanted target is the only candidate."""
    numbers = resolve.past_holders(service, model, pointer)
    if request.target is not None:
        wanted = resolve.version(service, resolve.within(model, request.target))
        resolve.require_same_model(wanted, model)
        versions = [wanted]
    else:
        found = (service.store.get(NumberKey(model.key, n)) for n in numbers)
        versions = [v for v in found if v is not None and v.number != incumbent.number]
    considered: list[Candidate] = []
    for version in versions:
        reasons = _unfit(service, version, incumbent, pointer, request)
        if version.number not in numbers:
            reasons = (f"it has never held {pointer.partition(':')[2]}; promote it instead",)
        considered.append(Candidate(version=version, ok=not reasons, reasons=reasons))
        if not reasons:
            return tuple(considered), version
    return tuple(considered), None


def _unfit(
    service: LocalService,
    version: ModelVersion,
    incumbent: ModelVersion,
    pointer: str,
    request: RollBack,
) -> tuple[str, ...]:
    """Why a version cannot be gone back to; cheap questions first, the bytes last."""
    if version.number == incumbent.number:
        return ("it is what the pointer names now",)
    if version.deleted:
        return ("it was deleted",)
    if version.rolled_back_at is not None and request.target is None:
        return (f"it was itself rolled back from at {version.rolled_back_at:%Y-%m-%d %H:%M}",)
    if version.scan in promotion.WORST:
        return (f"its scan says {version.scan}",)
    if pointer.startswith("stage:") and pointer != PRODUCTION and version.stage is ModelStage.PRODUCTION:
        return ("it is in production, and would leave it",)
    if version.model_id in request.skip:
        return (request.skip[version.model_id],)
    if version.signature and incumbent.signature and version.signature != incumbent.signature:
        return ("its signature differs from the one consumers use now",)
    return damage(service, version)


def damage(service: LocalService, version: ModelVersion) -> tuple[str, ...]:
    """What is wrong with a version's bytes, every file read or known to be unchanged since it was.

    A disk that refuses for a moment says nothing about the bytes: its ``StorageError`` goes to the caller.
    """
    found: list[str] = []
    for entry in version.files:
        try:
            service.blobs.verify(entry.digest)
        except (IntegrityError, NotFound) as error:
            found.append(f"{entry.path}: {error.detail}")
    return tuple(found)


def _followers(model: Model, pointer: str, incumbent: ModelVersion) -> tuple[str, ...]:
    """Aliases that move along: those on the incumbent, when the stage moves."""
    if pointer != PRODUCTION:
        return ()
    return tuple(sorted(a.name for a in model.aliases.values() if a.number == incumbent.number))


def _check_protection(model: Model, plan: Rollback, reason: str) -> None:
    """A rollback may move protected aliases, being verified and recorded, but not without saying why."""
    moving = {*plan.aliases, plan.pointer.partition(":")[2]}
    protected = [a.name for a in model.aliases.values() if a.protected and a.name in moving]
    if protected and not reason.strip():
        raise Protected(
            f"rolling {plan.pointer} of {model.name!r} back moves the protected alias "
            f"{', '.join(map(repr, protected))}; give a reason",
            reasons=[f"alias {name!r} is protected" for name in protected],
        )


def _move(
    service: LocalService,
    model: Model,
    plan: Rollback,
    candidate: ModelVersion,
    request: RollBack,
) -> tuple[Rollback, Draft]:
    _check_protection(model, plan, request.reason)
    board = Board(model=model, at=service.clock.now(), actor=service.actor)
    kind, _, name = plan.pointer.partition(":")
    if kind == "stage":
        _swap_stage(board, plan.incumbent, candidate, ModelStage(name))
        for alias in plan.aliases:
            board.alias(alias, candidate, plan.incumbent)
    else:
        board.facts(plan.incumbent, rolled_back_at=board.at)
        board.alias(name, candidate, plan.incumbent)
    checked = promotion.with_load_check(board.now(candidate), request.load_check)
    board.changed[candidate.number] = checked
    promotion.renew_latest(service, board, candidate)
    if request.load_check is not None:
        board.after["load_check"] = dict(request.load_check)
    _, written, draft = change(
        service,
        board.model,
        board.versions(),
        action="pointer.rolled_back",
        subject=touched(candidate),
        before=board.before,
        after=board.after,
        reason=request.reason,
    )
    by_number = {v.number: v for v in written}
    done = Rollback(
        model=plan.model,
        pointer=plan.pointer,
        incumbent=by_number[plan.incumbent.number],
        candidate=by_number[candidate.number],
        considered=plan.considered,
        aliases=plan.aliases,
        load_check=plan.load_check,
        moved=True,
    )
    return done, draft


def _swap_stage(board: Board, incumbent: ModelVersion, candidate: ModelVersion, stage: ModelStage) -> None:
    """Both moves of a rollback; the incumbent goes to ``deprecated`` with its successor named."""
    if stage is ModelStage.PRODUCTION and candidate.stage is not stage:
        lifecycle.check(
            board.model.policy.table,
            candidate.stage,
            stage,
            gated=board.model.policy.gated,
            by_rollback=True,
            pointed_at=(),
            force=False,
            reason="",
            subject=f"{candidate.name}:{candidate.version}",
        )
    retreat = ModelStage.DEPRECATED if stage is ModelStage.PRODUCTION else ModelStage.DEVELOPMENT
    board.stage(incumbent, retreat, successor=candidate.model_id, rolled_back_at=board.at)
    board.stage(candidate, stage, successor=None)
