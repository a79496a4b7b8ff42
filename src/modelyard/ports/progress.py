"""What is told while bytes travel, beside how many."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class SparingProgress(Protocol):
    """A ``Progress`` that is also told how many of the bytes done were on the other side, and did not travel now."""

    def __call__(self, count: int) -> None: ...
    def spared(self, count: int) -> None: ...
