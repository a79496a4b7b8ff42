"""Short ways to fill a local service and to look into its stores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelyard.domain.records import Blob, FileEntry, ModelVersion
from modelyard.ports.metadata import BlobKey, Changes, ModelKey, Put, VersionKey
from modelyard.ports.service import CreateVersion, Delete
from modelyard.service.local import LocalService

WEIGHTS = b"weights"


def make(service: LocalService, data: bytes | None = None, name: str = "fraud", **facts: Any) -> ModelVersion:
    """Register a version, over one file if there are bytes."""
    files = ()
    if data is not None:
        info = service.put_blob([data])
        files = (FileEntry(path="m", size=info.size, digest=info.digest),)
    return service.create_version(CreateVersion(name=name, files=files, **facts))


def gone(service: LocalService, data: bytes = WEIGHTS) -> str:
    """A deleted version; the digest of its bytes."""
    made = make(service, data)
    service.delete(Delete(ref=made.model_id))
    return made.files[0].digest


def change(service: LocalService, record: Any, **facts: Any) -> Any:
    """Write a record with other facts, with no event and no rule in between."""
    key = {Blob: lambda: BlobKey(record.digest), ModelVersion: lambda: VersionKey(record.model_id)}
    present = service.store.get(key.get(type(record), lambda: ModelKey(record.key))())
    moved = replace(present, **facts, revision=present.revision + 1)
    service.store.commit(Changes(puts=(Put(record=moved, expected=present.revision),)))
    return moved


def row(service: LocalService, digest: str) -> Blob:
    """What the records say of bytes."""
    found = service.store.get(BlobKey(digest))
    assert found is not None
    return found
