"""Going back: to the last version that held the pointer and was not itself rolled back from, proven before the move."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from modelyard.domain import environment, lifecycle, refs, signature_verdict
from modelyard.domain.answers import Candidate, Rollback
from modelyard.domain.errors import Conflict, NotAllowed, Protected
from modelyard.domain.pointers import ROLLED_BACK, Board, left_by_rollback
from modelyard.domain.records import Model, ModelStage, ModelVersion, Move
from modelyard.ports.metadata import NumberKey
from modelyard.ports.service import RollBack
from modelyard.service import promotion, resolve
from modelyard.service.draft import Draft, change, touched

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

PRODUCTION = f"stage:{ModelStage.PRODUCTION.value}"
KEPT = ("file", "directory")
"""Flavors that give files as they are, in any environment."""


def roll_back(service: LocalService, request: RollBack) -> Rollback:
    """Plan (``drill``) or make a rollback; bytes of the candidate are read and verified before anything is written."""
    return service.decide(lambda: _decide(service, request))


def _decide(service: LocalService, request: RollBack) -> tuple[Rollback, Draft | None]:
    model, pointer = _pointer(service, request.ref)
    incumbent = _incumbent(service, model, pointer, request)
    considered, candidate = _choose(service, model, pointer, incumbent, request)
    offer = _offer(considered)
    plan = Rollback(
        model=model.name,
        pointer=pointer,
        incumbent=incumbent,
        candidate=candidate,
        considered=considered,
        offer=offer,
        aliases=_followers(model, pointer, incumbent),
        load_check=request.load_check or (candidate.load_check if candidate else None),
        environment=environment.changes(incumbent.environment, candidate.environment) if candidate else (),
    )
    if request.drill:
        return plan, None
    if candidate is None:
        raise plan.refusal()
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
    """Candidates until the first right one; if that is not sound, on to the next sound one, which is only offered."""
    moves = resolve.moves_of(service, model, pointer)
    left = left_by_rollback(reversed(moves)) if request.target is None else {}
    considered: list[Candidate] = []
    for version in _versions(service, model, incumbent, moves, request):
        passed_over = _passed_over(model, pointer, version, incumbent, moves, left)
        reasons = passed_over or _unsound(service, version, incumbent, request)
        considered.append(
            Candidate(
                version=version, ok=not reasons, reasons=reasons, unsound=bool(reasons and not passed_over)
            )
        )
        if not reasons:
            break
    found = considered[-1].version if considered and considered[-1].ok else None
    return tuple(considered), None if any(c.unsound for c in considered) else found


def _offer(considered: tuple[Candidate, ...]) -> ModelVersion | None:
    """The sound version behind an unsound one."""
    if any(c.unsound for c in considered) and considered[-1].ok:
        return considered[-1].version
    return None


def _versions(
    service: LocalService, model: Model, incumbent: ModelVersion, moves: list[Move], request: RollBack
) -> list[ModelVersion]:
    """What to look at, newest holder first. A wanted target is the only one."""
    if request.target is not None:
        wanted = resolve.version(service, resolve.within(model, request.target))
        resolve.require_same_model(wanted, model)
        return [wanted]
    numbers = dict.fromkeys(m.number for m in moves if m.number not in (None, incumbent.number))
    found = (service.store.get(NumberKey(model.key, number)) for number in numbers if number is not None)
    return [version for version in found if version is not None]


def _passed_over(
    model: Model,
    pointer: str,
    version: ModelVersion,
    incumbent: ModelVersion,
    moves: list[Move],
    left: dict[int, datetime],
) -> tuple[str, ...]:
    """Why a version is not the one to go back to, however sound it is."""
    kind, _, name = pointer.partition(":")
    if version.number == incumbent.number:
        return ("it is what the pointer names now",)
    if version.number not in {move.number for move in moves}:
        return (f"it has never held {name}; promote it instead",)
    if version.deleted:
        return ("it was deleted",)
    if version.number in left:
        return (f"it was itself rolled back from at {left[version.number]:%Y-%m-%d %H:%M}",)
    if kind == "stage" and pointer != PRODUCTION and version.stage is ModelStage.PRODUCTION:
        return ("it is in production, and would leave it",)
    if pointer == PRODUCTION and version.stage is not ModelStage.PRODUCTION:
        back = lifecycle.legal(model.policy.table, version.stage, gated=model.policy.gated, by_rollback=True)
        if ModelStage.PRODUCTION not in back:
            return (
                f"lifecycle {model.policy.table.name!r} has no way from {version.stage} back to production",
            )
    return ()


def _unsound(
    service: LocalService, version: ModelVersion, incumbent: ModelVersion, request: RollBack
) -> tuple[str, ...]:
    """Why a version that is the one must not go live; cheap questions first, the bytes last."""
    if version.scan in promotion.WORST:
        return (f"its scan says {version.scan}",)
    if withdrawn := promotion.unusable(service, version):
        return withdrawn
    if version.model_id in request.skip:
        return (request.skip[version.model_id],)
    change = signature_verdict.recorded(incumbent.signature, version.signature)
    if change is not None and change.breaking:
        return (f"its signature breaks what consumers use now: {'; '.join(change.breaking)}",)
    if version.flavor and version.flavor.name not in KEPT and not environment.is_known(version.environment):
        return ("what it was made with is not recorded",)
    return promotion.damage(service, version)


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
        action=ROLLED_BACK,
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
        environment=plan.environment,
        moved=True,
    )
    return done, draft


def _swap_stage(board: Board, incumbent: ModelVersion, candidate: ModelVersion, stage: ModelStage) -> None:
    """Both moves of a rollback; the incumbent goes to ``deprecated`` with its successor named."""
    retreat = ModelStage.DEPRECATED if stage is ModelStage.PRODUCTION else ModelStage.DEVELOPMENT
    board.stage(incumbent, retreat, successor=candidate.model_id, rolled_back_at=board.at)
    board.stage(candidate, stage, **promotion.cleared(candidate))
