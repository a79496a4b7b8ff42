"""The tests that comparisons rest on, against published numbers, against statsmodels, and against chance."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelyard.adapters.statistics import RESAMPLES, ScipyStatistics
from modelyard.domain.evidence import (
    Evidence,
    Judged,
    Means,
    PairedOutcomes,
    PairedScores,
    Proportions,
    Unjudged,
)

judge = ScipyStatistics().judge


def answer(evidence: Evidence) -> Judged:
    found = judge(evidence)
    assert isinstance(found, Judged), found
    return found


def refused(evidence: Evidence) -> str:
    found = judge(evidence)
    assert isinstance(found, Unjudged), found
    assert not found.missing
    return found.reason


# --- published numbers ---


def test_the_interval_of_two_proportions_is_the_published_one() -> None:
    """Newcombe 1998, table II: 56/70 and 48/80 (a), and 10/10 and 0/10 (h), by method 10."""
    found = answer(Proportions(a=48 / 80, b=56 / 70, n=80, m=70))
    assert found.test == "two-proportion z"
    assert found.interval == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    found = answer(Proportions(a=0.0, b=1.0, n=10, m=10))
    assert found.interval == (pytest.approx(0.6075, abs=5e-5), pytest.approx(1.0))


def test_a_lady_tasting_eight_cups_of_tea() -> None:
    """Fisher, The Design of Experiments, 1935: three of four right on each side; p = 34/70."""
    found = answer(Proportions(a=3 / 4, b=1 / 4, n=4, m=4))
    assert found.test == "Fisher exact"
    assert found.p_value == pytest.approx(34 / 70)


def test_paired_outcomes_agree_with_a_published_example() -> None:
    """Fagerland, Lydersen and Laake (BMC Medical Research Methodology 13, 2013, table 2): 1 and 7 of 21 changed;
    the exact p is 2 * (1 + 8) / 2**8. The interval by hand: (8 - 2)/23 ± 1.96 sqrt((10/23 - (6/23)**2) / 23).
    """
    found = answer(PairedOutcomes(only_a=1, only_b=7, n=21))
    assert found.test == "McNemar exact"
    assert found.p_value == pytest.approx(18 / 256)
    half = 1.959964 * math.sqrt((10 / 23 - (6 / 23) ** 2) / 23)
    assert found.interval == (pytest.approx(6 / 23 - half), pytest.approx(6 / 23 + half))
    assert found.interval == (pytest.approx(0.013, abs=5e-4), pytest.approx(0.508, abs=5e-4))


def test_the_approval_of_a_prime_minister() -> None:
    """Agresti, Categorical Data Analysis, table 10.1: 150 and 86 of 1600 changed their minds."""
    found = answer(PairedOutcomes(only_a=150, only_b=86, n=1600))
    assert found.p_value == pytest.approx(stats.binomtest(86, 236).pvalue)
    assert found.p_value < 1e-4
    assert found.interval == (pytest.approx(-0.0587, abs=1e-3), pytest.approx(-0.0213, abs=1e-3))


# --- the same numbers by other people's code ---


@pytest.mark.parametrize(("x", "n", "y", "m"), [(80, 100, 95, 110), (500, 1000, 555, 1000), (7, 60, 19, 80)])
def test_two_proportions_agree_with_statsmodels(x: int, n: int, y: int, m: int) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    found = answer(Proportions(a=x / n, b=y / m, n=n, m=m))
    _, p_value = proportion.proportions_ztest([y, x], [m, n])
    assert found.p_value == pytest.approx(p_value)
    expected = proportion.confint_proportions_2indep(y, m, x, n, method="newcomb")
    assert found.interval == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(3, 9), (12, 12), (200, 31)])
def test_welch_agrees_with_scipy_and_statsmodels(n: int, m: int) -> None:
    weights = pytest.importorskip("statsmodels.stats.weightstats")
    generator = np.random.default_rng(n)
    a, b = generator.normal(0, 1, n), generator.normal(0.5, 3, m)
    given = Means(a=a.mean(), b=b.mean(), sd_a=a.std(ddof=1), sd_b=b.std(ddof=1), n=n, m=m)
    found = answer(given)
    assert found.p_value == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    both = weights.CompareMeans.from_data(b, a)
    assert found.interval == pytest.approx(both.tconfint_diff(usevar="unequal"))


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 5), (3, 3), (12, 30), (400, 460)])
def test_mcnemar_agrees_with_statsmodels(only_a: int, only_b: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    expected = tables.mcnemar([[500, only_a], [only_b, 500]], exact=True)
    found = answer(PairedOutcomes(only_a=only_a, only_b=only_b, n=1000 + only_a + only_b))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_the_bootstrap_agrees_with_the_t_test_where_both_hold() -> None:
    """Normal differences: the t-test is exact there, and 4,999 draws leave about 0.3 % of noise near 5 %."""
    differences = np.random.default_rng(3).normal(0.13, 1.0, 200)
    found = answer(PairedScores(differences=differences))
    exact = stats.ttest_1samp(differences, 0.0)
    assert found.test == "paired bootstrap-t"
    assert found.p_value == pytest.approx(exact.pvalue, abs=0.015)
    assert found.interval == pytest.approx(tuple(exact.confidence_interval()), abs=0.015)


def test_many_examples_are_judged_by_the_t_test() -> None:
    differences = np.random.default_rng(4).exponential(1.0, 30_000) - 0.99
    found = answer(PairedScores(differences=differences))
    exact = stats.ttest_1samp(differences, 0.0)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(exact.pvalue)
    assert found.interval == pytest.approx(tuple(exact.confidence_interval()))


# --- chance: how often two equal sides are called different ---

SIMULATIONS = 1000


def false_alarms(draw: Callable[[np.random.Generator], Evidence], seed: int) -> float:
    """Share of simulations without any true difference in which p < 0.05."""
    generator = np.random.default_rng(seed)
    return sum(answer(draw(generator)).p_value < 0.05 for _ in range(SIMULATIONS)) / SIMULATIONS


def equal_shares(generator: np.random.Generator) -> Evidence:
    x, y = generator.binomial(200, 0.8, 2)
    return Proportions(a=x / 200, b=y / 200, n=200, m=200)


def few_equal_shares(generator: np.random.Generator) -> Evidence:
    x, y = generator.binomial(20, 0.9, 2)
    return Proportions(a=x / 20, b=y / 20, n=20, m=20)


def equal_means(generator: np.random.Generator) -> Evidence:
    a, b = generator.normal(0, 1, 8), generator.normal(0, 4, 20)
    return Means(a=a.mean(), b=b.mean(), sd_a=a.std(ddof=1), sd_b=b.std(ddof=1), n=8, m=20)


def equal_outcomes(generator: np.random.Generator) -> Evidence:
    only_a, only_b, _ = generator.multinomial(300, [0.1, 0.1, 0.8])
    return PairedOutcomes(only_a=int(only_a), only_b=int(only_b), n=300)


def equal_skewed_scores(generator: np.random.Generator) -> Evidence:
    """Losses of two models on the same 60 examples; the differences are skewed and have heavy tails."""
    return PairedScores(differences=generator.exponential(1, 60) - generator.gamma(2.0, 0.5, 60))


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (equal_shares, 0.02),
        (few_equal_shares, 0.0),  # exact tests of few examples stay far below their level
        (equal_means, 0.02),
        (equal_outcomes, 0.01),
        (equal_skewed_scores, 0.02),
    ],
)
def test_equal_sides_are_called_different_no_more_often_than_promised(
    draw: Callable[[np.random.Generator], Evidence], least: float
) -> None:
    """At a true rate of 5 %, 1000 simulations stay below 5 % plus three standard errors, 2.1 %."""
    rate = false_alarms(draw, 20)
    assert least <= rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / SIMULATIONS)


# --- what cannot be tested ---


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Means(a=1.0, b=2.0, sd_a=0.0, sd_b=0.0, n=50, m=50), "no spread"),
        (Means(a=1.0, b=2.0, sd_a=1.0, sd_b=1.0, n=1, m=50), "at least 2"),
        (Means(a=-1.7e308, b=1.7e308, sd_a=1e308, sd_b=1e308, n=100, m=100), "too large"),
        (PairedScores(differences=[0.1] * 19), "fewer than 20"),
        (PairedScores(differences=[0.1] * 50), "same amount"),
        (PairedScores(differences=[0.1] * 2 + [0.0] * 98), "too few examples differ"),
    ],
)
def test_what_cannot_be_tested_is_said(evidence: Evidence, reason: str) -> None:
    assert reason in refused(evidence)


def test_equal_results_are_no_evidence_of_a_difference() -> None:
    assert answer(PairedScores(differences=[0.0] * 30)).p_value == 1.0
    assert answer(PairedOutcomes(only_a=0, only_b=0, n=30)).p_value == 1.0
    assert answer(Proportions(a=1.0, b=1.0, n=1000, m=1000)).p_value == 1.0


def test_without_scipy_the_answer_is_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    found = judge(PairedOutcomes(only_a=1, only_b=7, n=21))
    assert isinstance(found, Unjudged)
    assert found.missing
    assert "modelyard[stats]" in found.reason


@pytest.mark.parametrize(
    ("x", "n", "y", "m"),
    [
        (1, 60_000, 7, 60_000),
        (59_999, 60_000, 59_991, 60_000),
        (9, 10, 80_000, 200_000),
        (90_000, 200_000, 1, 10),
    ],
)
def test_few_of_many_are_judged_as_fisher_does(x: int, n: int, y: int, m: int) -> None:
    found = answer(Proportions(a=x / n, b=y / m, n=n, m=m))
    assert found.test == "Fisher exact"
    assert found.p_value == pytest.approx(stats.fisher_exact([[x, n - x], [y, m - y]]).pvalue, rel=0.01)


def test_the_largest_counts_are_answered() -> None:
    found = answer(Proportions(a=1e-15, b=0.0, n=2**53, m=2**53))
    assert 0 <= found.p_value <= 1
    found = answer(PairedOutcomes(only_a=500_000, only_b=400_000, n=1_000_000))
    assert found.p_value < 1e-12


# --- laws ---

finite = st.floats(-1e6, 1e6)


@settings(deadline=None, max_examples=30)
@given(st.lists(finite, min_size=20, max_size=60))
def test_an_interval_excludes_no_difference_just_where_p_says_so(differences: list[float]) -> None:
    found = judge(PairedScores(differences=differences))
    if isinstance(found, Judged) and any(differences):
        low, high = found.interval
        assert 1 / (1 + RESAMPLES) <= found.p_value <= 1
        assert (low > 0 or high < 0) == (found.p_value <= 0.05)


@settings(deadline=None, max_examples=30)
@given(st.lists(finite, min_size=20, max_size=60))
def test_exchanging_the_sides_turns_the_interval_around_and_keeps_p(differences: list[float]) -> None:
    found = judge(PairedScores(differences=differences))
    other = judge(PairedScores(differences=[-value for value in differences]))
    assert type(found) is type(other)
    if isinstance(found, Judged) and isinstance(other, Judged):
        assert other.p_value == found.p_value
        assert (-other.interval[1], -other.interval[0]) == pytest.approx(found.interval)
