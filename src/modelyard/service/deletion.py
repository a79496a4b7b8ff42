"""Hiding versions, bringing them back, and retention. Nothing here frees a byte: that is ``collection``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.domain import retention
from modelyard.domain.answers import Retired
from modelyard.domain.errors import InvalidInput, ModelyardError, Protected, VersionNotFound
from modelyard.domain.pointers import TRACKED, Board, reaches
from modelyard.domain.records import Model, ModelStage, ModelVersion
from modelyard.ports.metadata import ModelQuery
from modelyard.ports.service import Delete, Retire
from modelyard.service import experiments, promotion, quota, resolve
from modelyard.service.draft import Draft, change, touched
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def delete(service: LocalService, request: Delete) -> ModelVersion:
    """Hide a version; its number and label stay reserved for ever."""
    return service.decide(lambda: _delete(service, request))


def _delete(service: LocalService, request: Delete) -> tuple[ModelVersion, Draft]:
    version, model = _fresh(service, request.ref, deleted=False)
    held = reaches(model, version)
    if held and not (request.force and request.reason.strip()):
        raise Protected(
            f"{version.name}:{version.version} cannot be deleted while something points at it; "
            "move that first, or force it with a reason",
            reasons=held,
        )
    board = Board(model=model, at=service.clock.now(), actor=service.actor)
    for alias in [a.name for a in model.aliases.values() if a.number == version.number]:
        board.alias(alias, None, board.now(version))
    board.release(version)
    board.facts(version, deleted_at=board.at)
    promotion.renew_latest(service, board, version)
    ending = experiments.abandon(service, board, version)
    gone, draft = _write(service, board, version, "version.deleted", request.reason)
    experiments.bury(draft, ending)
    return gone, draft


def undelete(service: LocalService, ref: str) -> ModelVersion:
    """Bring a hidden version back to the stage it stood in, unless that stage has a door.

    A stage with gates or a limit is entered by promotion only: from ``production`` a version comes back
    ``deprecated`` (a rollback can still find it), from a lower one to ``development``. It needs room as a new one does,
    except that its bytes were stored all the time.
    """
    return service.decide(lambda: _undelete(service, ref))


def _undelete(service: LocalService, ref: str) -> tuple[ModelVersion, Draft | None]:
    version, model = _fresh(service, ref, deleted=True)
    if not version.deleted:
        return version, None
    if version.collected_at is not None:
        raise VersionNotFound(
            f"{version.name}:{version.version} was collected at {version.collected_at:%Y-%m-%d %H:%M} and its bytes "
            "are gone; register the model again under a new label"
        )
    quota.require(service, model, version.files, added=0)
    board = Board(model=model, at=service.clock.now(), actor=service.actor)
    board.facts(version, deleted_at=None)
    has_door = model.policy.holder_limit(version.stage) or model.policy.requirements(version.stage)
    if version.stage in TRACKED and has_door:
        live = version.stage is ModelStage.PRODUCTION
        board.stage(version, ModelStage.DEPRECATED if live else ModelStage.DEVELOPMENT)
    else:
        board.regain(version)
    promotion.renew_latest(service, board, version)
    return _write(service, board, version, "version.undeleted", "")


def _fresh(service: LocalService, ref: str, *, deleted: bool) -> tuple[ModelVersion, Model]:
    """The model first, then the version again: what is decided on was read after the model's revision."""
    found = resolve.version(service, ref, deleted=deleted)
    model = resolve.model_named(service, found.name)
    return resolve.version(service, found.model_id, deleted=deleted), model


def _write(
    service: LocalService, board: Board, version: ModelVersion, action: str, reason: str
) -> tuple[ModelVersion, Draft]:
    _, written, draft = change(
        service,
        board.model,
        board.versions(),
        action=action,
        subject=touched(version),
        before=board.before,
        after=board.after,
        reason=reason,
    )
    return next(v for v in written if v.number == version.number), draft


def retire(service: LocalService, request: Retire) -> Retired:
    """Delete archived versions past their retention; the preview and the run choose by the same rule."""
    if request.older_than_days is not None and not request.older_than_days >= 0:
        raise InvalidInput(f"older_than_days must be 0 or more, not {request.older_than_days}")
    now = service.clock.now()
    doomed: list[ModelVersion] = []
    for model in models(service, request.model):
        rule = model.policy.retention
        if request.older_than_days is not None:
            rule = retention.Retention(archived_days=request.older_than_days, keep_last=rule.keep_last)
        doomed += retention.due(resolve.versions_of(service, model), rule, now)
    if request.dry_run:
        return Retired(dry_run=True, versions=tuple(doomed), size=sum(v.size for v in doomed))
    gone: list[ModelVersion] = []
    kept: list[str] = []
    for version in doomed:
        try:
            gone.append(delete(service, Delete(ref=version.model_id, reason="past its retention")))
        except ModelyardError as error:
            kept.append(f"{version.name}:{version.version}: {error.detail}")
    return Retired(dry_run=False, versions=tuple(gone), kept=tuple(kept), size=sum(v.size for v in gone))


def models(service: LocalService, name: str | None) -> list[Model]:
    if name is not None:
        return [resolve.model_named(service, name)]
    return list(every(service.store, ModelQuery()))
