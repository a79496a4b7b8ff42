"""Uploads in a dictionary, for a registry that lives as long as its process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from modelyard.adapters.blobs.uploads.answers import MOST, busy, too_many, unknown, wrong_offset
from modelyard.domain.errors import BlobDamaged
from modelyard.ports.blobs import BlobInfo, BlobStore
from modelyard.ports.uploads import Upload


@dataclass(slots=True)
class _Part:
    """What has arrived of one upload, and which digest it was finished with."""

    data: bytearray = field(default_factory=bytearray)
    done: str = ""
    touched: float = field(default_factory=time.monotonic)
    turn: threading.Lock = field(default_factory=threading.Lock)


class MemoryUploads:
    """``Uploads`` into any ``BlobStore``, whole in memory."""

    def __init__(self, blobs: BlobStore, *, most: int = MOST) -> None:
        self._blobs = blobs
        self._most = most
        self._parts: dict[tuple[str, str], _Part] = {}
        self._turn = threading.Lock()

    def begin(self, owner: str) -> Upload:
        """See ``Uploads.begin``."""
        with self._turn:
            if len(self.held(owner)) >= self._most:
                raise too_many(self._most)
            upload = secrets.token_hex(16)
            self._parts[owner, upload] = _Part()
        return Upload(upload=upload, size=0)

    def held(self, owner: str) -> tuple[Upload, ...]:
        """See ``Uploads.held``."""
        parts = [(key[1], part) for key, part in list(self._parts.items()) if key[0] == owner]
        return tuple(Upload(upload=upload, size=len(part.data)) for upload, part in parts if not part.done)

    def find(self, owner: str, upload: str) -> Upload:
        """See ``Uploads.find``."""
        part = self._parts.get((owner, upload))
        if part is None or part.done:
            raise unknown(upload)
        return Upload(upload=upload, size=len(part.data))

    def append(self, owner: str, upload: str, offset: int, chunks: Iterable[bytes]) -> Upload:
        """See ``Uploads.append``."""
        with self._locked(owner, upload) as part:
            if offset != len(part.data):
                raise wrong_offset(upload, offset, len(part.data))
            for chunk in chunks:
                part.data += chunk
            part.touched = time.monotonic()
            return Upload(upload=upload, size=len(part.data))

    def finish(self, owner: str, upload: str, expect: str) -> BlobInfo:
        """See ``Uploads.finish``."""
        before = self._parts.get((owner, upload))
        if before is not None and before.done == expect and (info := self._blobs.stat(expect)) is not None:
            return info
        with self._locked(owner, upload) as part:
            try:
                info = self._blobs.put((bytes(part.data),), expect=expect)
            except BlobDamaged:
                del self._parts[owner, upload]
                raise
            part.done = expect
            part.data.clear()
            return info

    def abort(self, owner: str, upload: str) -> None:
        """See ``Uploads.abort``."""
        with self._locked(owner, upload):
            del self._parts[owner, upload]

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``Uploads.sweep``."""
        freed = 0
        for key, part in list(self._parts.items()):
            if time.monotonic() - part.touched >= older_than_seconds and part.turn.acquire(blocking=False):
                freed += len(part.data)
                self._parts.pop(key, None)
                part.turn.release()
        return freed

    @contextmanager
    def _locked(self, owner: str, upload: str) -> Iterator[_Part]:
        part = self._parts.get((owner, upload))
        if part is None or part.done:
            raise unknown(upload)
        if not part.turn.acquire(blocking=False):
            raise busy(upload)
        try:
            if (owner, upload) not in self._parts or part.done:
                raise unknown(upload)
            yield part
        finally:
            part.turn.release()
