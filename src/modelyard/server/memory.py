"""Memory that nobody uses goes back to the system.

glibc gives threads parts of the heap of their own (arenas), and what a busy moment freed in the middle of one stays
with the process: 100 seconds of full load left 25 of 64 MiB as such holes, and there were more each minute. Two parts
have fewer holes than eight, and the whole pages among them go back when glibc is told to; with a heap of that size it
takes half a millisecond. Transfers are as quick with two, since their pieces are used again; with one they were not.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

EVERY: Final = 20
"""Seconds from one ``trim`` to the next."""
ARENAS: Final = 2
_M_ARENA_MAX: Final = -8
"""malloc.h."""


def limit_arenas() -> None:
    """Have no more than ``ARENAS`` parts of the heap, unless whoever started us said how many (mallopt(3)).

    To be called before there are threads, since parts that exist stay.
    """
    # glibc alone has this function; in another library the option might mean something else.
    if hasattr(_HEAP, "malloc_trim") and "MALLOC_ARENA_MAX" not in os.environ:
        _HEAP.mallopt(_M_ARENA_MAX, ARENAS)


def trim() -> None:
    """Give back what is free."""
    if hasattr(_HEAP, "malloc_trim"):
        _HEAP.malloc_trim(ctypes.c_size_t(0))


def _found() -> Any:
    """The C library, as far as it can be asked; another than glibc has ways of its own."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


_HEAP: Final = _found()
