"""Looking for damage: what records promise against what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelyard.domain import manifest, replay, versioning
from modelyard.domain.answers import Finding, Fsck
from modelyard.domain.errors import BlobDamaged, BlobNotFound
from modelyard.domain.pointers import TRACKED
from modelyard.domain.records import Blob, Model, ModelStage, ModelVersion
from modelyard.ports.metadata import BlobKey, BlobQuery, ModelKey, NumberKey, RegistryKey, VersionQuery
from modelyard.ports.service import Check, Progress
from modelyard.service import experiments, manifests, resolve, transfer, withdrawals
from modelyard.service.deletion import models
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def check(service: LocalService, request: Check, progress: Progress | None) -> Fsck:
    """Check database, pointers, versions and bytes. Repairs only what can be put right without losing anything."""
    findings = [Finding(kind="database", subject="metadata", detail=d) for d in service.store.check()]
    for model in models(service, None):
        # A pointer that is wrong differs from the events too, and is told once.
        findings += list(_check_pointers(service, model)) or _check_history(service, model)
        findings += _check_experiments(service, model)
    findings += _check_sources(service)
    versions = 0
    for version in _versions(service):
        versions += 1
        findings += _check_version(service, version, repair=request.repair)
    blobs, size = 0, 0
    for row in _blobs(service):
        blobs, size = blobs + 1, size + row.size
        findings += _check_blob(service, row, deep=request.deep, repair=request.repair)
        if progress is not None:
            progress(row.size)
    return Fsck(deep=request.deep, blobs=blobs, versions=versions, size=size, findings=tuple(findings))


def _versions(service: LocalService) -> Iterator[ModelVersion]:
    return every(service.store, VersionQuery(deleted=None))


def _blobs(service: LocalService) -> Iterator[Blob]:
    return every(service.store, BlobQuery(state="live"))


def _check_pointers(service: LocalService, model: Model) -> Iterator[Finding]:
    """Aliases, holders and ``latest`` must name versions that are there and say the same of themselves."""
    for alias in model.aliases.values():
        held = service.store.get(NumberKey(model.key, alias.number))
        if held is None or held.deleted or alias.name not in held.aliases:
            yield _pointer(model, f"alias:{alias.name}", alias.number)
    for stage in TRACKED:
        for number in model.holders.get(stage.value, ()):
            held = service.store.get(NumberKey(model.key, number))
            if held is None or held.deleted or held.stage is not stage:
                yield _pointer(model, f"stage:{stage.value}", number)
    wanted = _latest(service, model)
    if wanted != model.latest:
        yield Finding(
            kind="pointer", subject=f"{model.name}@latest", detail=f"names {model.latest}, not {wanted}"
        )


def _check_history(service: LocalService, model: Model) -> Iterator[Finding]:
    """Records must follow from the events. Said of a model only if it did not change while it was read."""
    found = resolve.versions_of(service, model, deleted=None)
    said = next(replay.differences(model, found, transfer.events_of(service, model)), None)
    present = service.store.get(ModelKey(model.key))
    if said is not None and present is not None and present.revision == model.revision:
        yield Finding(
            kind="history", subject=model.name, detail=f"a record does not follow from the events: {said}"
        )


def _check_experiments(service: LocalService, model: Model) -> Iterator[Finding]:
    """As the history: said only of a model that did not change meanwhile."""
    said = next(experiments.differences(service, model), None)
    present = service.store.get(ModelKey(model.key))
    if said is not None and present is not None and present.revision == model.revision:
        yield Finding(kind="experiment", subject=model.name, detail=said)


def _check_sources(service: LocalService) -> list[Finding]:
    """What was withdrawn must follow from the registry's events. Said only if these stood still meanwhile."""
    before = service.store.get(RegistryKey())
    found = [
        Finding(kind="history", subject="sources", detail=line) for line in withdrawals.unproven(service)
    ]
    return found if service.store.get(RegistryKey()) == before else []


def _pointer(model: Model, pointer: str, number: int) -> Finding:
    return Finding(
        kind="pointer",
        subject=f"{model.name} {pointer}",
        detail=f"names #{number}, which is gone or does not say so itself",
    )


def _latest(service: LocalService, model: Model) -> str | None:
    best: tuple[str, str] | None = None
    for version in every(service.store, VersionQuery(model_key=model.key)):
        if version.stage is not ModelStage.ARCHIVED:
            rank = versioning.rank(version.version, version.number)
            best = max(best or ("", ""), (rank, version.model_id))
    return best[1] if best else None


def _check_version(service: LocalService, version: ModelVersion, *, repair: bool) -> Iterator[Finding]:
    """Frozen facts against the digest, manifest copy, and a row for every file."""
    subject = f"{version.name}:{version.version}"
    frozen = manifest.build(version)
    if frozen.digest != version.digest:
        yield Finding(
            kind="manifest",
            subject=subject,
            detail=f"its frozen facts give {frozen.digest}, its record says {version.digest}",
        )
    elif service.manifests.stat(version.digest) is None and repair:
        manifests.write(service, version)
        yield Finding(kind="manifest-copy", subject=subject, detail="was not written yet", repaired="written")
    if version.collected_at is not None:
        return
    for entry in version.files:
        row = service.store.get(BlobKey(entry.digest))
        if row is None or row.state != "live":
            yield Finding(
                kind="missing",
                subject=f"{subject}/{entry.path}",
                detail=f"{entry.digest} has no live record",
            )


def _check_blob(service: LocalService, row: Blob, *, deep: bool, repair: bool) -> Iterator[Finding]:
    """Presence and size always; every byte when deep. Repair moves damaged bytes aside, never deletes them."""
    try:
        if deep:
            service.blobs.verify(row.digest, cached=False)
            return
        info = service.blobs.stat(row.digest)
        if info is None:
            raise BlobNotFound(f"{row.digest} is not in the store")
        if info.size != row.size:
            raise BlobDamaged(f"{row.digest} has {info.size} bytes, its record says {row.size}")
    except BlobNotFound as error:
        yield Finding(kind="missing", subject=row.digest, detail=error.detail)
    except BlobDamaged as error:
        if repair:
            service.blobs.quarantine(row.digest)
        yield Finding(
            kind="damaged",
            subject=row.digest,
            detail=error.detail + (" (moved to quarantine; register the bytes again)" if repair else ""),
        )
