"""Removing an object that somebody else changes at the same moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from modelyard.adapters.blobs.object_faults import object_errors
from modelyard.adapters.blobs.object_place import Place
from modelyard.domain.errors import StorageError

REMOVING: Final = "removing from the store"
TRIES: Final = 12
"""Of a removal that others come in between: where two put and two remove one object all the time, two in five fail."""
PAUSE: Final = 0.05
"""Seconds between two of them, at most."""
_OVERTAKEN: Final = "UnknownError"


def removing(place: Place, request: Callable[[], None]) -> None:
    """Make a request that removes, and make it again while it is overtaken.

    Other stores let either come first; Ceph fails the removal, with a code that says nothing, and does neither harm nor
    the work. What else it may mean by that code does not go away by itself, and is told after half a second.

    Raises:
        FileNotFoundError: There is no such object.
        StorageError: The store refuses, or was overtaken every time.
    """
    for left in reversed(range(TRIES)):
        try:
            with object_errors(place, REMOVING):
                request()
            return
        except StorageError as error:
            if not left or error.data.get("code") != _OVERTAKEN:
                raise
            time.sleep(random.uniform(0, PAUSE))  # noqa: S311  Only to step out of each other's way.
