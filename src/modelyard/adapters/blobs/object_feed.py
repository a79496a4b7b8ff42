"""Bytes on their way into an object store, hashed as they pass."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

from modelyard.adapters.blobs.addresses import check_expected, digest_of
from modelyard.adapters.blobs.digesting import PIECE, Progress
from modelyard.adapters.blobs.sources import Source
from modelyard.domain.errors import TooLarge


class Feed(Iterator[bytes]):
    """The chunks of one upload. Its end is where the digest is judged: raising there keeps the upload from completing.

    Args:
        chunks: What is uploaded; empty ones are left out, and what their owner may change is copied.
        expect: The digest that all of them must have; ``None`` takes any.
        most: Bytes that can be taken.

    Attributes:
        size: Bytes that have passed.
        is_whole: Everything has passed and the digest is right.
    """

    def __init__(self, chunks: Iterable[bytes], *, expect: str | None, most: int) -> None:
        self._chunks = iter(chunks)
        self._expect = expect
        self._most = most
        self._hasher = hashlib.sha256()
        self.size = 0
        self.is_whole = False

    @property
    def hexdigits(self) -> str:
        """Digest of what has passed."""
        return self._hasher.hexdigest()

    def __next__(self) -> bytes:
        for chunk in self._chunks:
            if data := bytes(chunk):
                self._hasher.update(data)
                self.size += len(data)
                if self.size > self._most:
                    raise self._too_large()
                return data
        check_expected(digest_of(self.hexdigits), self._expect)
        self.is_whole = True
        raise StopIteration

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"A stream of unknown length may have at most {self._most:,} bytes in an object store, because it goes "
            "there in at most 10,000 parts. Nothing was stored; store it from a file, whose length is known.",
            data={"limit": self._most},
        )


def pieces_of(source: Source, progress: Progress | None) -> Iterator[bytes]:
    """The bytes of an open file; raises at its end if the file changed meanwhile."""
    done = 0
    # One piece past the size is enough to see a source that grows, perhaps as fast as it is read.
    while done <= source.size and (data := os.pread(source.descriptor, PIECE, done)):
        done += len(data)
        if progress is not None:
            progress(len(data))
        yield data
    source.check_unchanged(done)


def gathered(chunks: Iterator[bytes], limit: int) -> bytes:
    """Join chunks until they are more than ``limit`` bytes, or until the end."""
    taken: list[bytes] = []
    size = 0
    for chunk in chunks:
        taken.append(bytes(chunk))
        size += len(chunk)
        if size > limit:
            break
    return b"".join(taken)
