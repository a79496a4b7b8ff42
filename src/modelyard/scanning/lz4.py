"""LZ4 frames (lz4_Frame_format.md 1.6.x and lz4_Block_format.md), in plain Python so that scanning needs nothing.

About 10 to 200 MB/s, depending on how well the data was compressed: long literals are copied as slices.
"""

from __future__ import annotations

from typing import Final

_MAGIC: Final = b"\x04\x22\x4d\x18"
_WINDOW: Final = 64 * 1024
_BLOCK_SIZES: Final = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}


class Lz4Frames:
    """Incremental decompressor of one frame with the face of ``bz2.BZ2Decompressor``."""

    def __init__(self) -> None:
        self._finished = False
        self._starved = True
        self.unused_data = b""
        self._input = b""
        self._output = bytearray()
        self._history = b""
        self._header: tuple[int, int] | None = None  # flags, largest block

    @property
    def needs_input(self) -> bool:
        return self._starved and not self._output and not self._finished

    @property
    def eof(self) -> bool:
        """True once the frame has ended and everything was handed out."""
        return self._finished and not self._output

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Up to ``max_length`` bytes; feed more input while ``needs_input``.

        Raises:
            ValueError: The frame is malformed or uses a feature that joblib never writes (dictionaries).
        """
        self._input += data
        self._starved = False
        while not (self._output or self._finished or self._starved):
            self._starved = not self._step()
        ready = bytes(self._output[:max_length])
        del self._output[:max_length]
        return ready

    def _step(self) -> bool:
        """Consume one header or block; False if more input is needed."""
        if self._header is None:
            return self._read_header()
        flags, largest = self._header
        if len(self._input) < 4:
            return False
        word = int.from_bytes(self._input[:4], "little")
        if word == 0:
            return self._finish(4 if flags & 0x04 else 0)
        size = word & 0x7FFFFFFF
        if size > largest:
            raise ValueError("a block larger than the frame allows")
        trailer = 4 if flags & 0x10 else 0
        if len(self._input) < 4 + size + trailer:
            return False
        block = self._input[4 : 4 + size]
        self._input = self._input[4 + size + trailer :]
        history = b"" if flags & 0x20 else self._history
        plain = block if word >> 31 else decode_block(block, history, largest)
        self._output += plain
        self._history = (self._history + plain)[-_WINDOW:]
        return True

    def _read_header(self) -> bool:
        if len(self._input) < 7:
            return False
        if not self._input.startswith(_MAGIC):
            raise ValueError("no LZ4 frame")
        flags, sizes = self._input[4], self._input[5]
        length = 7 + (8 if flags & 0x08 else 0)
        if flags >> 6 != 1 or flags & 0x01 or (sizes >> 4) & 7 not in _BLOCK_SIZES:
            raise ValueError("an LZ4 frame of another version, or with a dictionary")
        if len(self._input) < length:
            return False
        self._header = flags, _BLOCK_SIZES[(sizes >> 4) & 7]
        self._input = self._input[length:]
        return True

    def _finish(self, checksum: int) -> bool:
        if len(self._input) < 4 + checksum:
            return False
        self.unused_data = self._input[4 + checksum :]
        self._input = b""
        self._finished = True
        return True


def decode_block(block: bytes, history: bytes, most: int) -> bytes:
    """One LZ4 block; ``history`` is what came before it, ``most`` the largest plain size allowed.

    Raises:
        ValueError: The block is malformed.
    """
    out = bytearray(history)
    limit, end, at = len(history) + most, len(block), 0
    try:
        while at < end:
            token = block[at]
            at += 1
            literals, at = _length(block, at, token >> 4)
            if at + literals > end:
                raise ValueError("literals run past the block")
            out += block[at : at + literals]
            at += literals
            if at >= end:
                break
            offset = block[at] | block[at + 1] << 8
            match, at = _length(block, at + 2, token & 15)
            if len(out) + match + 4 > limit:  # before it is built: a match of 1 GB fits into 4 MB of lengths
                raise ValueError("a block that grows beyond its limit")
            _repeat(out, offset, match + 4)
    except IndexError:
        raise ValueError("a block that ends early") from None
    if len(out) > limit:
        raise ValueError("a block that grows beyond its limit")
    return bytes(out[len(history) :])


def _length(block: bytes, at: int, start: int) -> tuple[int, int]:
    if start < 15:
        return start, at
    while True:
        byte = block[at]
        at += 1
        start += byte
        if byte != 255:
            return start, at


def _repeat(out: bytearray, offset: int, count: int) -> None:
    if offset == 0 or offset > len(out):
        raise ValueError("a match before the start")
    start = len(out) - offset
    if offset >= count:
        out += out[start : start + count]
    else:
        pattern = bytes(out[start:])
        out += (pattern * (count // offset + 1))[:count]
