"""The one way from stage to stage: lifecycle table, gates, holders, in one decision over one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelyard.domain import gates, lifecycle, versioning
from modelyard.domain.answers import Promotion
from modelyard.domain.errors import IntegrityError, NotAllowed, NotFound, Protected
from modelyard.domain.gates import PromotionCase, Verdict
from modelyard.domain.pointers import TRACKED, Board, reaches
from modelyard.domain.query import Compare, Field, Not
from modelyard.domain.records import Alias, Model, ModelStage, ModelVersion
from modelyard.ports.metadata import NumberKey, VersionQuery
from modelyard.ports.service import UNSET, Promote
from modelyard.service import lineage, resolve
from modelyard.service.draft import Draft, change, touched

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

WORST = ("unsafe", "error")
"""Scan verdicts that keep a version in ``development`` and away from aliases."""


def promote(service: LocalService, request: Promote) -> Promotion:
    """Judge a move and make it, or say in a dry run what would happen."""
    return service.decide(lambda: _decide(service, request))


def _decide(service: LocalService, request: Promote) -> tuple[Promotion, Draft | None]:
    found = resolve.version(service, request.ref)
    model = resolve.model_named(service, found.name)
    # Read after the model: what was deleted in between is seen here, what is deleted later conflicts.
    version = resolve.version(service, found.model_id)
    target = request.target
    _check_expected(service, model, request)
    board = Board(model=model, at=service.clock.now(), actor=service.actor)
    forced = request.force and bool(request.reason.strip())
    verdict = judge(service, board, version, target, request.requirements, forced=forced)
    if version.stage is target and model.policy.table.stay:
        resolve.require_unchanged(service, model)
        return Promotion(version=version, verdict=verdict, moved=False), None
    _check_table(board.model, version, request)
    if not verdict.passed and not request.dry_run:
        raise gates.refusal(verdict, f"{version.name}:{version.version}")
    if target is ModelStage.PRODUCTION:
        _check_bytes(service, version)
    displaced = make_room(service, board, version, target, request.keep_existing, request.incumbent_to)
    board.stage(version, target, **(cleared(version) if target is ModelStage.PRODUCTION else {}))
    renew_latest(service, board, version)
    ids = tuple(v.model_id for v in displaced)
    if request.dry_run:
        return Promotion(version=version, verdict=verdict, moved=False, displaced=ids), None
    board.after["verdict"] = verdict.to_mapping()
    _, written, draft = change(
        service,
        board.model,
        board.versions(),
        action="version.promoted" if target in TRACKED else f"version.{target.value}",
        subject=touched(version),
        before=board.before,
        after=board.after,
        reason=request.reason,
    )
    moved = next(v for v in written if v.number == version.number)
    return Promotion(version=moved, verdict=verdict, moved=True, displaced=ids), draft


def enter(service: LocalService, board: Board, version: ModelVersion, target: ModelStage) -> None:
    """Register straight into a stage: the gates judge the newcomer, as if it came from ``development``."""
    verdict = judge(service, board, version, target, {})
    lifecycle.check(
        board.model.policy.table,
        ModelStage.DEVELOPMENT,
        target,
        gated=board.model.policy.gated,
        by_rollback=False,
        pointed_at=(),
        force=False,
        reason="",
        subject=f"{version.name}:{version.version}",
    )
    if not verdict.passed:
        raise gates.refusal(verdict, f"{version.name}:{version.version}")
    make_room(service, board, version, target, keep_existing=False, incumbent_to=None)
    board.stage(version, target)
    board.after["verdict"] = verdict.to_mapping()


def judge(
    service: LocalService,
    board: Board,
    version: ModelVersion,
    target: ModelStage,
    requirements: Mapping[str, Any],
    *,
    forced: bool = False,
) -> Verdict:
    """The verdict on a move: the model's own requirements and the caller's, over the facts read now."""
    policy = board.model.policy
    incumbent = _incumbent(service, board.model, version, target)
    case = PromotionCase(
        at=board.at,
        version=version,
        incumbent=incumbent,
        target=target,
        requirements=(
            *policy.requirements(target),
            *gates.parse_requirements(requirements, source="caller"),
        ),
        card_fields=policy.card_fields,
        forced=forced,
        origins=lineage.withdrawn_among(service, version.edges),
    )
    return gates.judge(case)


def _incumbent(
    service: LocalService, model: Model, version: ModelVersion, target: ModelStage
) -> ModelVersion | None:
    """The newest other holder of the target."""
    numbers = [n for n in model.holders.get(target.value, ()) if n != version.number]
    return service.store.get(NumberKey(model.key, numbers[-1])) if numbers else None


def _check_expected(service: LocalService, model: Model, request: Promote) -> None:
    if request.expected is not UNSET:
        resolve.expect_holder(service, model, f"stage:{request.target.value}", request.expected)


def _check_table(model: Model, version: ModelVersion, request: Promote) -> None:
    """The lifecycle's answer; whatever points at a version also keeps it from being archived."""
    pointing = reaches(model, version)
    if request.target is ModelStage.ARCHIVED:
        _check_unheld(version, pointing, forced=request.force and bool(request.reason.strip()))
    lifecycle.check(
        model.policy.table,
        version.stage,
        request.target,
        gated=model.policy.gated,
        by_rollback=False,
        pointed_at=[p for p in pointing if not p.startswith("stage")],
        force=request.force,
        reason=request.reason,
        subject=f"{version.name}:{version.version}",
    )


def _check_bytes(service: LocalService, version: ModelVersion) -> None:
    """Nothing goes live whose bytes are not what was registered; known good and unchanged ones are not read again."""
    if wrong := damage(service, version):
        raise NotAllowed(
            f"{version.name}:{version.version} cannot go live: its bytes are not intact", reasons=wrong
        )


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


def _check_unheld(version: ModelVersion, pointing: tuple[str, ...], *, forced: bool) -> None:
    """What an alias or a hold reaches is archived only by force."""
    holds = [p for p in pointing if not p.startswith("stage")]
    if holds and not forced:
        raise Protected(
            f"{version.name}:{version.version} cannot be archived while something points at it; move that first, "
            "or force it with a reason",
            reasons=holds,
        )


def make_room(
    service: LocalService,
    board: Board,
    version: ModelVersion,
    target: ModelStage,
    keep_existing: bool,
    incumbent_to: ModelStage | None,
) -> list[ModelVersion]:
    """Move the present holders of ``target`` out, unless they may stay or the stage is open to any number."""
    limit = board.model.policy.holder_limit(target)
    holders = [n for n in board.model.holders.get(target.value, ()) if n != version.number]
    if keep_existing and limit and len(holders) >= limit:
        raise NotAllowed(
            f"the policy of {board.model.name!r} lets {limit} version(s) hold {target.value}, and {len(holders)} do; "
            "leave keep_existing out, or raise `holders` in the policy"
        )
    if keep_existing or not limit:
        return []
    retreat = incumbent_to or ModelStage(board.model.policy.incumbent)
    return [_displace(service, board, number, version, target, retreat) for number in holders]


def _displace(
    service: LocalService,
    board: Board,
    number: int,
    newcomer: ModelVersion,
    target: ModelStage,
    retreat: ModelStage,
) -> ModelVersion:
    """From ``production`` to ``deprecated`` with the newcomer as successor; from a lower stage back to development."""
    holder = service.store.get(NumberKey(board.model.key, number))
    if holder is None:
        raise NotAllowed(
            f"{board.model.name!r} lists #{number} as holder of {target.value}, but it is gone; run `fsck`"
        )
    retreat = retreat if target is ModelStage.PRODUCTION else ModelStage.DEVELOPMENT
    _check_retreat(board.model, holder, target, retreat)
    if target is not ModelStage.PRODUCTION:
        return board.stage(holder, retreat)
    if retreat is ModelStage.ARCHIVED:
        _check_unheld(holder, reaches(board.model, holder), forced=False)
    moved = board.stage(holder, retreat, successor=newcomer.model_id)
    if retreat is ModelStage.ARCHIVED:
        renew_latest(service, board, holder)
    return moved


def _check_retreat(model: Model, holder: ModelVersion, stage: ModelStage, retreat: ModelStage) -> None:
    """Displacing is a move too: the model's own table must have it."""
    lifecycle.check(
        model.policy.table,
        stage,
        retreat,
        gated=model.policy.gated,
        by_rollback=False,
        pointed_at=(),
        force=False,
        reason="",
        subject=f"the present holder {holder.name}:{holder.version}",
    )


def cleared(version: ModelVersion) -> dict[str, Any]:
    """Facts to take back when a version goes up again by decision: that it was rolled back from, and its successor."""
    facts: dict[str, Any] = {}
    if version.rolled_back_at is not None:
        facts["rolled_back_at"] = None
    if version.successor is not None:
        facts["successor"] = None
    return facts


def renew_latest(service: LocalService, board: Board, version: ModelVersion) -> None:
    """Keep ``latest`` true after ``version`` came or went."""
    now = board.now(version)
    counts = now.stage is not ModelStage.ARCHIVED and not now.deleted
    rank = versioning.rank(now.version, now.number)
    if counts and rank > board.model.latest_rank:
        board.latest(now, rank)
    elif not counts and board.model.latest == now.model_id:
        _next_latest(service, board, now)


def _next_latest(service: LocalService, board: Board, leaving: ModelVersion) -> None:
    living = Not(Compare(Field("stage"), "=", ModelStage.ARCHIVED.value))
    query = VersionQuery(model_key=board.model.key, where=living, order=resolve.NEWEST, limit=2)
    heirs = [v for v in service.store.find(query).items if v.model_id != leaving.model_id]
    heir = heirs[0] if heirs else None
    board.latest(heir, versioning.rank(heir.version, heir.number) if heir else "")


def forbid_unsafe(version: ModelVersion, where: str) -> None:
    """What the scanner calls unsafe gets no pointer."""
    if version.scan in WORST:
        raise NotAllowed(
            f"{version.name}:{version.version} is judged {version.scan!r} by the scan and cannot be given {where}",
            reasons=[r for report in version.scans.values() for r in report.reasons][:20],
        )


def unusable(service: LocalService, version: ModelVersion) -> tuple[str, ...]:
    """What of a version, or of what it was made of, is withdrawn, one line each."""
    own = (f"it was withdrawn: {version.withdrawn.reason}",) if version.withdrawn is not None else ()
    return *own, *lineage.withdrawn_among(service, version.edges)


def forbid_withdrawn(
    service: LocalService, version: ModelVersion, where: str, *, force: bool = False, reason: str = ""
) -> None:
    """What is not to be used any more, or was made of that, gets a new pointer only with force and a reason."""
    found = unusable(service, version)
    if found and not (force and reason.strip()):
        made = "was withdrawn" if version.withdrawn is not None else "was made of what is withdrawn"
        raise Protected(
            f"{version.name}:{version.version} {made} and cannot be given {where}; reinstate it first, "
            "or force it with a reason",
            reasons=found,
        )


def require_unprotected(model: Model, alias: Alias, *, force: bool, reason: str) -> None:
    """A protected alias moves only with force and a reason."""
    if alias.protected and not (force and reason.strip()):
        raise Protected(
            f"alias {alias.name!r} of {model.name!r} is protected and names #{alias.number}; "
            "move it with force and a reason, or lift the protection first",
            reasons=[f"alias {alias.name!r} is protected"],
        )


def with_load_check(version: ModelVersion, evidence: Mapping[str, Any] | None) -> ModelVersion:
    """The version with the client's latest load check, if there is one."""
    return replace(version, load_check=dict(evidence)) if evidence is not None else version
