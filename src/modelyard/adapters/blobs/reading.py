"""Iterators over the bytes of one open blob."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Final

from modelyard.adapters.blobs.addresses import damaged, digest_of
from modelyard.adapters.blobs.digesting import PIECE
from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.verified import unchanged
from modelyard.domain.errors import InvalidInput

_AT_ONCE: Final[int] = getattr(os, "RWF_NOWAIT", 0)
"""Asks for an error instead of a wait; 0 where the system has no such thing."""


def check_range(start: int, length: int | None) -> None:
    """Refuse ranges that mean nothing.

    Raises:
        InvalidInput: A number is negative.
    """
    if start < 0 or (length is not None and length < 0):
        raise InvalidInput(
            f"The range start={start}, length={length} is not a part of a file: both count bytes from 0 up.",
            data={"start": start, "length": length},
        )


class Reading(Iterator[bytes]):
    """Bytes ``start`` to ``start + length`` of a descriptor, which it owns, at most 1 MiB at a time."""

    def __init__(self, descriptor: int, start: int, length: int | None) -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = None if length is None else start + length

    def __next__(self) -> bytes:
        data = self._read()
        if not data:
            self.close()
            raise StopIteration
        return data

    def _read(self) -> bytes:
        wanted = PIECE if self._end is None else min(PIECE, self._end - self._at)
        if self._descriptor < 0 or wanted == 0:
            return b""
        with storage_errors("reading a blob"):
            data = os.pread(self._descriptor, wanted, self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        """Release the descriptor; iteration ends."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Pieces(Reading):
    """The bytes as they are, not verified; ``Refilling``."""

    def fill(self, buffer: memoryview) -> int:
        """See ``Refilling.fill``."""
        with storage_errors("reading a blob"):
            return self._fill(buffer, 0)

    def fill_at_once(self, buffer: memoryview) -> int | None:
        """See ``Refilling.fill_at_once``: what the system has in memory (preadv2(2))."""
        if not _AT_ONCE:
            return None
        try:
            return self._fill(buffer, _AT_ONCE)
        except OSError:  # not in memory, or nobody can tell; a fault of the disk shows in ``fill``
            return None

    def _fill(self, buffer: memoryview, flags: int) -> int:
        wanted = len(buffer) if self._end is None else min(len(buffer), self._end - self._at)
        if self._descriptor < 0 or wanted == 0:
            return 0
        count = os.preadv(self._descriptor, [buffer[:wanted]], self._at, flags)
        self._at += count
        if count == 0:
            self.close()
        return count


class VerifiedPieces(Reading):
    """All bytes of a blob. The last piece is held back until the digest of them all is known to be right.

    Args:
        descriptor: Open blob; owned.
        hexdigits: What the digest has to be.
        when_good: Called with the ``fstat`` from before the reading, once all bytes have been found good.
    """

    def __init__(self, descriptor: int, hexdigits: str, when_good: Callable[[os.stat_result], None]) -> None:
        super().__init__(descriptor, 0, None)
        self._hex = hexdigits
        self._when_good = when_good
        self._before = os.fstat(descriptor)
        self._hasher = hashlib.sha256()
        self._held: bytes | None = None

    def __next__(self) -> bytes:
        if self._descriptor < 0:
            raise StopIteration
        if self._held is None:
            self._held = self._next_hashed()
        held, self._held = self._held, self._next_hashed()
        if not self._held:
            self._judge()
        if not held:
            raise StopIteration
        return held

    def _next_hashed(self) -> bytes:
        data = self._read()
        self._hasher.update(data)
        return data

    def _judge(self) -> None:
        same = unchanged(self._before, os.fstat(self._descriptor))
        self.close()
        found = self._hasher.hexdigest()
        if found != self._hex:
            raise damaged(self._hex, digest_of(found))
        if same:
            self._when_good(self._before)
