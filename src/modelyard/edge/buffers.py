"""Memory for bytes on their way through a server, used again and again.

A fresh half MiB for every piece of a transfer costs the system's work of clearing it, and scatters over what the C
library keeps for each thread: eight transfers at once would keep tens of MiB for good.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

PIECE: Final = 512 * 1024
"""Bytes of a buffer: fewer would cost a change of threads each, 50 µs; more cost memory, four times per transfer."""

KEPT: Final = 40
"""Buffers that stay: as many as eight transfers use at once."""


class Buffers:
    """Gives out buffers and takes none back: one is free again once nobody refers to what was given.

    Python itself keeps count of that, slices of slices included: a bytearray to which anything refers cannot change its
    length. So no reader can ever find other bytes in what it holds, however long it holds it.
    """

    def __init__(self) -> None:
        self._kept: deque[bytearray] = deque()
        self._turn = threading.Lock()

    def take(self) -> memoryview:
        """``PIECE`` bytes to write to; what they are before that means nothing."""
        with self._turn:
            for _ in range(len(self._kept)):
                self._kept.rotate()
                if _is_free(self._kept[0]):
                    return memoryview(self._kept[0])
            fresh = bytearray(PIECE)
            if len(self._kept) < KEPT:
                self._kept.appendleft(fresh)
            return memoryview(fresh)


def _is_free(buffer: bytearray) -> bool:
    try:
        last = buffer.pop()  # moves nothing: CPython gives memory back only where half of it is unused
    except BufferError:
        return False
    buffer.append(last)
    return True


BUFFERS: Final = Buffers()
"""Those of this process."""
