"""Bytes to and from a server, with a cache by digest on this side."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from modelyard.domain.errors import (
    BlobDamaged,
    BlobNotFound,
    Conflict,
    InvalidInput,
    ModelyardError,
    NotFound,
    StorageError,
)
from modelyard.domain.names import check_digest
from modelyard.ports.blobs import BlobInfo, BlobStore
from modelyard.ports.uploads import Uploads
from modelyard.remote.connections import FROM_THE_SERVER
from modelyard.remote.downloads import Wanted, download
from modelyard.remote.patience import Patience
from modelyard.remote.transport import Transport
from modelyard.remote.uploads import LargeUpload, note_of
from modelyard.wire.codec import decode
from modelyard.wire.operations import PREFIX

if TYPE_CHECKING:
    import httpx

PIECE: Final = 1024 * 1024
SMALL: Final = 8 * PIECE
"""Bytes that are kept in memory and travel in one request; more go in pieces that a broken connection does not undo."""

FAST: Final = 300_000_000
"""Bytes a second from which on one connection is taken to bring all that the network can."""

TURNS: Final = 5
"""Tries at fetching bytes that another client of the same cache keeps taking over."""

T = TypeVar("T")
Told = Callable[[int], None] | None


class RemoteBlobs:
    """What a ``RemoteService`` does about bytes. Every digest is checked here too, to the last byte.

    Args:
        transport: The way to the server.
        cache: Bytes that were fetched.
        arriving: Bytes that are being fetched, kept beside the cache.
        notes: Folder in which uploads under way are remembered; ``None``: this process has to finish what it began.
    """

    def __init__(
        self, transport: Transport, cache: BlobStore, arriving: Uploads, notes: Path | None = None
    ) -> None:
        self._transport = transport
        self._cache = cache
        self._arriving = arriving
        self._notes = notes

    def has(self, digest: str) -> bool:
        """Whether the server says that it has them; one that may not say so says no."""
        body = {"digests": [check_digest(digest)]}
        found = self._transport.ask("POST", f"{PREFIX}/blobs/missing", body=body, safe=True)
        return digest not in found["missing"]

    def find(self, digest: str) -> BlobInfo | None:
        """What the cache or the server says of them, without reading any."""
        if (cached := self._cache.stat(check_digest(digest))) is not None:
            return cached
        try:
            with self._transport.stream("HEAD", f"{PREFIX}/blobs/{digest}") as answer:
                size, at = int(answer.headers["content-length"]), answer.headers["last-modified"]
        except NotFound:
            return None
        return BlobInfo(digest=digest, size=size, modified_at=parsedate_to_datetime(at))

    # --- there ------------------------------------------------------------------------------------------------------

    def put(self, chunks: Iterable[bytes], digest: str | None) -> BlobInfo:
        """Send bytes. They are collected first, since a broken connection may call for them again."""
        with tempfile.SpooledTemporaryFile(SMALL, prefix="modelyard-") as spool:
            hasher, size = hashlib.sha256(), 0
            for chunk in chunks:
                hasher.update(chunk)
                size += spool.write(chunk)
            found = f"sha256:{hasher.hexdigest()}"
            _expect(found, digest)
            spool.seek(0)
            if size <= SMALL:
                return self._send(spool.read(), found)
            return LargeUpload(self._transport, spool, found, self.has, None, None).run()

    def put_file(self, path: Path, digest: str | None, progress: Told) -> BlobInfo:
        """Send a file, unless the server has these bytes.

        Raises:
            BlobDamaged: It has another digest than ``digest``; nothing was stored.
            StorageError: It cannot be read, or changed while it was.
        """
        if digest is not None:
            check_digest(digest)
        try:
            with path.open("rb") as source:
                return self._put_open(path, source, digest, progress)
        except ModelyardError:
            raise
        except OSError as error:
            raise StorageError(f"{str(path)!r} cannot be read: {error.strerror}") from error

    def _put_open(self, path: Path, source: IO[bytes], digest: str | None, progress: Told) -> BlobInfo:
        found = os.fstat(source.fileno())
        if found.st_size <= SMALL:
            data = source.read(SMALL + 1)
            actual = f"sha256:{hashlib.sha256(data).hexdigest()}"
            _expect(actual, digest)
            info = self._send(data, actual)
            if progress is not None:
                progress(len(data))
            return info
        note = None if self._notes is None else note_of(self._notes, self._transport.url, found, path)
        try:
            return LargeUpload(self._transport, source, digest, self.has, note, progress).run()
        except BlobDamaged as error:
            if digest is not None:
                raise
            raise StorageError(f"{str(path)!r} changed while it was read; nothing was stored") from error

    def _send(self, data: bytes, digest: str) -> BlobInfo:
        """All bytes in one request. Sending them again does no harm: their address is their digest."""
        path, headers = f"{PREFIX}/blobs/{digest}", {"Content-Type": "application/octet-stream"}

        def once() -> Any:
            with self._transport.stream("PUT", path, headers=headers, content=data) as answer:
                answer.read()
                return self._transport.read(answer)

        return decode(BlobInfo, _patiently(once))

    # --- and back ---------------------------------------------------------------------------------------------------

    def open(self, digest: str, start: int, length: int | None) -> Iterator[bytes]:
        """Bytes in pieces. A whole read is verified before its last piece is given."""
        check_digest(digest)
        if start < 0 or (length is not None and length < 0):
            raise InvalidInput(f"start and length must not be negative, not {start} and {length}")
        if self._cache.stat(digest) is not None:
            return self._cache.open(digest, start=start, length=length)
        pieces = self._pieces(digest, start, length)
        first = next(pieces, b"")  # so that what is not there is told by the call, not by the first use
        return _chained(first, pieces)

    def _pieces(self, digest: str, start: int, length: int | None) -> Iterator[bytes]:
        if length == 0:
            return
        whole = start == 0 and length is None
        end = "" if length is None else str(start + length - 1)
        headers = {"Accept-Encoding": "identity"} | ({} if whole else {"Range": f"bytes={start}-{end}"})
        with self._transport.stream("GET", _path(digest), headers=headers) as answer:
            given = answer.iter_bytes(PIECE)
            yield from _checked(given, digest) if whole else given

    def fetch(self, digest: str, progress: Told = None) -> None:
        """Bring bytes into the cache, verified, unless they are there."""
        check_digest(digest)
        for left in range(TURNS - 1, -1, -1):
            if self._cache.stat(digest) is not None:
                return
            try:
                self._fetch(digest, progress)
            except BlobNotFound:
                raise
            except (Conflict, NotFound):  # Another client works on the same bytes.
                if not left:
                    raise

    def _fetch(self, digest: str, progress: Told) -> None:
        if self._arriving.held(digest):
            start, size, fast = b"", self._size(digest), False
        else:
            begun = time.perf_counter()
            start, size = self._start(digest)
            fast = len(start) > FAST * (time.perf_counter() - begun)
            if len(start) == size:
                self._cache.put((start,), expect=digest)
                if progress is not None:
                    progress(size)
                return
        download(
            self._transport,
            self._arriving,
            Wanted(digest=digest, size=size, start=start, one_is_enough=fast),
            progress,
        )

    def _start(self, digest: str) -> tuple[bytes, int]:
        """The first bytes, which for most files are all, and how many there are in all."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes=0-{SMALL - 1}"}

        def once() -> tuple[bytes, int]:
            with self._transport.stream("GET", _path(digest), headers=headers) as answer:
                return _first(answer)

        return _patiently(once)

    def _size(self, digest: str) -> int:
        """How many bytes there are.

        Raises:
            BlobNotFound: The server has none of that digest, or none for this caller.
        """

        def once() -> int:
            with self._transport.stream("HEAD", f"{PREFIX}/blobs/{digest}") as answer:
                return int(answer.headers["content-length"])

        try:
            return _patiently(once)
        except NotFound as error:  # An answer to HEAD has no body that could say which of those it is.
            raise BlobNotFound(f"the server has no bytes {digest}", data={"digest": digest}) from error

    def materialise(self, digest: str, target: Path, progress: Told) -> None:
        """A private, verified copy."""
        self.fetch(digest, progress)
        self._cache.materialise(digest, target)

    def location(self, digest: str) -> Path | None:
        """The cached file, if the bytes are here."""
        return self._cache.location(digest)

    def verified(self, digest: str) -> Path | None:
        """The cached file, fetched if need be. A cached copy that went bad is thrown away and fetched again."""
        self.fetch(digest)
        try:
            self._cache.verify(digest)
        except BlobDamaged:
            with suppress(OSError):
                self._cache.delete(digest)
            self.fetch(digest)
        return self._cache.location(digest)

    def close(self) -> None:
        """Close the cache."""
        self._cache.close()


def _path(digest: str) -> str:
    """Where the server sends bytes itself: for little of them it is not worth asking somebody else."""
    return f"{PREFIX}/blobs/{digest}{FROM_THE_SERVER}"


def _patiently(once: Callable[[], T]) -> T:
    patience = Patience()
    while True:
        try:
            return once()
        except ModelyardError as error:
            patience.wait(error)


def _first(answer: httpx.Response) -> tuple[bytes, int]:
    """Up to ``SMALL`` bytes of an answer, and the size of the whole."""
    taken = bytearray()
    for piece in answer.iter_raw():
        taken += piece
        if len(taken) >= SMALL:  # whoever did not understand the range sends on; it is not listened to
            break
    size = answer.headers.get("content-range", "").rpartition("/")[2] or answer.headers["content-length"]
    return bytes(taken[:SMALL]), int(size)


def _expect(found: str, wanted: str | None) -> None:
    if wanted is not None and found != check_digest(wanted):
        raise BlobDamaged(
            f"the bytes have the digest {found}, not {wanted}; nothing was stored",
            data={"digest": wanted, "expected": wanted, "found": found},
        )


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _checked(pieces: Iterator[bytes], digest: str) -> Iterator[bytes]:
    """The pieces, the last one only when all of them have the digest."""
    hasher, held = hashlib.sha256(), b""
    for piece in pieces:
        hasher.update(piece)
        if held:
            yield held
        held = piece
    if (found := f"sha256:{hasher.hexdigest()}") != digest:
        raise BlobDamaged(
            f"the server sent other bytes than {digest}",
            data={"digest": digest, "expected": digest, "found": found},
        )
    if held:
        yield held
