"""Memory of which objects were sent or read whole by this process and found good, by their ETags."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

MOST: Final = 10_000
"""Entries, about 3 MiB."""


class GoodObjects:
    """``knows`` means: this object, by its ETag, had the right digest. A store gives changed bytes another ETag."""

    def __init__(self, *, most: int = MOST) -> None:
        self._turn = threading.Lock()
        self._most = most
        self._kept: OrderedDict[str, str] = OrderedDict()

    def __contains__(self, hexdigits: str) -> bool:
        return hexdigits in self._kept

    def knows(self, hexdigits: str, e_tag: str | None) -> bool:
        """Whether the object with this ETag was found good."""
        return e_tag is not None and self._kept.get(hexdigits) == e_tag

    def record(self, hexdigits: str, e_tag: str | None) -> None:
        """Remember it; what was remembered first is forgotten first."""
        if e_tag is None:
            return
        with self._turn:
            self._kept[hexdigits] = e_tag
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, hexdigits: str) -> None:
        """It is gone."""
        with self._turn:
            self._kept.pop(hexdigits, None)
