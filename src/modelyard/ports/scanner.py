"""Who judges bytes before a version becomes visible."""

from __future__ import annotations

from typing import BinaryIO, Protocol

from modelyard.domain.records import ScanReport


class Scanner(Protocol):
    """Judges content, never names. Never executes, imports or extracts anything; never raises on hostile input.

    Attributes:
        ruleset: Digest of the rules in force.
    """

    ruleset: str

    def scan(self, stream: BinaryIO, *, size: int) -> ScanReport:
        """Judge a seekable binary stream of ``size`` bytes. Memory stays bounded whatever the input."""
        ...

    def recall(self, digest: str) -> ScanReport | None:
        """The verdict on the bytes of a digest, if this process gave it lately; ``None`` says nothing about them."""
        ...
