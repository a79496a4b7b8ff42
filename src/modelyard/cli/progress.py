"""A bar for work on bytes that takes longer than a second; nothing for what does not, or where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TextIO

from modelyard.cli import figures, render
from modelyard.domain.text import plain

DELAY: Final = 1.0
"""Seconds before the bar shows: most registrations are over by then, and a flash of bar is noise."""
REDRAW: Final = 0.1
BAR: Final = 20
WIPE: Final = "\r\x1b[K"
"""Back to the line's beginning, and what stands there away (ECMA-48)."""


class Bar:
    """One line on a terminal, drawn again in place: title, share, bytes, rate.

    Args:
        stream: The terminal; the caller has checked that it is one.
        title: What is being done, for example ``hashing``.
        total: How much there is in all; 0 if unknown.
        width: Columns of the terminal.
        clock: Seconds that never go back; tests bring their own.
        since: When the whole work began by ``clock``, if this is one file of many; the delay counts from there.
        unit: Spells a number of what is counted, which is bytes unless said otherwise.
    """

    def __init__(
        self,
        stream: TextIO,
        title: str,
        total: int,
        width: int = 80,
        clock: Callable[[], float] = time.monotonic,
        since: float | None = None,
        unit: Callable[[float], str] = figures.size,
    ) -> None:
        self._unit = unit
        self._stream, self._title, self._total, self._width, self._clock = stream, title, total, width, clock
        self._begun = self._drawn = clock()
        self._since = self._begun if since is None else since
        self._done = 0
        self._shown = False

    def __call__(self, count: int) -> None:
        """Take note of ``count`` more."""
        self._done += count
        now = self._clock()
        if 0 < self._total <= self._done:
            self.finish()
        elif now - self._since >= DELAY and now - self._drawn >= REDRAW:
            self._drawn = now
            self._draw(now - self._begun)

    def finish(self) -> None:
        """Wipe the line, if there is one. What happened is said by whoever began."""
        if self._shown:
            self._shown = False
            self._stream.write(WIPE)
            self._stream.flush()

    def _draw(self, elapsed: float) -> None:
        self._shown = True
        self._stream.write("\r" + render.shorten(self._text(elapsed), self._width - 1) + "\x1b[K")
        self._stream.flush()

    def _text(self, elapsed: float) -> str:
        rate = f"{self._unit(self._done / max(elapsed, 1e-3))}/s"
        title = render.shorten(plain(self._title), 28)
        if not self._total:
            return f"{title}  {self._unit(self._done)}  {rate}"
        share = min(self._done / self._total, 1.0)
        bar = "█" * int(share * BAR) + "░" * (BAR - int(share * BAR))
        return f"{title}  {bar} {share:4.0%}  {self._unit(self._done)} of {self._unit(self._total)}  {rate}"
