"""What the records say of bytes, and how a commit makes sure that the bytes it names stay.

No lease is held while bytes travel. A commit reads a blob's row, *then* looks at the object, and writes (or guards)
the row at the revision it read. A collector changes the row before it touches the object and leaves a tombstone
afterwards, so one that came in between makes the commit conflict, and the next try sees that the bytes are gone.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, cast

from modelyard.domain.errors import BlobDamaged, BlobNotFound, StorageError
from modelyard.domain.names import check_digest
from modelyard.domain.records import Blob, FileEntry, ScanReport
from modelyard.ports.blobs import BlobStore, recalling
from modelyard.ports.metadata import BlobKey, VersionQuery
from modelyard.service import collection
from modelyard.service.draft import Again, Draft
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def has(service: LocalService, digest: str) -> bool:
    """True if the bytes are here and not being collected; a hint that spares an upload, settled by the commit."""
    row = service.store.get(BlobKey(check_digest(digest)))
    return (row is None or row.state == "live") and service.blobs.stat(digest) is not None


def models_with(service: LocalService, digest: str) -> tuple[str, ...]:
    """Names of the models that have a version with these bytes."""
    query = VersionQuery(file=check_digest(digest), limit=1000)
    return tuple(sorted({version.name for version in every(service.store, query)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a commit needs for the files of a version.

    Attributes:
        rows: To write, each digest once.
        scans: Each file's verdict by path.
        added: Bytes that no row counted before: they are new, or were collected once.
    """

    rows: tuple[Blob, ...]
    scans: dict[str, ScanReport]
    added: int


def claim(
    service: LocalService,
    files: Iterable[FileEntry],
    scans: dict[str, ScanReport],
    seen: Set[str] = frozenset(),
) -> Claimed:
    """Make sure that the bytes of a version's files are here, judged, and will stay.

    Args:
        service: The registry.
        files: What the version is made of.
        scans: Verdicts by digest that were made already; new ones are added.
        seen: Digests that ``foresee`` answered less than a day ago, for a first try: neither row nor bytes are
            looked at again, since a row that came into being meanwhile makes the commit conflict.

    Raises:
        BlobNotFound: Bytes are not in the store: upload them and ask again.
        BlobDamaged: The object has another size than the manifest says.
        Again: The bytes are being collected this moment.
    """
    rows: dict[str, Blob] = {}
    verdicts: dict[str, ScanReport] = {}
    by_digest: dict[str, ScanReport] = {}
    added = 0
    for entry in files:
        if entry.digest not in rows:
            row, scan, is_added = _claim_one(service, entry, scans, seen)
            rows[entry.digest], by_digest[entry.digest] = row, scan
            added += row.size if is_added else 0
        _check_one_size(entry, rows[entry.digest])
        verdicts[entry.path] = by_digest[entry.digest]
    return Claimed(rows=tuple(rows.values()), scans=verdicts, added=added)


def _check_one_size(entry: FileEntry, row: Blob) -> None:
    if entry.size != row.size:
        raise BlobDamaged(
            f"{entry.path!r}: the manifest says {entry.size} bytes, and {row.size} elsewhere under {entry.digest}",
            data={"digest": entry.digest, "expected": entry.size, "found": row.size},
        )


def _claim_one(
    service: LocalService, entry: FileEntry, scans: dict[str, ScanReport], seen: Set[str]
) -> tuple[Blob, ScanReport, bool]:
    if entry.digest in seen:
        return _first_row(service, entry, scans[entry.digest])
    row = service.store.get(BlobKey(check_digest(entry.digest)))
    if row is not None and row.state == "deleting":
        collection.finish_one(service.beneath, row)
        raise Again(f"the bytes {entry.digest} are being collected by another process")
    recent = _just_stored(service, row, entry.digest)
    if recent is None or len(recent) != entry.size:
        look_at(service.blobs, entry)
    scan = _known(service, row) or scans.get(entry.digest)
    if scan is None:
        scan = scans[entry.digest] = judge(service, entry.digest, entry.size, recent)
    if row is None:
        return _first_row(service, entry, scan)
    is_added = row.state == "deleted"
    now = service.clock.now()
    return replace(row, state="live", touched_at=now, scan=scan, revision=row.revision + 1), scan, is_added


def _first_row(service: LocalService, entry: FileEntry, scan: ScanReport) -> tuple[Blob, ScanReport, bool]:
    """A row for bytes that have none; if there is one after all, the commit finds it."""
    now = service.clock.now()
    return Blob(digest=entry.digest, size=entry.size, touched_at=now, scan=scan, revision=1), scan, True


def _just_stored(service: LocalService, row: Blob | None, digest: str) -> bytes | None:
    """Bytes that are known to be here without a look, since this process stored them less than a minute ago.

    Only if they have no row, read after that: a collector that came before the reading would have left its mark or a
    tombstone, which stay for longer than a minute; one that comes later makes the commit conflict. What has a row may
    have been put into quarantine, which leaves no mark.
    """
    store = recalling(service.blobs) if row is None else None
    return store.just_stored(digest) if store is not None else None


def _known(service: LocalService, row: Blob | None) -> ScanReport | None:
    """The verdict that a row has, by the rules of today."""
    return row.scan if row is not None and row.scan and row.scan.ruleset == service.scanner.ruleset else None


def foresee(
    service: LocalService, files: Iterable[FileEntry], scans: dict[str, ScanReport]
) -> frozenset[str]:
    """Add verdicts by digest on bytes that have none yet, made before a decision for which others have to wait.

    What is not there, or goes this moment, is left for the decision to find.

    Returns:
        Digests of bytes that are here, as many as a file says, and had no row before that was seen.
    """
    seen = set()
    for entry in files:
        row = service.store.get(BlobKey(check_digest(entry.digest)))
        if entry.digest in scans or _known(service, row) is not None:
            continue
        with suppress(Again, BlobDamaged, BlobNotFound):
            recent = _just_stored(service, row, entry.digest)
            if recent is None or len(recent) != entry.size:
                look_at(service.blobs, entry)
            scans[entry.digest] = judge(service, entry.digest, entry.size, recent)
            if row is None:
                seen.add(entry.digest)
    return frozenset(seen)


def look_at(store: BlobStore, entry: FileEntry) -> None:
    """Raise unless the bytes of a file are in the store and as many as it says."""
    info = store.stat(entry.digest)
    if info is None:
        raise BlobNotFound(
            f"the bytes of {entry.path!r} ({entry.digest}) are not in the store; upload them first",
            data={"digest": entry.digest},
        )
    if info.size != entry.size:
        raise BlobDamaged(
            f"{entry.path!r}: the manifest says {entry.size} bytes, the store has {info.size} under {entry.digest}",
            data={"digest": entry.digest, "expected": entry.size, "found": info.size},
        )


def write(draft: Draft, rows: Iterable[Blob]) -> None:
    """Put claimed rows into the commit that names them."""
    for row in rows:
        draft.put(row)


def judge(service: LocalService, digest: str, size: int, held: bytes | None = None) -> ScanReport:
    """The scanner's verdict on stored bytes, from those ``held`` or read through a seekable window.

    Raises:
        Again: They were collected just now.
        StorageError: They cannot be opened.
    """
    if (known := service.scanner.recall(digest)) is not None:
        return known
    if held is not None:
        return service.scanner.scan(io.BytesIO(held), size=len(held))
    if (stream := _opened(service.blobs, digest)) is not None:
        with stream:
            return service.scanner.scan(stream, size=size)
    window = io.BufferedReader(_Window(service.blobs, digest, size), buffer_size=1 << 16)
    return service.scanner.scan(cast(BinaryIO, window), size=size)


def _opened(store: BlobStore, digest: str) -> BinaryIO | None:
    """The file of a blob, if its store keeps files."""
    if (path := store.location(digest)) is None:
        return None
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise Again(f"the bytes {digest} were collected while they were looked at") from error
    except OSError as error:
        raise StorageError(
            f"opening the bytes {digest} to scan them failed: {error.strerror}; nothing was changed, try again"
        ) from error


class _Window(io.RawIOBase):
    """A blob as a seekable file: each read is one range, nothing is kept."""

    def __init__(self, store: BlobStore, digest: str, size: int) -> None:
        self._store, self._digest, self._size, self._at = store, digest, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        length = min(len(view), max(0, self._size - self._at))
        if not length:
            return 0
        data = b"".join(self._store.open(self._digest, start=self._at, length=length))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
