"""Bringing the bytes of one registry to the stores of another, each verified against its digest on both ends."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from modelyard.domain.errors import BlobDamaged, BlobNotFound, IntegrityError
from modelyard.ports.blobs import BlobStore
from modelyard.ports.metadata import BlobKey, BlobQuery, ReceiptKey, VersionQuery
from modelyard.service.migration_records import MARK, Tell, ended
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

AT_ONCE: Final = 4
"""Objects that are under way together: most are small, and a far store answers one at a time slowly."""

PORTION: Final = 64
SAMPLE: Final = 32
SAMPLE_BYTES: Final = 256 << 20
"""What is read again of the target without ``deep``: so many blobs, of so many bytes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One object: ``row`` says whether a record of a blob stands for it (else it is a document beside the records)."""

    digest: str
    size: int
    row: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a walk over all bytes found.

    Attributes:
        blobs, size: All that the source's records name, in bytes.
        objects, objects_size: These, and the documents beside the records.
        copied, copied_size: Of the objects, what was not in the target.
        lost: One line for each blob that a version needs and the source cannot give.
    """

    blobs: int = 0
    size: int = 0
    objects: int = 0
    objects_size: int = 0
    copied: int = 0
    copied_size: int = 0
    lost: tuple[str, ...] = ()


def bring(source: LocalService, target: LocalService, *, write: bool, tell: Tell) -> Brought:
    """Copy what the target does not have.

    Args:
        write: Whether to copy; else what is missing is only counted.
        tell: Called with the number of bytes that were looked for and are there now.

    Raises:
        Conflict: Another run ended the migration, so the target's bytes are not to be touched any more.
    """
    found = Brought()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="migrate") as pool:
        for portion in _portions(_jobs(source)):
            done = pool.map(lambda job: _one(source, target, job, write=write, tell=tell), portion)
            found = _summed(found, portion, list(done))
    return found


def _summed(found: Brought, jobs: list[Job], done: list[int | str]) -> Brought:
    """``found`` with what came of some more."""
    rows = [job.size for job in jobs if job.row]
    copied = [job.size for job, each in zip(jobs, done, strict=True) if each == 1]
    return Brought(
        blobs=found.blobs + len(rows),
        size=found.size + sum(rows),
        objects=found.objects + len(jobs),
        objects_size=found.objects_size + sum(job.size for job in jobs),
        copied=found.copied + len(copied),
        copied_size=found.copied_size + sum(copied),
        lost=(*found.lost, *(each for each in done if isinstance(each, str) and each)),
    )


def _jobs(source: LocalService) -> Iterator[Job]:
    rows = (Job(digest=r.digest, size=r.size, row=True) for r in every(source.store, BlobQuery(state="live")))
    documents = (Job(digest=i.digest, size=i.size, row=False) for i in source.manifests.list())
    return chain(rows, documents)


def _portions(jobs: Iterator[Job]) -> Iterator[list[Job]]:
    while portion := list(islice(jobs, PORTION)):
        yield portion


def _one(source: LocalService, target: LocalService, job: Job, *, write: bool, tell: Tell) -> int | str:
    """1 if it was (or has to be) copied, 0 if it is there; a line, which may be empty, if the source has it not."""
    theirs, ours = (source.blobs, target.blobs) if job.row else (source.manifests, target.manifests)
    there = ours.stat(job.digest)
    if there is not None and there.size == job.size:
        tell(job.size)
        return 0
    if not write:
        return 1
    if target.store.get(ReceiptKey(MARK)) is None:
        raise ended()
    if there is not None:
        ours.quarantine(job.digest)
    try:
        _copy(theirs, ours, job.digest, tell)
    except BlobNotFound:
        return _lost(source, job.digest, "its bytes are gone")
    except BlobDamaged as error:
        return _lost(source, job.digest, error.detail)
    return 1


def _copy(theirs: BlobStore, ours: BlobStore, digest: str, tell: Tell) -> None:
    path = theirs.location(digest)
    if path is not None:
        ours.put_file(path, expect=digest, progress=tell)
        return
    ours.put(_told(theirs.open(digest), tell), expect=digest)


def _told(chunks: Iterable[bytes], tell: Tell) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        tell(len(chunk))


def _lost(source: LocalService, digest: str, why: str) -> str:
    """What to say of bytes that cannot be had; nothing if they were collected meanwhile or no version needs them."""
    row = source.store.get(BlobKey(digest))
    if row is None or row.state != "live":
        return ""
    needed = source.store.find(VersionQuery(file=digest, deleted=None, limit=1)).items
    return f"{needed[0].name}:{needed[0].version} needs {digest}: {why}" if needed else ""


def read_again(target: LocalService, *, deep: bool, tell: Tell) -> int:
    """Read blobs of the target and compare them with their digests: all, or some chosen by chance; returns how many.

    Raises:
        BlobDamaged: Bytes are not what they should be.
        BlobNotFound: They are not there any more.
    """
    rows = ((row.digest, row.size) for row in every(target.store, BlobQuery(state="live")))
    count = 0
    for digest, size in rows if deep else _some(rows):
        if target.blobs.stat(digest) is not None:  # what no version needs may be missing
            target.blobs.verify(digest, cached=False)
            tell(size)
            count += 1
    return count


def _some(rows: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Each row with the same chance (reservoir sampling), as long as they are not too large together."""
    chance = random.Random()  # noqa: S311 - nothing depends on nobody guessing it
    kept: list[tuple[str, int]] = []
    for place, found in enumerate(rows):
        slot = place if place < SAMPLE else chance.randrange(place + 1)
        if slot < SAMPLE:
            kept[slot : slot + 1] = [found]
    left, chosen = SAMPLE_BYTES, []
    for digest, size in kept:
        if size <= left:
            left -= size
            chosen.append((digest, size))
    return chosen


def refuse_lost(brought: Brought, place: str) -> None:
    """Stop where the source has not all that its versions need.

    Raises:
        IntegrityError: With one line for each of the first twenty.
    """
    if brought.lost:
        raise IntegrityError(
            f"{place} lacks bytes that its versions need: {len(brought.lost)} in all. What is whole was moved, the "
            "target stays closed. Run `modelyard fsck --deep` on the source, bring the bytes back, and run this again",
            reasons=brought.lost[:20],
        )
