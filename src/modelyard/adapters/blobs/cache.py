"""A blob store that forgets: what was not used for the longest time makes room for what is fetched."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard.adapters.blobs.addresses import HEX, hex_of
from modelyard.adapters.blobs.digesting import Progress
from modelyard.adapters.blobs.drafts import Draft, sweep_drafts
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.domain.errors import StorageError
from modelyard.ports.blobs import BlobInfo

LIMIT: Final = 50 * 2**30
"""Bytes that are kept unless somebody says otherwise."""
IN_USE: Final = 3600.0
"""Seconds after its last use in which nothing is thrown away: a model may still be loading from it."""
ABANDONED: Final = 7 * 86_400.0
"""Seconds after which a download that nobody goes on with is thrown away."""
USED: Final = "used"


class CachedBlobs(LocalBlobs):
    """A ``LocalBlobs`` of at most ``limit`` bytes, as long as they are not all in use.

    When a blob was used is the time of an empty file beside the store: touching the blob itself would make the memory
    of verified blobs forget it.

    Args:
        root: Folder of the cache.
        limit: Bytes; 0 keeps nothing longer than an hour.
    """

    def __init__(self, root: Path, *, limit: int = LIMIT) -> None:
        super().__init__(root, folder="blobs")
        self.limit = limit
        self._guess: int | None = None

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """See ``BlobStore.put``; makes room afterwards."""
        return self._kept(super().put(chunks, expect=expect))

    def adopt(self, draft: Draft, hexdigits: str) -> BlobInfo:
        """See ``LocalBlobs.adopt``; makes room afterwards."""
        return self._kept(super().adopt(draft, hexdigits))

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See ``BlobStore.open``."""
        self._use(digest)
        return super().open(digest, start=start, length=length)

    def materialise(self, digest: str, target: Path, *, progress: Progress | None = None) -> None:
        """See ``BlobStore.materialise``."""
        self._use(digest)
        super().materialise(digest, target, progress=progress)

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """See ``BlobStore.verify``."""
        self._use(digest)
        super().verify(digest, cached=cached)

    def delete(self, digest: str) -> None:
        """See ``BlobStore.delete``."""
        super().delete(digest)
        with suppress(OSError):
            (self.root / USED / hex_of(digest)).unlink()

    def make_room(self) -> int:
        """Throw away what was not used for the longest time, until the rest fits; returns the bytes freed."""
        kept = {info.digest: info for info in self.list()}
        total, freed = sum(info.size for info in kept.values()), 0
        self._guess = total  # So that only a store that may be full is counted: that takes milliseconds.
        if total <= self.limit:
            return 0
        used = self._uses()
        edge = time.time() - IN_USE
        for digest, info in sorted(kept.items(), key=lambda pair: used.get(pair[0], 0.0)):
            if total - freed <= self.limit or used.get(digest, info.modified_at.timestamp()) > edge:
                break
            self.delete(digest)
            freed += info.size
        self._guess = total - freed
        with suppress(OSError, StorageError):
            freed += sweep_drafts(self.root, older_than_seconds=ABANDONED)
        return freed

    def _kept(self, info: BlobInfo) -> BlobInfo:
        self._use(info.digest)
        if self._guess is not None:
            self._guess += info.size
        if self._guess is None or self._guess > self.limit:
            with suppress(StorageError):  # A cache that cannot be tidied is full, not wrong.
                self.make_room()
        return info

    def _use(self, digest: str) -> None:
        """Note that a blob is used now."""
        mark = self.root / USED / hex_of(digest)
        with suppress(OSError):
            try:
                os.utime(mark)
            except FileNotFoundError:
                mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                mark.touch(0o600)

    def _uses(self) -> dict[str, float]:
        try:
            with os.scandir(self.root / USED) as found:
                entries = [entry for entry in found if HEX.fullmatch(entry.name)]
                return {
                    f"sha256:{entry.name}": entry.stat(follow_symlinks=False).st_mtime for entry in entries
                }
        except OSError:
            return {}
