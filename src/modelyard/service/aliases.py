"""Aliases: named pointers that always name a version that exists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.domain import names
from modelyard.domain.errors import AliasNotFound
from modelyard.domain.pointers import Board
from modelyard.domain.records import Alias, Model, ModelVersion
from modelyard.ports.metadata import VersionKey
from modelyard.ports.service import UNSET, DeleteAlias, ProtectAlias, SetAlias
from modelyard.service import promotion, resolve
from modelyard.service.draft import Draft, change

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def set_alias(service: LocalService, request: SetAlias) -> ModelVersion:
    """Make or move an alias; pointing it where it points is no change and writes no event."""
    names.check_alias(request.alias)
    return service.decide(lambda: _set(service, request))


def _set(service: LocalService, request: SetAlias) -> tuple[ModelVersion, Draft | None]:
    model = resolve.model_named(service, request.model)
    version = resolve.version(service, resolve.within(model, request.ref))
    resolve.require_same_model(version, model)
    if request.expected is not UNSET:
        resolve.expect_holder(service, model, f"alias:{request.alias}", request.expected)
    present = model.aliases.get(request.alias)
    if present is not None and present.number == version.number:
        return version, None
    promotion.forbid_unsafe(version, f"alias {request.alias!r}")
    promotion.forbid_withdrawn(
        service, version, f"alias {request.alias!r}", force=request.force, reason=request.reason
    )
    if present is not None:
        promotion.require_unprotected(model, present, force=request.force, reason=request.reason)
    board = _board(service, model)
    board.alias(request.alias, version, _holder(service, present))
    _, written, draft = _change(service, board, "alias.set", request.alias, request.reason)
    return next(v for v in written if v.number == version.number), draft


def delete_alias(service: LocalService, request: DeleteAlias) -> None:
    """Remove an alias; the version it named stays."""
    service.decide(lambda: _delete(service, request))


def _delete(service: LocalService, request: DeleteAlias) -> tuple[None, Draft]:
    model = resolve.model_named(service, request.model)
    present = _present(model, request.alias)
    promotion.require_unprotected(model, present, force=request.force, reason=request.reason)
    board = _board(service, model)
    board.alias(request.alias, None, _holder(service, present))
    _, _, draft = _change(service, board, "alias.deleted", request.alias, request.reason)
    return None, draft


def protect_alias(service: LocalService, request: ProtectAlias) -> None:
    """Switch an alias's protection; switching to what it is writes no event."""
    service.decide(lambda: _protect(service, request))


def _protect(service: LocalService, request: ProtectAlias) -> tuple[None, Draft | None]:
    model = resolve.model_named(service, request.model)
    present = _present(model, request.alias)
    if present.protected == request.protected:
        return None, None
    aliases = {**model.aliases, present.name: replace(present, protected=request.protected)}
    key = f"protection:{present.name}"
    _, _, draft = change(
        service,
        replace(model, aliases=aliases),
        (),
        action="alias.protected" if request.protected else "alias.unprotected",
        subject=f"alias:{present.name}",
        before={key: present.protected},
        after={key: request.protected},
        reason=request.reason,
    )
    return None, draft


def _present(model: Model, alias: str) -> Alias:
    present = model.aliases.get(alias)
    if present is None:
        known = ", ".join(sorted(model.aliases)) or "none"
        raise AliasNotFound(f"model {model.name!r} has no alias {names.plain(alias)!r}; it has: {known}")
    return present


def _board(service: LocalService, model: Model) -> Board:
    return Board(model=model, at=service.clock.now(), actor=service.actor)


def _holder(service: LocalService, alias: Alias | None) -> ModelVersion | None:
    return service.store.get(VersionKey(alias.model_id)) if alias else None


def _change(
    service: LocalService, board: Board, action: str, alias: str, reason: str
) -> tuple[Model, tuple[ModelVersion, ...], Draft]:
    return change(
        service,
        board.model,
        board.versions(),
        action=action,
        subject=f"alias:{alias}",
        before=board.before,
        after=board.after,
        reason=reason,
    )
