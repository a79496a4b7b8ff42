"""What a scan has found so far, and the verdict that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelyard.domain.records import ScanReport
from modelyard.scanning import rules

MAX_REASONS = 50
MAX_NAMES = 20_000


class Unreadable(Exception):
    """The bytes cannot be followed further: truncated, malformed, or past a limit. The text says where and why."""


@dataclass(slots=True)
class Findings:
    """Collected while walking one blob and everything inside it.

    Attributes:
        names: Every ``module.name`` that loading would look up.
        unsafe: What makes the blob dangerous whoever loads it.
        unlisted: Globals that are on neither list; somebody may trust them later.
        unknown: What could not be followed; no trust helps.
    """

    names: set[str] = field(default_factory=set)
    unsafe: dict[str, None] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    unknown: dict[str, None] = field(default_factory=dict)

    def look_up(self, name: str) -> None:
        """Record one global and judge it."""
        if name in self.names:
            return
        if len(self.names) >= MAX_NAMES:
            self.doubt(f"more than {MAX_NAMES} different globals")
            return
        self.names.add(name)
        if rules.denied(name):
            self.refuse(f"{name} is on the deny list")
        elif not rules.allowed(name):
            self.unlisted.add(name)

    def refuse(self, reason: str) -> None:
        """Add a reason for ``unsafe``."""
        if len(self.unsafe) < MAX_REASONS:
            self.unsafe[_printable(reason)] = None

    def doubt(self, reason: str) -> None:
        """Add a reason for ``unknown``."""
        if len(self.unknown) < MAX_REASONS:
            self.unknown[_printable(reason)] = None

    def absorb(self, other: Findings) -> None:
        """Take over everything ``other`` has found."""
        for name in other.names:
            self.look_up(name)
        for reason in other.unsafe:
            self.refuse(reason)
        for reason in other.unknown:
            self.doubt(reason)

    @property
    def verdict(self) -> str:
        """``unsafe`` beats ``unknown`` beats ``clean``."""
        if self.unsafe:
            return "unsafe"
        return "unknown" if self.unknown or self.unlisted else "clean"

    def reasons(self) -> tuple[str, ...]:
        """One line per finding, the worst first."""
        listed = sorted(self.unlisted)[: MAX_REASONS - len(self.unknown)]
        unlisted = (_printable(f"{name} is not on the allowlist") for name in listed)
        return (*self.unsafe, *self.unknown, *unlisted)

    def report(self, *, format_: str, kind: str) -> ScanReport:
        """The frozen answer."""
        return ScanReport(
            verdict=self.verdict,
            format=format_,
            kind=kind,
            globals=tuple(sorted(_printable(name) for name in self.names)),
            reasons=self.reasons(),
            ruleset=rules.ruleset(),
        )


def _printable(text: str) -> str:
    """Reasons and names come from hostile bytes and end in terminals and JSON: no control characters, no surrogates.

    Letters of any script stay, because a name that was recorded has to equal the one that loading looks up.
    """
    if text.isprintable() and len(text) <= 300:
        return text
    return text[:300].encode("unicode_escape").decode("ascii")
