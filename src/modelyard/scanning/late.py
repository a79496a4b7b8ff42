"""The scanner, imported when it is first asked: most who open a registry have nothing judged."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from modelyard.domain.records import ScanReport
from modelyard.scanning import rules

if TYPE_CHECKING:
    from modelyard.scanning.scanner import TracingScanner


class LateScanner:
    """A ``TracingScanner`` that costs nothing before its first question."""

    def __init__(self) -> None:
        self.ruleset = rules.ruleset()

    def scan(self, stream: BinaryIO, *, size: int) -> ScanReport:
        """As ``TracingScanner.scan``."""
        return _scanner().scan(stream, size=size)

    def recall(self, digest: str) -> ScanReport | None:
        """As ``TracingScanner.recall``."""
        return _scanner().recall(digest)


@cache
def _scanner() -> TracingScanner:
    from modelyard.scanning.scanner import TracingScanner

    return TracingScanner()
