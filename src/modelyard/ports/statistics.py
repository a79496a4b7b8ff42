"""What a comparison needs beyond arithmetic: tests, and the reading of parquet."""

from __future__ import annotations

from typing import Protocol

from modelyard.domain.errors import MissingDependency
from modelyard.domain.evidence import Evidence, Judged, Unjudged, no_judge
from modelyard.domain.results import Results


class Statistics(Protocol):
    """Pure functions of what they are given: the same evidence, the same answer. Thread-safe."""

    def judge(self, evidence: Evidence) -> Judged | Unjudged:
        """The test that fits the evidence. What cannot be tested, or lacks a library, is said, never raised."""
        ...

    def read_parquet(self, data: bytes) -> Results:
        """Per-example results from the bytes of a parquet file.

        Raises:
            InvalidInput: The file breaks a rule of per-example results; the message says where.
            MissingDependency: The library that reads parquet is not installed.
        """
        ...


class NoStatistics:
    """For a service that was given none: bare numbers are compared, nothing is tested."""

    def judge(self, evidence: Evidence) -> Unjudged:
        return no_judge(evidence)

    def read_parquet(self, data: bytes) -> Results:
        raise MissingDependency("parquet files cannot be read here: no statistics were given to this service")
