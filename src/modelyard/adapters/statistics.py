"""Tests on scipy, and parquet on pyarrow: both are optional, and both are imported when first needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from modelyard.domain.evidence import (
    Evidence,
    Judged,
    Means,
    PairedOutcomes,
    PairedScores,
    Proportions,
    Unjudged,
)
from modelyard.domain.results import Results

INSTALL: Final = "scipy is not installed, so nothing was tested: pip install 'modelyard[stats]'"

RESAMPLES: Final = 4_999
"""Of a bootstrap: the p-value is a multiple of 1/5,000, and near 5 % its standard error is 0.3 %."""

SEED: Final = 20_261_120
"""The same files give the same answer, on every machine and in either order of the two versions."""

FEWEST_SCORES: Final = 20
"""Below, resampling has too little to draw from to be called a test."""

MOST_RESAMPLED: Final = 20_000
"""Above, the t-test says the same to three digits and takes no time."""

FEWEST_EXPECTED: Final = 5.0
"""Expected successes and failures per side below which the normal approximation misleads (Cochran 1954)."""

MOST_COUNTED: Final = 100_000
"""Examples of both sides up to which Fisher's test is done as such, in about 10 ms."""

_BLOCK = 1 << 20  # numbers drawn at a time: 8 MB, which stays in the cache's reach


class ScipyStatistics:
    """``Statistics`` on scipy; without it every answer is what to install. Holds no state."""

    def judge(self, evidence: Evidence) -> Judged | Unjudged:
        """The test that fits; see the functions below for which and why."""
        try:
            import scipy.stats as stats
        except ImportError:
            return Unjudged(reason=INSTALL, missing=True)
        answer = _TESTS[type(evidence)](stats, evidence)
        if isinstance(answer, Judged) and not all(map(math.isfinite, (answer.p_value, *answer.interval))):
            return Unjudged(reason="the numbers are too large to be tested")
        return answer

    def read_parquet(self, data: bytes) -> Results:
        """Per-example results from parquet; see `modelyard.adapters.parquet`."""
        from modelyard.adapters import parquet

        return parquet.read(data)


# --- independent examples -----------------------------------------------------------------------------------


def proportions(stats: Any, given: Proportions) -> Judged:
    """Pooled two-proportion z-test; Fisher's exact test where few successes or failures are expected.

    The interval is Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, 873-890, method 10), which
    keeps within [-1, 1] and copes with shares of 0 and 1. On one test set the two shares are usually positively
    correlated, which makes this test conservative: per-example results tell more.
    """
    pooled = (given.a * given.n + given.b * given.m) / (given.n + given.m)
    interval = _newcombe(stats, given)
    if min(pooled, 1 - pooled) * min(given.n, given.m) < FEWEST_EXPECTED:
        return Judged(test="Fisher exact", p_value=_fisher(stats, given), interval=interval)
    error = math.sqrt(pooled * (1 - pooled) * (1 / given.n + 1 / given.m))
    p_value = 2 * stats.norm.sf(abs(given.b - given.a) / error)
    return Judged(test="two-proportion z", p_value=float(p_value), interval=interval)


def _fisher(stats: Any, given: Proportions) -> float:
    """Two-sided p of the two-by-two table. Fisher's test takes time with the number of examples; beyond `MOST_COUNTED`
    its binomial limit over the smallest margin takes its place, which is off by less than 1 % of p.
    """
    x, y = round(given.a * given.n), round(given.b * given.m)
    n, m = given.n, given.m
    if n + m <= MOST_COUNTED:
        return float(stats.fisher_exact([[x, n - x], [y, m - y]]).pvalue)
    row, cell = (n, x) if n <= m else (m, y)
    column = x + y
    if 2 * column > n + m:
        column, cell = n + m - column, row - cell
    few, many = sorted((row, column))
    return float(stats.binomtest(cell, few, many / (n + m)).pvalue) if few else 1.0


def _newcombe(stats: Any, given: Proportions) -> tuple[float, float]:
    (a_low, a_high), (b_low, b_high) = _wilson(stats, given.a, given.n), _wilson(stats, given.b, given.m)
    delta = given.b - given.a
    return (
        delta - math.hypot(given.b - b_low, a_high - given.a),
        delta + math.hypot(b_high - given.b, given.a - a_low),
    )


def _wilson(stats: Any, p: float, n: int) -> tuple[float, float]:
    """95 % score interval of one share (Wilson, JASA 22, 1927)."""
    z = float(stats.norm.ppf(0.975))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def means(stats: Any, given: Means) -> Judged | Unjudged:
    """Welch's t-test for unequal variances (Welch, Biometrika 34, 1947), with its interval.

    The degrees of freedom are Satterthwaite's, written with ratios so that no square overflows.
    """
    if min(given.n, given.m) < 2:
        return Unjudged(reason="a spread takes at least 2 examples on each side")
    error_a, error_b = given.sd_a / math.sqrt(given.n), given.sd_b / math.sqrt(given.m)
    error = math.hypot(error_a, error_b)
    if error == 0:
        return Unjudged(reason="no spread is recorded on either side, so there is nothing to judge by")
    ratio_a, ratio_b = error_a / error, error_b / error
    freedom = 1 / (ratio_a**4 / (given.n - 1) + ratio_b**4 / (given.m - 1))
    return _student(stats, "Welch t", given.b - given.a, error, freedom)


def _student(stats: Any, name: str, delta: float, error: float, freedom: float) -> Judged:
    half = float(stats.t.ppf(0.975, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(delta) / error, freedom))
    return Judged(test=name, p_value=p_value, interval=(delta - half, delta + half))


# --- the same examples --------------------------------------------------------------------------------------


def outcomes(stats: Any, given: PairedOutcomes) -> Judged:
    """McNemar's test in its exact form: the examples on which the sides differ are a fair coin's (Psychometrika
    12, 1947). Exact at every size, since it costs nothing; never above its level, at the price of some power.

    The interval is Bonett and Price's adjusted Wald interval for paired proportions (Statistics in Medicine 31,
    2012), cut to [-1, 1].
    """
    differing = given.only_a + given.only_b
    p_value = stats.binomtest(given.only_b, differing).pvalue if differing else 1.0
    z = float(stats.norm.ppf(0.975))
    b, a = (given.only_b + 1) / (given.n + 2), (given.only_a + 1) / (given.n + 2)
    half = z * math.sqrt((b + a - (b - a) ** 2) / (given.n + 2))
    interval = (max(-1.0, b - a - half), min(1.0, b - a + half))
    return Judged(test="McNemar exact", p_value=float(p_value), interval=interval)


def scores(stats: Any, given: PairedScores) -> Judged | Unjudged:
    """Symmetric bootstrap-t of the mean difference (Hall, Annals of Statistics 16, 1988; Efron and Tibshirani,
    An Introduction to the Bootstrap, 1993, chapters 12 and 16).

    Examples are drawn with replacement, and each draw's mean, taken from the true mean, is divided by its own
    standard error: this corrects for skew, and makes p-value and interval agree on what is significant. The
    p-value counts the sample itself, ``(1 + as extreme) / (1 + draws)``, so it is never 0.
    """
    import numpy as np

    differences = np.asarray(given.differences, dtype=np.float64)
    n = len(differences)
    if not differences.any():
        return Judged(test="paired bootstrap-t", p_value=1.0, interval=(0.0, 0.0))
    if n < FEWEST_SCORES:
        return Unjudged(reason=f"fewer than {FEWEST_SCORES} examples were scored by both")
    delta, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(n)
    if error <= abs(delta) * 1e-12:
        return Unjudged(reason="all examples differ by the same amount, so there is no spread to judge by")
    if n > MOST_RESAMPLED:
        return _student(stats, "paired t", delta, error, n - 1)
    drawn = np.sort(_resampled(np, (differences - delta) / error))
    extreme = int((drawn >= abs(delta) / error).sum())
    half = float(drawn[math.ceil(0.95 * (RESAMPLES + 1)) - 1]) * error
    if not math.isfinite(half):
        return Unjudged(reason="too few examples differ at all")
    p_value = (1 + extreme) / (1 + RESAMPLES)
    return Judged(test="paired bootstrap-t", p_value=p_value, interval=(delta - half, delta + half))


def _resampled(np: Any, centred: Any) -> Any:
    """``|t|`` of each bootstrap sample, shape ``(RESAMPLES,)``; infinite where a sample has no spread."""
    n = len(centred)
    generator = np.random.default_rng(SEED)
    found = np.empty(RESAMPLES)
    rows = max(1, _BLOCK // n)
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        sample = centred[generator.integers(0, n, (count, n), dtype=np.int32)]
        mean = sample.mean(axis=1)
        spread = np.einsum("ij,ij->i", sample, sample) / n - mean**2
        # What rounding leaves of a spread of nothing must not look like a spread.
        error = np.sqrt(np.where(spread > 1e-12 * mean**2, spread, 0.0) / (n - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            found[start : start + count] = np.where(error > 0, np.abs(mean) / error, np.inf)
    return found


_TESTS: Final[dict[type, Callable[[Any, Any], Judged | Unjudged]]] = {
    Proportions: proportions,
    Means: means,
    PairedOutcomes: outcomes,
    PairedScores: scores,
}
