"""One finding of a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One finding: ``level`` is ``ok``, ``warn`` or ``fail``."""

    level: str
    topic: str
    text: str
