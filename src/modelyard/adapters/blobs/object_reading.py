"""Iterators over the bytes of one object, which go on where a connection broke."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from modelyard.adapters.blobs.addresses import damaged, digest_of, not_found
from modelyard.adapters.blobs.digesting import PIECE
from modelyard.adapters.blobs.object_faults import object_error, object_errors
from modelyard.adapters.blobs.object_place import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

WORTH: Final = 4 * PIECE
"""Bytes from which a second thread pays."""
_READING: Final = "reading a blob"


class ObjectPieces(Iterator[bytes]):
    """Bytes ``start`` to ``end`` of an object, at most 1 MiB at a time. Not verified.

    A connection that breaks is made again at the byte where it broke, a few times for each piece of progress: the bytes
    under a digest never change, so what follows fits.

    Raises:
        FileNotFoundError: There is no such object; at once.
    """

    def __init__(self, client: ObjectStore, place: Place, key: str, start: int, end: int | None) -> None:
        self._client, self._place, self._key = client, place, key
        self._at = start
        self._failures = 0
        self._held = memoryview(b"")
        with object_errors(place, _READING):
            answer = self._get(end)
            self.size: int = answer.meta["size"]
            self.e_tag: str | None = answer.meta["e_tag"]
            self._end = min(answer.range[1], self.size)
            self._stream: Iterator[Any] = answer.stream(min_chunk_size=PIECE)

    def _get(self, end: int | None) -> Any:
        import obstore

        if self._at == 0 and end is None:
            return obstore.get(self._client, self._key)
        wanted: Any = {"offset": self._at} if end is None else (self._at, end)
        return obstore.get(self._client, self._key, options={"range": wanted})

    def __next__(self) -> bytes:
        if not self._held:
            data = self._more()
            if 0 < len(data) <= PIECE:
                return data
            self._held = memoryview(data)
        piece = bytes(self._held[:PIECE])
        self._held = self._held[PIECE:]
        if not piece:
            raise StopIteration
        return piece

    def _more(self) -> bytes:
        """The next bytes of the stream; none at the end."""
        while self._at < self._end:
            try:
                if data := bytes(next(self._stream, b"")):
                    self._at += len(data)
                    self._failures = 0
                    return data
                self._again(EOFError("connection closed"))
            except Exception as error:
                self._again(error)
        return b""

    def _again(self, error: Exception) -> None:
        """Ask for what is missing."""
        import obstore
        from obstore.exceptions import BaseError

        if not isinstance(error, BaseError | EOFError | OSError):
            raise error
        self._failures += 1
        if self._failures >= self._place.patience.tries:
            raise object_error(self._place, _READING, error) from None
        try:
            with object_errors(self._place, _READING):
                options: Any = {"range": (self._at, self._end)}
                self._stream = obstore.get(self._client, self._key, options=options).stream(PIECE)
        except FileNotFoundError:
            raise not_found(self._key.rpartition("/")[2]) from None


class VerifiedObject(Iterator[bytes]):
    """All bytes of a blob. The last piece is held back until the digest of them all is known to be right.

    Args:
        pieces: The whole object.
        hexdigits: What the digest has to be.
        when_good: Called with the object's ETag once all bytes have been found good.
    """

    def __init__(self, pieces: ObjectPieces, hexdigits: str, when_good: Callable[[str | None], None]) -> None:
        self._pieces = pieces
        self._hex = hexdigits
        self._when_good = when_good
        self._hasher = hashlib.sha256()
        # One thread hashes a piece while this one fetches the next. It ends with this object.
        self._pool = ThreadPoolExecutor(1, "modelyard-sha256") if pieces.size > WORTH else None
        self._hashing: Future[None] | None = None
        self._held: bytes | None = None
        self._judged = False

    def __next__(self) -> bytes:
        if self._held is None:
            self._held = self._next_hashed()
        held, self._held = self._held, self._next_hashed()
        if not self._held:
            self._judge()
        if not held:
            raise StopIteration
        return held

    def _next_hashed(self) -> bytes:
        data = next(self._pieces, b"")
        if self._pool is None:
            self._hasher.update(data)
        else:
            self._wait()
            self._hashing = self._pool.submit(self._hasher.update, data)
        return data

    def _wait(self) -> None:
        if self._hashing is not None:
            self._hashing.result()

    def _judge(self) -> None:
        if self._judged:
            return
        self._judged = True
        self._wait()
        found = self._hasher.hexdigest()
        if found != self._hex:
            raise damaged(self._hex, digest_of(found))
        self._when_good(self._pieces.e_tag)
