"""Evidence against hand-computed values, and how often it misleads."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import sequential

ALPHA = 0.05
SIZES = st.floats(10, 1e7)
VARIANCES = st.floats(1e-9, 1e9)
WIDTH = sequential.tuning(2000, ALPHA)


def test_the_mixture_is_the_published_formula():
    """Johari et al. 2022, section 4: sqrt(V / (V + w)) exp(w d^2 / (2 V (V + w))), with V and w as variances."""
    effect, variance, size = 0.05, 0.0004, 1000
    mixed = WIDTH * variance * size
    expected = math.sqrt(variance / (variance + mixed)) * math.exp(
        mixed * effect**2 / (2 * variance * (variance + mixed))
    )
    assert math.exp(sequential.log_evidence(effect, variance, size, WIDTH)) == pytest.approx(expected)


def test_the_radius_is_the_published_formula():
    """Waudby-Smith et al. 2024, theorem 2.2, with their rho^2 as the width."""
    size, deviation = 500.0, 2.0
    grown = size * WIDTH
    expected = deviation * math.sqrt(
        2 * (grown + 1) / (size**2 * WIDTH) * math.log(math.sqrt(grown + 1) / ALPHA)
    )
    assert sequential.radius(deviation**2 / size, size, WIDTH, ALPHA) == pytest.approx(expected)


@given(VARIANCES, SIZES)
def test_what_lies_at_the_ends_of_the_interval_is_just_refuted(variance, size):
    end = sequential.radius(variance, size, WIDTH, ALPHA)
    assert sequential.log_evidence(end, variance, size, WIDTH) == pytest.approx(-math.log(ALPHA))
    assert sequential.log_evidence(end * 0.99, variance, size, WIDTH) < -math.log(ALPHA)


def test_an_interval_is_shortest_about_where_it_was_tuned():
    size = 2000.0
    lengths = {
        tuned: sequential.radius(1 / size, size, sequential.tuning(tuned, ALPHA), ALPHA)
        for tuned in (200, 2000, 20_000)
    }
    assert min(lengths, key=lengths.__getitem__) == 2000


def test_an_always_valid_interval_costs_less_than_twice_a_fixed_one():
    fixed = 1.96 * math.sqrt(1 / 2000)
    assert fixed < sequential.radius(1 / 2000, 2000, WIDTH, ALPHA) < 2 * fixed


@pytest.mark.parametrize("variance", [0.0, -1e-18])
def test_where_nothing_varies_nothing_is_known(variance):
    assert sequential.log_evidence(1.0, variance, 100, WIDTH) == 0.0
    assert sequential.radius(variance, 100, WIDTH, ALPHA) == math.inf


def test_evidence_becomes_a_p_value():
    assert sequential.p_value(-3.0) == 1.0
    assert sequential.p_value(math.log(20)) == pytest.approx(0.05)


# --- shares ----------------------------------------------------------------------------------------------------------


def test_share_evidence_is_the_ratio_of_two_chances():
    """One unit more is one more factor: its predicted chance over its declared one (Lindon and Malek 2022)."""
    shares, counts = (0.5, 0.3, 0.2), [0, 0, 0]
    product = 0.0
    for unit in (0, 1, 0, 0, 2, 1, 0):
        predicted = (sequential.CONCENTRATION * shares[unit] + counts[unit]) / (
            sequential.CONCENTRATION + sum(counts)
        )
        product += math.log(predicted / shares[unit])
        counts[unit] += 1
        assert sequential.log_share_evidence(counts, shares) == pytest.approx(product)


def test_no_units_are_no_evidence():
    assert sequential.log_share_evidence([0, 0], [0.5, 0.5]) == 0.0


@given(st.permutations([0, 1, 2]))
def test_the_order_of_variants_does_not_matter(order):
    counts, shares = [50, 30, 25], [0.5, 0.3, 0.2]
    found = sequential.log_share_evidence([counts[i] for i in order], [shares[i] for i in order])
    assert found == pytest.approx(sequential.log_share_evidence(counts, shares))


def test_sixty_to_forty_declared_as_half_and_half_is_noticed_early():
    chance = random.Random(7)
    for _ in range(50):
        counts = [0, 0]
        while sequential.log_share_evidence(counts, [0.5, 0.5]) < -math.log(0.01):
            counts[chance.random() < 0.4] += 1
        assert sum(counts) < 2000


def test_declared_shares_raise_an_alarm_as_rarely_as_promised():
    """100 tests looked at after each of 800 units: at most 1 % ever alarm, plus three standard errors."""
    chance = random.Random(11)
    alarms = 0
    for _ in range(100):
        counts = [0, 0]
        alarms += any(_one_more(counts, chance) for _ in range(800))
    assert alarms / 100 <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 100)


def _one_more(counts: list[int], chance: random.Random) -> bool:
    counts[chance.random() < 0.7] += 1
    return sequential.log_share_evidence(counts, [0.3, 0.7]) >= -math.log(0.01)
