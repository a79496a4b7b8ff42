"""Blobs in a dictionary: for tests and trials, and the plain answer that other stores are held against."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from modelyard.adapters.blobs.addresses import check_expected, damaged, digest_of, hex_of, not_found
from modelyard.adapters.blobs.copying import write_all
from modelyard.adapters.blobs.digesting import PIECE, Progress
from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.reading import check_range
from modelyard.adapters.blobs.sources import Source, opening_source
from modelyard.adapters.blobs.targets import creating
from modelyard.domain.errors import Conflict
from modelyard.ports.blobs import BlobInfo


class MemoryBlobs:
    """A ``BlobStore`` that lives and dies with its process. Every check reads the bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._collector = threading.Lock()
        self._kept: dict[str, tuple[bytes, datetime]] = {}
        self._aside: list[tuple[str, bytes]] = []

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """See ``BlobStore.put``."""
        if expect is not None:
            hex_of(expect)
        data = b"".join(map(bytes, chunks))  # bytes(b) copies only what its owner may change
        hexdigits = hashlib.sha256(data).hexdigest()
        check_expected(digest_of(hexdigits), expect)
        with self._lock:
            kept = self._kept.get(hexdigits)
            if kept is not None and kept[0] != data:
                self._set_aside(hexdigits)
            self._kept.setdefault(hexdigits, (data, datetime.now(UTC)))
            return self._info(hexdigits)

    def put_file(
        self, path: Path, *, expect: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        """Store the regular file ``path`` as ``put`` does its bytes.

        Args:
            path: Not followed if it is a link; it must not change meanwhile.
            expect: Digest it has to have.
            progress: Called with the number of bytes newly read.

        Raises:
            BlobDamaged: The digest is not ``expect``.
            InvalidInput: ``path`` is a link or not a regular file.
            StorageError: ``path`` cannot be read, or changed while it was read.
        """
        with opening_source(path) as source, storage_errors(f"reading {str(path)!r}"):
            return self.put(_pieces(source, progress), expect=expect)

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See ``BlobStore.open``."""
        check_range(start, length)
        hexdigits = hex_of(digest)
        data = self._bytes(hexdigits)
        if start or length is not None:
            return _split(data[start:] if length is None else data[start : start + length])
        return _split_verified(hexdigits, data)

    def stat(self, digest: str) -> BlobInfo | None:
        """See ``BlobStore.stat``."""
        hexdigits = hex_of(digest)
        with self._lock:
            return self._info(hexdigits) if hexdigits in self._kept else None

    def delete(self, digest: str) -> None:
        """See ``BlobStore.delete``."""
        hexdigits = hex_of(digest)
        with self._lock:
            self._kept.pop(hexdigits, None)

    def list(self) -> Iterator[BlobInfo]:
        """See ``BlobStore.list``; what is there at the call."""
        with self._lock:
            return iter([self._info(hexdigits) for hexdigits in self._kept])

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Always ``None``."""
        hex_of(digest)
        return None

    def location(self, digest: str) -> Path | None:
        """Always ``None``: there is no file."""
        hex_of(digest)
        return None

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """See ``BlobStore.verify``; reads every time."""
        hexdigits = hex_of(digest)
        _check(hexdigits, self._bytes(hexdigits))

    def materialise(self, digest: str, target: Path, *, progress: Progress | None = None) -> None:
        """See ``BlobStore.materialise``.

        Raises:
            AlreadyExists: ``target`` is there.
        """
        hexdigits = hex_of(digest)
        data = self._bytes(hexdigits)
        with storage_errors(f"copying a blob to {str(target)!r}"), creating(Path(target)) as copied:
            _check(hexdigits, data)
            write_all(copied, data)
        if progress is not None:
            progress(len(data))

    def sweep(self, *, older_than_seconds: float) -> int:
        """Nothing is ever left over."""
        return 0

    def quarantine(self, digest: str) -> None:
        """See ``BlobStore.quarantine``; nothing happens if nothing is there."""
        hexdigits = hex_of(digest)
        with self._lock:
            if hexdigits in self._kept:
                self._set_aside(hexdigits)

    @contextmanager
    def collecting(self, *, patient: bool = True) -> Iterator[None]:
        """See ``BlobStore.collecting``."""
        if not self._collector.acquire(blocking=False):
            raise Conflict(
                "Another collection is running in this process. Nothing was removed; try again when it has ended."
            )
        try:
            yield
        finally:
            self._collector.release()

    def close(self) -> None:
        """Nothing is held."""

    def _bytes(self, hexdigits: str) -> bytes:
        with self._lock:
            kept = self._kept.get(hexdigits)
        if kept is None:
            raise not_found(hexdigits)
        return kept[0]

    def _info(self, hexdigits: str) -> BlobInfo:
        data, since = self._kept[hexdigits]
        return BlobInfo(digest=digest_of(hexdigits), size=len(data), modified_at=since)

    def _set_aside(self, hexdigits: str) -> None:
        self._aside.append((hexdigits, self._kept.pop(hexdigits)[0]))


def _check(hexdigits: str, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != hexdigits:
        raise damaged(hexdigits, digest_of(found))


def _split(data: bytes) -> Iterator[bytes]:
    return (data[at : at + PIECE] for at in range(0, len(data), PIECE))


def _split_verified(hexdigits: str, data: bytes) -> Iterator[bytes]:
    last = max(0, len(data) - 1) // PIECE * PIECE
    yield from _split(data[:last])
    _check(hexdigits, data)
    yield from _split(data[last:])


def _pieces(source: Source, progress: Progress | None) -> Iterator[bytes]:
    done = 0
    # One piece past the size is enough to see a source that grows, perhaps as fast as it is read.
    while done <= source.size and (data := os.pread(source.descriptor, PIECE, done)):
        done += len(data)
        if progress is not None:
            progress(len(data))
        yield data
    source.check_unchanged(done)
