"""Copies of manifests beside the database: what is left to read off when the database is lost.

The manifest is durable with its version in the database; its copy follows later, so that registering pays for no
further disk syncs. How far the copies have come is a record, so a restart goes on where the last process stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modelyard.domain import manifest
from modelyard.domain.canonical import sha256
from modelyard.domain.errors import Conflict, IntegrityError, StorageError
from modelyard.domain.records import ModelVersion, Receipt
from modelyard.ports.metadata import Changes, Put, ReceiptKey, VersionKey

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

CURSOR = "drain:manifests"
AT_CLOSE = 50
"""Events that closing a registry works off at most: two synced files each, so a fraction of a second."""


def drain(service: LocalService, limit: int | None = AT_CLOSE) -> int:
    """Write the copies that are outstanding, oldest first; returns how many versions it came past.

    A disk that refuses, or a damaged row, only postpones the copies: closing is no moment to fail. Two processes may
    do the same work twice, harmlessly.
    """
    receipt = service.store.get(ReceiptKey(CURSOR))
    position = int(receipt.result["position"]) if receipt else 0
    done, reached = 0, position
    try:
        for passed, version in _registered(service, position, limit):
            if version is not None:
                write(service, version)
                done += 1
            reached = passed
    except (StorageError, IntegrityError):
        return done
    if reached > position:
        _remember(service, receipt, reached)
    return done


def _registered(
    service: LocalService, position: int, limit: int | None
) -> Iterator[tuple[int, ModelVersion | None]]:
    """Positions passed, with the version where the event registered one."""
    left = limit
    while left is None or left > 0:
        size = 500 if left is None else min(500, left)
        found = service.store.events(position, size)
        for item in found:
            position = item.position
            yield position, _version_of(service, item.event.after)
        if len(found) < size:
            return
        left = None if left is None else left - len(found)


def _version_of(service: LocalService, after: Mapping[str, Any]) -> ModelVersion | None:
    ids = [v["model_id"] for v in after.values() if isinstance(v, dict) and "model_id" in v and "digest" in v]
    return service.store.get(VersionKey(ids[0])) if ids else None


def write(service: LocalService, version: ModelVersion) -> None:
    """Store both documents of a version under their digests."""
    frozen = manifest.build(version)
    service.manifests.put([frozen.config], expect=sha256(frozen.config))
    service.manifests.put([frozen.manifest], expect=frozen.digest)


def _remember(service: LocalService, receipt: Receipt | None, position: int) -> None:
    revision = receipt.revision if receipt else 0
    moved = Receipt(
        key=CURSOR,
        request="",
        result={"position": position},
        at=service.clock.now(),
        revision=revision + 1,
    )
    try:
        service.store.commit(Changes(puts=(Put(record=moved, expected=revision),)))
    except (Conflict, StorageError):
        return
