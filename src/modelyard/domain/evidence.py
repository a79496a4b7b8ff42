"""What a statistical test is given, and what it answers.

The rules of comparing say which evidence two records give; a judge, which may need a library that is not installed,
says what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from modelyard.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """Two shares of independent examples.

    Attributes:
        a, b: The shares, 0 to 1.
        n, m: Examples that each is a share of, at least 1.
    """

    a: float
    b: float
    n: int
    m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Two means of independent examples.

    Attributes:
        a, b: The means.
        sd_a, sd_b: Standard deviations of the single examples, at least 0.
        n, m: Numbers of examples, at least 1.
    """

    a: float
    b: float
    sd_a: float
    sd_b: float
    n: int
    m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedOutcomes:
    """Yes or no, of both sides, about the same examples.

    Attributes:
        only_a: Examples where ``a`` alone is 1.
        only_b: Examples where ``b`` alone is 1.
        n: All examples.
    """

    only_a: int
    only_b: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """A number, of both sides, about the same examples: ``differences`` are ``b - a``, one per example."""

    differences: Sequence[float]


Evidence: TypeAlias = Proportions | Means | PairedOutcomes | PairedScores


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The answer of a test.

    Attributes:
        test: Its name.
        p_value: Two-sided, 0 to 1.
        interval: 95 % confidence interval of ``b - a``.
    """

    test: str
    p_value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Why there is no answer.

    Attributes:
        reason: One line, for people.
        missing: The test only lacks something that can be installed; ``reason`` says what.
    """

    reason: str
    missing: bool = False


Judge: TypeAlias = Callable[[Evidence], Judged | Unjudged]


def no_judge(evidence: Evidence) -> Unjudged:
    """Stands where nobody can test."""
    return Unjudged(reason="no statistics are at hand here", missing=True)
