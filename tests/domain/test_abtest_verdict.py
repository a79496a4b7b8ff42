"""The verdict: who wins when, what keeps it from being given, and how often it is wrong."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.abtest_verdict import WON, chance, judge
from modelyard.domain.experiments import OutcomeTally

from .trials import an_experiment


def binary(variant: str, right: int, units: int) -> OutcomeTally:
    """One outcome per unit."""
    mean = right / units
    return OutcomeTally(
        variant=variant, outcomes=units, units=units, mean=mean, squares=units * mean * (1 - mean)
    )


def numeric(variant: str, mean: float, deviation: float, units: int) -> OutcomeTally:
    squares = deviation**2 * (units - 1)
    return OutcomeTally(variant=variant, outcomes=units, units=units, mean=mean, squares=squares)


def verdict(*tallies, experiment=None, predictions=None, **guarded):
    return judge(experiment or an_experiment(), tallies, predictions=predictions or {}, guarded=guarded)


def test_without_outcomes_it_is_undecided():
    found = verdict(predictions={"A": 7})
    assert (found.state, found.winner, found.reasons) == ("undecided", None, ("there are no outcomes yet",))
    assert [(s.variant, s.predictions, s.mean, s.low) for s in found.standings] == [
        ("A", 7, None, None),
        ("B", 0, None, None),
    ]
    assert found.contests == ()
    assert not found.sample_ratio.alarm


def test_the_better_variant_wins_once_the_evidence_is_there():
    found = verdict(binary("A", 800, 1000), binary("B", 900, 1000))
    assert (found.state, found.winner, found.reasons) == (WON, "B", ())
    (contest,) = found.contests
    assert (contest.a, contest.b, contest.better) == ("A", "B", "B")
    assert contest.delta == pytest.approx(0.1)
    assert 0 < contest.low < 0.1 < contest.high
    assert contest.p_value < 1e-5
    b = found.standings[1]
    assert b.low < 0.9 < b.high


def test_the_winners_chance_is_that_of_its_closest_rival_times_the_pairs():
    """The smallest of all is of a pair that decides nothing."""
    experiment = an_experiment((0.33, 0.33, 0.34))
    found = verdict(
        binary("A", 200, 1000), binary("B", 830, 1000), binary("C", 700, 1000), experiment=experiment
    )
    assert found.winner == "B"
    close = next(c.p_value for c in found.contests if (c.a, c.b) == ("B", "C"))
    assert chance(experiment, found) == pytest.approx(3 * close)
    assert min(c.p_value for c in found.contests) < close
    tie = verdict(
        binary("A", 200, 1000), binary("B", 810, 1000), binary("C", 800, 1000), experiment=experiment
    )
    assert (tie.winner, chance(experiment, tie)) == (None, 1.0)
    lower = an_experiment(higher_is_better=False, kind="numeric")
    two = verdict(numeric("A", 30, 5, 500), numeric("B", 35, 5, 500), experiment=lower)
    assert chance(lower, two) == two.contests[0].p_value


def test_without_something_to_compare_the_chance_is_1():
    experiment = an_experiment((0.33, 0.33, 0.34))
    assert chance(experiment, verdict(experiment=experiment)) == 1.0
    assert (
        chance(experiment, verdict(binary("A", 90, 100), binary("B", 9, 100), experiment=experiment)) == 1.0
    )


@pytest.mark.parametrize("right", [0, 1, 99, 100])
def test_intervals_of_shares_hold_only_what_a_share_can_be(right):
    found = verdict(binary("A", right, 100), binary("B", 100 - right, 100))
    for standing in found.standings:
        assert 0 <= standing.low <= standing.mean <= standing.high <= 1
    (contest,) = found.contests
    assert -1 <= contest.low <= contest.delta <= contest.high <= 1


def test_intervals_of_numbers_are_not_bounded():
    found = verdict(
        numeric("A", 0, 5, 100), numeric("B", 0, 5, 100), experiment=an_experiment(kind="numeric")
    )
    assert found.standings[0].low < -1
    assert found.contests[0].high > 1


def test_lower_wins_where_lower_is_better():
    experiment = an_experiment(kind="numeric", higher_is_better=False)
    found = verdict(numeric("A", 30, 5, 500), numeric("B", 35, 5, 500), experiment=experiment)
    assert found.winner == "A"
    found = verdict(numeric("A", 40, 5, 500), numeric("B", 35, 5, 500), experiment=experiment)
    assert found.winner == "B"


def test_a_small_difference_is_undecided():
    found = verdict(binary("A", 800, 1000), binary("B", 810, 1000))
    assert found.winner is None
    assert found.reasons == ("no variant is better than every other beyond alpha = 0.05",)
    (contest,) = found.contests
    assert contest.low < 0 < contest.high
    assert (contest.better, contest.p_value) == ("", 1.0)


def test_below_the_minimum_sample_nobody_wins():
    found = verdict(binary("A", 1, 99), binary("B", 100, 101))
    assert found.winner is None
    assert found.reasons == ("A has 99 of the 100 units with an outcome that it needs",)


def test_a_variant_of_which_nothing_came_keeps_the_others_from_winning():
    found = verdict(binary("A", 90, 200))
    assert "B has 0 of the 100 units with an outcome that it needs" in found.reasons
    assert found.contests == ()


def test_a_handful_of_successes_is_not_taken_for_certainty():
    """With none and seven of a hundred the plain variances would be near 0 and refute chance."""
    assert verdict(binary("A", 0, 100), binary("B", 7, 100)).winner is None
    assert verdict(binary("A", 0, 100), binary("B", 40, 100)).winner == "B"


def test_numbers_that_never_vary_prove_nothing():
    experiment = an_experiment(kind="numeric")
    found = verdict(numeric("A", 1, 0, 500), numeric("B", 2, 0, 500), experiment=experiment)
    assert found.winner is None
    assert (found.contests[0].low, found.contests[0].high, found.standings[0].low) == (None, None, None)


def test_one_unit_alone_says_nothing():
    found = verdict(numeric("A", 1, 0, 1), numeric("B", 2, 1, 500), experiment=an_experiment(kind="numeric"))
    assert (found.standings[0].low, found.contests) == (None, ())


def test_the_winner_of_many_beats_every_other():
    thirds = an_experiment((1 / 3, 1 / 3, 1 / 3))
    ahead = verdict(binary("A", 500, 1000), binary("B", 600, 1000), binary("C", 800, 1000), experiment=thirds)
    assert ahead.winner == "C"
    assert len(ahead.contests) == 3
    tied = verdict(binary("A", 500, 1000), binary("B", 799, 1000), binary("C", 800, 1000), experiment=thirds)
    assert tied.winner is None


def test_more_pairs_ask_for_more_evidence():
    two = verdict(binary("A", 500, 1000), binary("B", 572, 1000))
    thirds = an_experiment((1 / 3, 1 / 3, 1 / 3))
    three = verdict(binary("A", 500, 1000), binary("B", 572, 1000), binary("C", 1, 1000), experiment=thirds)
    assert two.contests[0].better == "B"
    assert three.contests[0].better == ""


def test_a_wrong_sample_ratio_forbids_every_winner():
    found = verdict(binary("A", 600, 1200), binary("B", 700, 800))
    assert found.sample_ratio.alarm
    assert found.sample_ratio.expected == {"A": 1000.0, "B": 1000.0}
    assert found.sample_ratio.p_value < 0.01
    assert found.winner is None
    assert "A 1200 (expected 1000), B 800 (expected 1000)" in found.reasons[0]


def test_declared_shares_are_no_alarm():
    found = verdict(binary("A", 400, 800), binary("B", 180, 200), experiment=an_experiment((0.8, 0.2)))
    assert not found.sample_ratio.alarm
    assert found.winner == "B"


# --- guardrails ------------------------------------------------------------------------------------------------------

AHEAD = (binary("A", 500, 1000), binary("B", 800, 1000))


@pytest.mark.parametrize(
    ("rule", "limit", "a", "b", "state"),
    [
        ("max_latency_ms", 40.0, 50.0, 40.0, "kept"),
        ("max_latency_ms", 40.0, 30.0, 40.1, "broken"),
        ("min_latency_ms", 40.0, 30.0, 40.0, "kept"),
        ("min_latency_ms", 40.0, 50.0, 39.9, "broken"),
        ("no_worse_latency_ms", 1.0, 30.0, 31.0, "kept"),
        ("no_worse_latency_ms", 1.0, 30.0, 31.1, "broken"),
        ("no_worse_latency_ms", 1.0, 30.0, 20.0, "kept"),
    ],
)
def test_a_winner_has_to_keep_the_guardrails(rule, limit, a, b, state):
    experiment = an_experiment(guardrails={rule: limit})
    tallies = (numeric("A", a, 1, 500), numeric("B", b, 1, 500))
    found = verdict(*AHEAD, experiment=experiment, latency_ms=tallies)
    finding = found.guardrails[1]
    assert (finding.variant, finding.state, finding.observed, finding.units) == ("B", state, b, 500)
    assert found.winner == ("B" if state == "kept" else None)
    if state == "broken":
        assert found.reasons == (f"B does not keep {rule} = {limit:g}: observed {b:g}",)


def test_no_worse_knows_which_way_is_worse():
    experiment = an_experiment(guardrails={"no_worse_f1": 0.01})
    worse = (numeric("A", 0.9, 0.1, 500), numeric("B", 0.8, 0.1, 500))
    assert verdict(*AHEAD, experiment=experiment, f1=worse).winner is None
    better = (numeric("A", 0.9, 0.1, 500), numeric("B", 0.95, 0.1, 500))
    assert verdict(*AHEAD, experiment=experiment, f1=better).winner == "B"


@pytest.mark.parametrize("rule", ["max_latency_ms", "no_worse_latency_ms"])
def test_a_guardrail_that_nobody_measured_is_not_kept(rule):
    experiment = an_experiment(guardrails={rule: 1.0})
    found = verdict(*AHEAD, experiment=experiment)
    assert [finding.state for finding in found.guardrails] == ["missing", "missing"]
    assert found.reasons == (f"B does not keep {rule} = 1: nothing was measured",)


def test_no_worse_than_nothing_cannot_be_told():
    experiment = an_experiment(guardrails={"no_worse_latency_ms": 1.0})
    found = verdict(*AHEAD, experiment=experiment, latency_ms=(numeric("B", 20, 1, 500),))
    assert found.guardrails[1].state == "missing"
    assert found.winner is None


def test_a_guardrail_that_the_loser_breaks_is_no_obstacle():
    experiment = an_experiment(guardrails={"max_latency_ms": 40.0})
    tallies = (numeric("A", 90, 1, 500), numeric("B", 20, 1, 500))
    assert verdict(*AHEAD, experiment=experiment, latency_ms=tallies).winner == "B"


# --- laws ------------------------------------------------------------------------------------------------------------

COUNTS = st.tuples(st.integers(1, 5000), st.floats(0, 1)).map(lambda p: (int(p[0] * p[1]), p[0]))


@given(COUNTS, COUNTS)
def test_exchanging_the_variants_exchanges_the_winner(one, two):
    there = verdict(binary("A", *one), binary("B", *two))
    back = verdict(binary("A", *two), binary("B", *one))
    assert {"A": "B", "B": "A", None: None}[there.winner] == back.winner


@given(COUNTS)
def test_equals_never_win(counts):
    assert verdict(binary("A", *counts), binary("B", *counts)).winner is None


def _false_winners(tests: int, right: float, seed: int = 5) -> float:
    """Share of A/A tests that ever name a winner, looked at after every 100 of 20,000 outcomes."""
    numpy = pytest.importorskip("numpy")
    chance = numpy.random.default_rng(seed)
    experiment = an_experiment()
    false = 0
    for _ in range(tests):
        ours = chance.binomial(100, 0.5, 200)
        units = numpy.cumsum([ours, 100 - ours], axis=1)
        good = numpy.cumsum([chance.binomial(ours, right), chance.binomial(100 - ours, right)], axis=1)
        apart = numpy.abs(good[0] / units[0] - good[1] / units[1])
        spread = numpy.sqrt(right * (1 - right) * (1 / units[0] + 1 / units[1]))
        for look in numpy.flatnonzero(apart > 2 * spread):  # a verdict below two standard errors is never one
            a = binary("A", int(good[0][look]), int(units[0][look]))
            b = binary("B", int(good[1][look]), int(units[1][look]))
            if verdict(a, b, experiment=experiment).winner is not None:
                false += 1
                break
    return false / tests


def test_a_thousand_tests_of_equals_rarely_name_a_winner(capsys):
    share = _false_winners(1000, 0.8)
    with capsys.disabled():
        print(f"\nfalse winners in 1,000 A/A tests of 200 looks each: {share:.1%}")
    assert share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.long
@pytest.mark.parametrize("right", [0.5, 0.8, 0.02])
def test_ten_thousand_tests_of_equals_rarely_name_a_winner(capsys, right):
    begun = time.perf_counter()
    share = _false_winners(10_000, right, seed=6)
    with capsys.disabled():
        print(
            f"\nfalse winners in 10,000 A/A tests of 200 looks each, {right:.0%} right: {share:.2%} "
            f"({time.perf_counter() - begun:.0f} s)"
        )
    assert share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 10_000)
