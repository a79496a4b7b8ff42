"""Progress of a transfer that may fall back and go on: every byte is reported once."""

from __future__ import annotations

from modelyard.ports.progress import SparingProgress
from modelyard.ports.service import Progress


class Advance:
    """Turns places in a file into the counts that a caller follows.

    Attributes:
        told: Bytes reported so far.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._at = 0
        self.told = 0

    def go_on_from(self, place: int) -> None:
        """What comes next is behind ``place``; what was reported before stays reported."""
        self._at = place
        self.reach(place)

    def spare(self, place: int) -> None:
        """Everything before ``place`` is there without having travelled now; what comes next is behind it."""
        if place > self.told and isinstance(self._progress, SparingProgress):
            self._progress.spared(place - self.told)
        self.go_on_from(place)

    def move(self, count: int) -> None:
        """``count`` more bytes have travelled."""
        self._at += count
        self.reach(self._at)

    def reach(self, place: int) -> None:
        """Everything before ``place`` is done."""
        if place > self.told:
            if self._progress is not None:
                self._progress(place - self.told)
            self.told = place
