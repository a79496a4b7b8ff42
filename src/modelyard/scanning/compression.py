"""Decompressing while reading, with limits: the same code feeds the tracer and the guarded unpicklers."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from modelyard.scanning.findings import Unreadable
from modelyard.scanning.lz4 import Lz4Frames

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RATIO: Final = 200
ALWAYS: Final = 1 << 30
"""What may come out: ``ALWAYS`` bytes, or ``RATIO`` times what went in if that is more."""
_PIECE: Final = 64 * 1024
_LZMA_MEMORY: Final = 64 << 20  # a dictionary above this is refused: 9e, the largest preset, needs 65 MiB

_STARTS: Final[tuple[tuple[str, bytes], ...]] = (
    ("gzip", b"\x1f\x8b\x08"),
    ("bz2", b"BZh"),
    ("xz", b"\xfd7zXZ\x00"),
    ("lzma", b"\x5d\x00\x00"),
    ("lz4", b"\x04\x22\x4d\x18"),
)


class _Zlib:
    """``zlib.decompressobj`` with the face of ``bz2.BZ2Decompressor``."""

    def __init__(self, wbits: int):
        self._inflate = zlib.decompressobj(wbits)

    eof = property(lambda self: self._inflate.eof)
    unused_data = property(lambda self: self._inflate.unused_data)

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail and not self._inflate.eof

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


_OPENERS: Final[dict[str, Callable[[], Any]]] = {
    "zlib": lambda: _Zlib(zlib.MAX_WBITS),
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY),
    "lz4": Lz4Frames,
    "deflate": lambda: _Zlib(-zlib.MAX_WBITS),
}
_SEVERAL: Final = frozenset({"gzip", "bz2", "xz"})  # formats whose readers go on with a further member


def compressor_of(head: bytes) -> str | None:
    """``zlib``, ``gzip``, ``bz2``, ``xz``, ``lzma``, ``lz4`` or ``None``, by the first bytes."""
    for name, start in _STARTS:
        if head.startswith(start):
            return name
    # RFC 1950 section 2.2: deflate with a 32 KiB window, and a header checksum that a multiple of 31 satisfies
    if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return None


class Inflating(io.RawIOBase):
    """The decompressed bytes of ``stream``; holds at most two pieces of 64 KiB, whatever the input.

    Args:
        stream: Compressed bytes, from the current position on.
        method: What ``compressor_of`` said.
        size: Compressed bytes in all, for the ratio.
    """

    def __init__(self, stream: BinaryIO, method: str, *, size: int):
        self._stream: Any = stream
        self._method = method
        self._limit = max(ALWAYS, RATIO * size)
        self._machine = _OPENERS[method]()
        self._at = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(len(view)) if len(view) else b""
        view[: len(data)] = data
        self._at += len(data)
        if self._at > self._limit:
            raise Unreadable(f"{self._method} data that grows beyond {self._limit} bytes")
        return len(data)

    def _next(self, most: int) -> bytes:
        try:
            while not self._ended:
                if self._machine.eof:
                    self._following_member()
                    continue
                fresh = self._stream.read(_PIECE) if self._machine.needs_input else b""
                if not fresh and self._machine.needs_input:
                    raise Unreadable(f"truncated {self._method} data")
                data: bytes = self._machine.decompress(fresh, most)
                if data:
                    return data
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise Unreadable(f"damaged {self._method} data: {error}") from error
        return b""

    def _following_member(self) -> None:
        rest = self._machine.unused_data or self._stream.read(_PIECE)
        rest = rest.lstrip(b"\0") if self._method in _SEVERAL else rest
        if not rest and not self._stream.peek(1):
            self._ended = True
            return
        if self._method not in _SEVERAL:
            raise Unreadable(f"bytes after the end of the {self._method} data")
        self._machine = _OPENERS[self._method]()
        self._stream = _Joined(rest, self._stream)


class _Joined:
    """Bytes already read, then the rest of a stream."""

    def __init__(self, head: bytes, tail: Any):
        self._head: bytes = head + tail._head if isinstance(tail, _Joined) else head
        self._tail: Any = tail._tail if isinstance(tail, _Joined) else tail

    def read(self, count: int) -> bytes:
        data: bytes = self._head[:count] or self._tail.read(count)
        self._head = self._head[count:]
        return data

    def peek(self, count: int) -> bytes:
        data: bytes = self._head[:count] or self._tail.peek(count)
        return data


def inflated(stream: BinaryIO, method: str, *, size: int) -> io.BufferedReader:
    """A buffered reader over the decompressed bytes of a buffered ``stream``."""
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream, _PIECE)  # type: ignore[type-var]
    return io.BufferedReader(Inflating(stream, method, size=size), _PIECE)
