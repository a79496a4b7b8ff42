"""Many registrations as one commit: each is decided as it would be alone, over what those before it will have changed.

So a batch has the versions, numbers and events that its entries have one by one, and one chain. Only revisions differ:
a record that several entries change is written once, so its revision rises by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from modelyard.domain.errors import InvalidInput, ModelyardError, StorageError, TooLarge
from modelyard.domain.records import ModelVersion
from modelyard.ports.blobs import BlobInfo, BlobStore
from modelyard.ports.metadata import MetadataStore
from modelyard.ports.service import Created, CreateVersion, CreateVersions
from modelyard.service import blobs, versions
from modelyard.service.draft import Draft
from modelyard.service.housing import house
from modelyard.service.pending import Pending

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

MOST: Final = 1000
"""Entries of one batch: what a transaction holds without others waiting longer than a blink for their turn."""


def create(service: LocalService, request: CreateVersions) -> tuple[Created, ...]:
    """Register all entries or none.

    Raises:
        TooLarge: There are more than ``MOST``.
        ModelyardError: What registering an entry alone would raise; ``data["entry"]`` is its place, from 1.
    """
    entries = request.versions
    if not entries:
        raise InvalidInput("expected at least one version to register, found none")
    if len(entries) > MOST:
        raise TooLarge(
            f"expected at most {MOST} versions at once, found {len(entries)}; register them in several batches",
            data={"limit": MOST},
        )
    works = [_begin(service, place, entry) for place, entry in enumerate(entries, 1)]
    _judge(service, works)
    made = service.decide(lambda: _decide(service, works))
    for version, new in made:
        if new:
            house(service, version)
    return tuple(_told(version, new=new) for version, new in made)


def _told(version: ModelVersion, *, new: bool) -> Created:
    return Created(
        model_id=version.model_id,
        name=version.name,
        version=version.version,
        number=version.number,
        new=new,
        warnings=version.warnings,
    )


def _begin(service: LocalService, place: int, entry: CreateVersion) -> versions.Work:
    with _named(place, entry):
        return versions.begin(service, entry)


def _judge(service: LocalService, works: Sequence[versions.Work]) -> None:
    """Verdicts on bytes that have none, each once, before others have to wait for the decision."""
    pending, scans = Pending(service.store), works[0].scans
    pending.foresee(_digests(works))
    view = service.over(cast(MetadataStore, pending), service.blobs)
    for place, work in enumerate(works, 1):
        work.scans = scans
        with _named(place, work.request):
            blobs.foresee(view, work.request.files, scans)


def _digests(works: Sequence[versions.Work]) -> Iterator[str]:
    return (entry.digest for work in works for entry in work.request.files)


def _decide(
    service: LocalService, works: Sequence[versions.Work]
) -> tuple[list[tuple[ModelVersion, bool]], Draft | None]:
    """Each version, and whether it is new."""
    pending = Pending(service.store)
    pending.foresee(_digests(works))
    # Both speak as what they stand before, in as much as registering asks.
    view = service.over(cast(MetadataStore, pending), cast(BlobStore, _Looked(service.blobs)))
    made = []
    for place, work in enumerate(works, 1):
        with _named(place, work.request):
            work.edges = versions.origins(view, work)
            version, draft = versions.decide(view, work)
        if draft is not None:
            pending.take(draft)
        made.append((version, draft is not None))
    return made, pending.draft()


@contextmanager
def _named(place: int, entry: CreateVersion) -> Iterator[None]:
    """Say of which entry an error speaks; not of a disk that refuses, which is not about any."""
    try:
        yield
    except StorageError:
        raise
    except ModelyardError as error:
        title = f"{entry.name!s:.100} {entry.version or ''}".rstrip()
        raise type(error)(
            f"entry {place} ({title}): {error.detail}",
            reasons=error.reasons,
            data={**error.data, "entry": place},
        ) from error


class _Looked:
    """A blob store that is asked once for each digest while one try of a batch is decided: rows are read before."""

    def __init__(self, store: BlobStore) -> None:
        self.location, self.open = store.location, store.open
        self._store = store
        self._found: dict[str, BlobInfo | None] = {}

    def stat(self, digest: str) -> BlobInfo | None:
        """Size and time of stored bytes."""
        if digest not in self._found:
            self._found[digest] = self._store.stat(digest)
        return self._found[digest]
