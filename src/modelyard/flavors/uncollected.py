"""Importing a framework without looking for garbage meanwhile: an eighth less of the second that scikit-learn takes.

What an import makes, it keeps, tens of thousands of functions and classes; yet the collector of garbage goes through
all there is, several times, and finds nothing. The price: what other threads leave in circles is taken away when the
import is over, once in the life of a process for each framework.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from running, unless it is off already.

    Two threads may do so at once: whoever found it on turns it on again, so it never stays off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
