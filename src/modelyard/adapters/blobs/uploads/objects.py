"""Uploads as small objects beside the blobs of an object store, so that any server goes on where another one stopped.

``uploads/<16 hex of the owner>/<32 hex id>/`` holds ``begun``, one object per piece under the offset of its first byte
(``part-<20 digits>``), and ``done`` with the digest once it is finished. How much has arrived is what the pieces that
follow on each other make up: there is nothing else to keep, to lose or to disagree. A piece is only ever created, never
replaced, so of two writers at the same place one wins and the other is told where to go on.

Bytes are hashed as they come. Where all of them came through this process, and the store can, it puts the pieces
together by itself. Else bytes go into the store, out of it and in again; whoever knows the digest beforehand can send
them at once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.adapters.blobs.addresses import check_expected, digest_of, hex_of
from modelyard.adapters.blobs.object_assembly import Part
from modelyard.adapters.blobs.object_faults import object_errors
from modelyard.adapters.blobs.object_reading import ObjectPieces
from modelyard.adapters.blobs.object_uploading import PART
from modelyard.adapters.blobs.uploads.answers import ID, MOST, busy, too_many, unknown, wrong_offset
from modelyard.domain.errors import BlobDamaged, StorageError
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.uploads import Upload

if TYPE_CHECKING:
    from hashlib import _Hash

    from obstore import ObjectMeta

    from modelyard.adapters.blobs.objectstore import ObjectBlobs

FOLDER: Final = "uploads"
AT_ONCE: Final = 2
"""Pieces on their way at the same time, of 8 MiB each; one more is being filled meanwhile."""
REMEMBERED: Final = 64
"""Uploads of which is kept in memory what was hashed; the others are read once more at the end."""
_PART: Final = re.compile(r"part-(\d{20})")
_DOING: Final = "keeping an upload"


@dataclass(slots=True)
class _Kept:
    """What the store has of one upload."""

    parts: dict[int, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    touched: list[datetime] = field(default_factory=list)
    is_done: bool = False

    @property
    def size(self) -> int:
        """Bytes that follow on each other from the first."""
        at = 0
        while length := self.parts.get(at, 0):
            at += length
        return at

    def add(self, name: str, meta: ObjectMeta) -> None:
        """Take in one object of it."""
        self.keys.append(meta["path"])
        self.touched.append(meta["last_modified"])
        self.is_done = self.is_done or name == "done"
        if found := _PART.fullmatch(name):
            self.parts[int(found[1])] = meta["size"]


@dataclass(slots=True)
class _Hashed:
    """What this process has put into one upload from its first byte on, without a gap."""

    hasher: _Hash = field(default_factory=hashlib.sha256)
    size: int = 0
    parts: list[Part] = field(default_factory=list)

    def are(self, parts: Mapping[int, int]) -> bool:
        """Whether these pieces, and no others, are what the store has."""
        at = 0
        for part in self.parts:
            if parts.get(at) != part.size:
                return False
            at += part.size
        return at == self.size and at not in parts


class ObjectUploads:
    """``Uploads`` into an ``ObjectBlobs``.

    Args:
        blobs: Where finished bytes go, and in whose place the pieces wait.
        most: Uploads under way per owner.
        piece: Bytes after which a piece is written; what arrived after the last one is lost when a server dies.
    """

    def __init__(self, blobs: ObjectBlobs, *, most: int = MOST, piece: int = PART) -> None:
        self._blobs = blobs
        self._most = most
        self._piece = piece
        self._writing: set[str] = set()
        self._hashed: dict[str, _Hashed] = {}
        self._turn = threading.Lock()

    def begin(self, owner: str) -> Upload:
        """See ``Uploads.begin``."""
        if len(self.held(owner)) >= self._most:
            raise too_many(self._most)
        upload = secrets.token_hex(16)
        self._write(f"{_home(owner)}/{upload}/begun", b"")
        return Upload(upload=upload, size=0)

    def held(self, owner: str) -> tuple[Upload, ...]:
        """See ``Uploads.held``."""
        kept = self._kept(_home(owner))
        return tuple(
            Upload(upload=home.rpartition("/")[2], size=each.size)
            for home, each in kept.items()
            if not each.is_done
        )

    def find(self, owner: str, upload: str) -> Upload:
        """See ``Uploads.find``."""
        return Upload(upload=upload, size=self._under_way(owner, upload).size)

    def append(self, owner: str, upload: str, offset: int, chunks: Iterable[bytes]) -> Upload:
        """See ``Uploads.append``."""
        with self._alone(upload):
            size = self._under_way(owner, upload).size
            if offset != size:
                raise wrong_offset(upload, offset, size)
            home = f"{_home(owner)}/{upload}"
            hashed = self._remembered(upload, offset)
            for part in self._sent(home, chunks, offset, hashed):
                size += part.size
            if hashed is not None:
                self._remember(upload, hashed)
        return Upload(upload=upload, size=size)

    def _sent(
        self, home: str, chunks: Iterable[bytes], offset: int, hashed: _Hashed | None
    ) -> Iterator[Part]:
        """Write pieces, ``AT_ONCE`` at a time; each is given once it and all before it are in the store."""
        under_way: deque[Future[Part]] = deque()
        with ThreadPoolExecutor(AT_ONCE, "modelyard-pieces") as pool:
            for at, piece in _pieces(chunks, offset, self._piece):
                if len(under_way) == AT_ONCE:
                    yield _noted(under_way.popleft().result(), hashed)
                under_way.append(pool.submit(self._create, f"{home}/part-{at:020d}", piece))
                if hashed is not None:
                    hashed.hasher.update(piece)
            for sent in under_way:
                yield _noted(sent.result(), hashed)

    def finish(self, owner: str, upload: str, expect: str) -> BlobInfo:
        """See ``Uploads.finish``."""
        hex_of(expect)
        if (again := self._done(owner, upload, expect)) is not None:
            return again
        with self._alone(upload):
            kept = self._under_way(owner, upload)
            home = f"{_home(owner)}/{upload}"
            try:
                info = self._together(upload, kept, expect)
                if info is None:
                    info = self._blobs.put(self._bytes(home, kept), expect=expect)
            except BlobDamaged:
                self._blobs.remove(kept.keys)
                raise
            self._write(f"{home}/done", expect.encode())
            with suppress(StorageError):  # Swept later, if need be.
                self._blobs.remove([key for key in kept.keys if _PART.search(key)])
            return info

    def _together(self, upload: str, kept: _Kept, expect: str) -> BlobInfo | None:
        """The blob, made of the pieces inside the store; ``None`` where their bytes have to be read here.

        Raises:
            BlobDamaged: They have another digest.
        """
        hashed = self._remembered(upload, kept.size)
        if hashed is None or not hashed.are(kept.parts):
            return None
        check_expected(digest_of(hashed.hasher.hexdigest()), expect)
        return self._blobs.put_together(expect, hashed.parts)

    def _remembered(self, upload: str, size: int) -> _Hashed | None:
        """What this process put into it, if that is all there is; it is forgotten by that."""
        with self._turn:
            found = self._hashed.pop(upload, None)
        if size == 0:
            return _Hashed()
        return found if found is not None and found.size == size else None

    def _remember(self, upload: str, hashed: _Hashed) -> None:
        with self._turn:
            self._hashed[upload] = hashed
            while len(self._hashed) > REMEMBERED:
                del self._hashed[next(iter(self._hashed))]

    def abort(self, owner: str, upload: str) -> None:
        """See ``Uploads.abort``."""
        with self._alone(upload):
            self._blobs.remove(self._under_way(owner, upload).keys)

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``Uploads.sweep``."""
        freed, now = 0, datetime.now(UTC)
        for home, kept in self._kept(FOLDER).items():
            age = (now - max(kept.touched)).total_seconds()
            if age >= older_than_seconds and home.rpartition("/")[2] not in self._writing:
                self._blobs.remove(kept.keys)
                freed += sum(kept.parts.values())
        return freed

    def _under_way(self, owner: str, upload: str) -> _Kept:
        """What there is of an upload.

        Raises:
            NotFound: There is none, or it is finished, or it is somebody else's.
        """
        home = f"{_home(owner)}/{upload}"
        kept = self._kept(home).get(home) if ID.fullmatch(upload) else None
        if kept is None or kept.is_done:
            raise unknown(upload)
        return kept

    def _done(self, owner: str, upload: str, expect: str) -> BlobInfo | None:
        """What finishing it said before, if it was finished with these bytes."""
        if not ID.fullmatch(upload):
            raise unknown(upload)
        try:
            pieces = ObjectPieces(
                self._blobs.client, self._blobs.place, f"{_home(owner)}/{upload}/done", 0, None
            )
        except FileNotFoundError:
            return None
        return self._blobs.stat(expect) if b"".join(pieces) == expect.encode() else None

    def _bytes(self, home: str, kept: _Kept) -> Iterator[bytes]:
        at = 0
        while length := kept.parts.get(at, 0):
            try:
                yield from ObjectPieces(
                    self._blobs.client, self._blobs.place, f"{home}/part-{at:020d}", 0, None
                )
            except FileNotFoundError:  # Given up or swept this moment.
                raise unknown(home.rpartition("/")[2]) from None
            at += length

    def _kept(self, prefix: str) -> dict[str, _Kept]:
        """Everything below a prefix, by the home of each upload."""
        import obstore

        kept: dict[str, _Kept] = {}
        with object_errors(self._blobs.place, _DOING):
            for page in obstore.list(self._blobs.client, prefix, chunk_size=1000):
                for meta in page:
                    home, _, name = meta["path"].rpartition("/")
                    kept.setdefault(home, _Kept()).add(name, meta)
        return kept

    def _write(self, key: str, data: bytes) -> None:
        import obstore

        with object_errors(self._blobs.place, _DOING):
            obstore.put(self._blobs.client, key, data, use_multipart=False)

    def _create(self, key: str, data: bytearray) -> Part:
        """Make an object, which nobody has made before.

        Raises:
            Conflict: Another writer has. The very same bytes may be ours, unanswered; then it counts as made.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with object_errors(self._blobs.place, _DOING):
            try:
                e_tag = obstore.put(self._blobs.client, key, data, mode="create")["e_tag"]
            except (AlreadyExistsError, PreconditionError):
                there = obstore.get(self._blobs.client, key)
                if bytes(there.bytes()) != data:
                    raise busy(key.split("/")[2]) from None
                e_tag = there.meta["e_tag"]
        return Part(key=key, size=len(data), e_tag=e_tag or "")

    @contextmanager
    def _alone(self, upload: str) -> Iterator[None]:
        """One call at a time in this process; among processes, that a piece is only ever created keeps order."""
        with self._turn:
            if upload in self._writing:
                raise busy(upload)
            self._writing.add(upload)
        try:
            yield
        finally:
            with self._turn:
                self._writing.discard(upload)


def _home(owner: str) -> str:
    """The owner's name may be any text; its digest may be part of a key."""
    return f"{FOLDER}/{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def _noted(part: Part, hashed: _Hashed | None) -> Part:
    if hashed is not None:
        hashed.parts.append(part)
        hashed.size += part.size
    return part


def _pieces(chunks: Iterable[bytes], at: int, most: int) -> Iterator[tuple[int, bytearray]]:
    """Join and cut to pieces with the offset of each; what came before a break is given before the break is raised."""
    held, size = bytearray(most), 0
    failure: BaseException | None = None
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                count = min(len(rest), most - size)
                held[size : size + count] = rest[:count]
                rest, size = rest[count:], size + count
                if size == most:
                    yield at, held
                    at, held, size = at + most, bytearray(most), 0
    except Exception as error:
        failure = error
    if size:
        yield at, held[:size]
    if failure is not None:
        raise failure
