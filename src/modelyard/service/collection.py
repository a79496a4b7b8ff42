"""Freeing bytes, safely beside any number of writers.

Order of one blob's end: read its row; see that no version names it and that it was idle for the grace; change the
row to ``deleting`` at the revision read; remove the object; change the row to ``deleted``. A registration that names
the same bytes writes the row too, so one of the two conflicts. The tombstone stays for a day, which is longer than
any commit keeps trying, so a row that was absent when a registration read it cannot have come and gone since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from modelyard.domain import events
from modelyard.domain.answers import Collected
from modelyard.domain.errors import Conflict, InvalidInput
from modelyard.domain.pointers import Board
from modelyard.domain.policy import LONGEST_RETENTION
from modelyard.domain.records import Blob, ModelVersion
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    Changes,
    Drop,
    Put,
    RegistryKey,
    VersionQuery,
)
from modelyard.ports.service import Collect
from modelyard.service import housing, leftovers, manifests, resolve
from modelyard.service.draft import Draft, change, touched
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

TOMBSTONE = timedelta(days=1)


def collect(service: LocalService, request: Collect) -> Collected:
    """Collect, or say exactly what a collection at this moment would free."""
    if not 0 <= request.grace_days <= LONGEST_RETENTION:
        raise InvalidInput(f"grace_days must be from 0 to {LONGEST_RETENTION}, not {request.grace_days}")
    cutoff = service.clock.now() - timedelta(days=request.grace_days)
    doomed = list(_deleted(service, cutoff))
    if request.dry_run:
        return _plan(service, doomed, cutoff)
    with service.blobs.collecting():
        for version in doomed:
            service.decide(partial(_collect_version, service, version, cutoff))
        freed = [*_finish(service), *_free_rows(service, cutoff), *_free_strays(service, cutoff)]
        _bury(service)
        housing.tidy(service)
        service.blobs.sweep(older_than_seconds=request.grace_days * 86_400)
    forgotten = leftovers.forget(service)
    manifests.drain(service, limit=None)
    done = Collected(
        dry_run=False,
        versions=tuple(v.model_id for v in doomed),
        blobs=tuple(b.digest for b in freed),
        freed=sum(b.size for b in freed),
        forgotten=forgotten,
    )
    if done.versions or done.blobs or done.forgotten:
        _note(service, done)
    return done


def _deleted(service: LocalService, cutoff: datetime) -> Iterator[ModelVersion]:
    """Deleted versions past the grace that still have their bytes."""
    return (v for v in every(service.store, VersionQuery(deleted=True)) if _is_due(v, cutoff))


def _is_due(version: ModelVersion, cutoff: datetime) -> bool:
    """Deleted before ``cutoff``, not collected yet, and under no legal hold: a hold outlives even a forced deletion."""
    deleted = version.deleted_at is not None and version.deleted_at <= cutoff
    return deleted and version.collected_at is None and not version.legal_hold


def _collect_version(
    service: LocalService, version: ModelVersion, cutoff: datetime
) -> tuple[None, Draft | None]:
    """A deleted version lets go of its bytes; its record stays as a tombstone of number and label."""
    model = resolve.model_named(service, version.name)
    current = resolve.version(service, version.model_id, deleted=True)
    if not _is_due(current, cutoff):
        return None, None
    board = Board(model=model, at=service.clock.now(), actor=service.actor)
    board.facts(current, collected_at=board.at)
    _, _, draft = change(
        service,
        board.model,
        board.versions(),
        action="version.collected",
        subject=touched(current),
        before=board.before,
        after=board.after,
    )
    return None, draft


def _plan(service: LocalService, doomed: list[ModelVersion], cutoff: datetime) -> Collected:
    """The same choice as a run, without its effects."""
    freed = {b.digest: b.size for b in _rows(service, unreferenced=True, idle_since=cutoff)}
    freed |= {b.digest: b.size for b in _rows(service, state="deleting")}
    freed |= dict(_strays(service, cutoff))
    if doomed:
        freed |= _only_named_by(service, {v.model_id for v in doomed}, doomed, cutoff)
    return Collected(
        dry_run=True,
        versions=tuple(v.model_id for v in doomed),
        blobs=tuple(freed),
        freed=sum(freed.values()),
        forgotten=leftovers.due(service),
    )


def _only_named_by(
    service: LocalService, ids: set[str], doomed: list[ModelVersion], cutoff: datetime
) -> dict[str, int]:
    """Blobs that no version outside ``doomed`` names. Reads every version: a preview may take its time."""
    sizes = {f.digest: f.size for v in doomed for f in v.files}
    after: str | None = None
    while sizes:
        page = service.store.find(VersionQuery(deleted=None, limit=500, after=after))
        for version in page.items:
            if version.model_id not in ids and version.collected_at is None:
                for entry in version.files:
                    sizes.pop(entry.digest, None)
        if (after := page.next) is None:
            break
    rows = {digest: service.store.get(BlobKey(digest)) for digest in sizes}
    return {d: b.size for d, b in rows.items() if b and b.touched_at <= cutoff and b.state != "deleted"}


def _rows(
    service: LocalService,
    *,
    unreferenced: bool = False,
    idle_since: datetime | None = None,
    state: str | None = None,
) -> Iterator[Blob]:
    asked = BlobQuery(unreferenced=unreferenced, idle_since=idle_since, state=state)
    return (row for row in every(service.store, asked) if row.state != "deleted" or state == "deleted")


def _free_rows(service: LocalService, cutoff: datetime) -> Iterator[Blob]:
    for row in _rows(service, unreferenced=True, idle_since=cutoff, state="live"):
        if condemned := _condemn(service, row):
            yield _remove(service, condemned)


def _condemn(service: LocalService, row: Blob) -> Blob | None:
    """Say that a blob is going; ``None`` if someone needed it in the meantime.

    The row is read again and the references looked at after that reading: a version committed in between has
    changed the row.
    """
    current = service.store.get(BlobKey(row.digest))
    if current is None or current.state != "live" or current.revision != row.revision:
        return None
    if not service.store.find(BlobQuery(digest=row.digest, unreferenced=True, limit=1)).items:
        return None
    return _step(service, current, "deleting")


def _step(service: LocalService, row: Blob, state: str) -> Blob | None:
    moved = replace(row, state=state, touched_at=service.clock.now(), revision=row.revision + 1)
    try:
        service.store.commit(Changes(puts=(Put(record=moved, expected=row.revision),)))
    except Conflict:
        return None
    return moved


def _remove(service: LocalService, row: Blob) -> Blob:
    service.blobs.delete(row.digest)
    _step(service, row, "deleted")
    return row


def finish_one(service: LocalService, row: Blob) -> None:
    """Finish the removal of a blob whose collector is gone; nothing happens while it lives.

    Nothing is waited for here: whoever asks may be keeping all other writers out.
    """
    try:
        with service.blobs.collecting(patient=False):
            current = service.store.get(BlobKey(row.digest))
            if current is not None and current.state == "deleting":
                _remove(service, current)
    except Conflict:
        return


def _finish(service: LocalService) -> Iterator[Blob]:
    """Removals that an earlier collector did not live to finish; the caller holds the collector's lock."""
    for row in _rows(service, state="deleting"):
        yield _remove(service, row)


def _strays(service: LocalService, cutoff: datetime) -> Iterator[tuple[str, int]]:
    """Objects that no record knows: uploads whose registration never came."""
    for info in service.blobs.list():
        if info.modified_at <= cutoff:
            row = service.store.get(BlobKey(info.digest))
            if row is None or row.state == "deleted":
                yield info.digest, info.size


def _free_strays(service: LocalService, cutoff: datetime) -> Iterator[Blob]:
    for digest, size in _strays(service, cutoff):
        row = service.store.get(BlobKey(digest))
        if row is not None and row.state != "deleted":  # a version that names them was committed just now
            continue
        claim = row or Blob(digest=digest, size=size, touched_at=service.clock.now())
        if condemned := _step(service, claim, "deleting"):
            yield _remove(service, condemned)


def _bury(service: LocalService) -> None:
    """Drop tombstones that have outlived every decision that could have missed them."""
    for row in _rows(service, state="deleted", idle_since=service.clock.now() - TOMBSTONE):
        try:
            service.store.commit(Changes(drops=(Drop(key=BlobKey(row.digest), expected=row.revision),)))
        except Conflict:
            continue


def _note(service: LocalService, done: Collected) -> None:
    """One event in the registry's own chain."""
    forgotten = {name: count for name, count in asdict(done.forgotten).items() if count}
    note(
        service,
        "registry.collected",
        {"versions": list(done.versions), "blobs": len(done.blobs), "freed": done.freed} | forgotten,
    )


def note(service: LocalService, action: str, after: dict[str, object]) -> None:
    """Write a registry-level event."""

    def step() -> tuple[None, Draft]:
        draft = Draft()
        _append(service, draft, action, after)
        return None, draft

    service.decide(step)


def imported(service: LocalService, draft: Draft, model: str, outcome: str, versions: int, head: str) -> None:
    """Add the registry-level event of an import to the commit that takes a model, or some of its versions.

    ``head`` is the hash of the last event there, by which a later delta knows that this history was taken in; empty
    as long as that is not so.
    """
    after: dict[str, object] = {"models": {model: outcome}, "versions": versions}
    _append(service, draft, "registry.imported", after | ({"heads": {model: head}} if head else {}))


def _append(service: LocalService, draft: Draft, action: str, after: dict[str, object]) -> None:
    registry = service.store.get(RegistryKey())
    if registry is None:
        return
    moved, event = events.append(
        registry, now=service.clock.now(), actor=service.actor, action=action, subject="registry", after=after
    )
    draft.put(moved)
    draft.log.append(event)
