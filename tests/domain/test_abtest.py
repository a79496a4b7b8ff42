"""Assignment is the same everywhere and for good; what is asked for is checked before anything happens."""

import hmac
import subprocess
import sys
from collections import Counter
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import abtest
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.testing import strategies

from .trials import ID, IDENTITY, NOW, an_experiment, an_outcome

VECTORS = {
    "user_12345": ("4686e59d7510b4f4c35e26e498e578c7", "A"),
    "bob": ("8beb8a69e75f499ada7a62ba9ebe334b", "B"),
    "42": ("5b849f0135cda76cb213edd2d661165d", "A"),
    "ünïcode": ("5f16e57ecfad33dc57bce0ea8009e7bc", "A"),
}
"""Made with ``printf 'unit\\x1f...' | openssl dgst -sha256 -mac HMAC -macopt key:...``."""

UNITS = strategies.storable_text(30).filter(bool)


def given_to(unit, *, weights=(0.5, 0.5), identity=IDENTITY):
    return abtest.chosen(abtest.boundaries(weights), abtest.place(identity, unit))


# --- assigning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", VECTORS)
def test_the_published_vectors_hold(unit):
    name, variant = VECTORS[unit]
    assert abtest.place(IDENTITY, unit)[:16].hex() == name
    assert "AB"[given_to(unit)] == variant


def test_other_processes_assign_alike():
    code = (
        "from modelyard.domain import abtest\n"
        f"ends = abtest.boundaries([0.5, 0.5])\n"
        f"print([abtest.chosen(ends, abtest.place({IDENTITY!r}, f'user {{i}}')) for i in range(200)])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{[given_to(f'user {i}') for i in range(200)]}\n"}


def test_shares_are_kept_within_chance():
    shares = (0.1, 0.3, 0.6)
    found = Counter(given_to(f"user {i}", weights=shares) for i in range(20_000))
    assert [round(found[i] / 20_000, 2) for i in range(3)] == pytest.approx(shares, abs=0.011)


def test_another_experiment_assigns_independently():
    both = Counter((given_to(f"u{i}"), given_to(f"u{i}", identity="f" * 64)) for i in range(4000))
    assert min(both.values()) > 850


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), UNITS)
def test_every_unit_has_exactly_one_variant(parts, unit):
    weights = [part / sum(parts) for part in parts]
    ends = abtest.boundaries(weights)
    assert ends == sorted(ends)
    assert ends[-1] == 2**64
    assert 0 <= abtest.chosen(ends, abtest.place(IDENTITY, unit)) < len(weights)


def test_the_ends_of_the_space_belong_to_the_first_and_the_last():
    ends = abtest.boundaries([0.5, 0.5])
    at = {0: 0, 2**63 - 1: 0, 2**63: 1, 2**64 - 1: 1}
    assert {place: abtest.chosen(ends, place.to_bytes(8, "big")) for place in at} == at


@given(UNITS)
def test_growing_a_share_moves_nobody_away_from_it(unit):
    if given_to(unit, weights=(0.1, 0.9)) == 0:
        assert given_to(unit, weights=(0.4, 0.6)) == 0


@pytest.mark.parametrize(("user", "name"), [("7", "7"), (7, "7"), (-1, "-1"), ("ü", "ü")])
def test_users_are_texts_or_whole_numbers(user, name):
    assert abtest.unit_name(user) == name


@pytest.mark.parametrize("user", ["", None, 1.0, True, b"x", [], "x" * 1001, "\ud800"])
def test_anything_else_is_no_user(user):
    with pytest.raises(InvalidInput, match="user_id"):
        abtest.unit_name(user)


# --- assignment ids --------------------------------------------------------------------------------------------------


@given(UNITS)
def test_an_assignment_id_says_who_got_what(unit):
    experiment = an_experiment((0.3, 0.3, 0.4))
    name = abtest.place(IDENTITY, unit)[:16].hex()
    draw = abtest.new_draw()
    found = abtest.opened(experiment, abtest.sealed(ID, IDENTITY, name, draw))
    assert found == (name, draw, "ABC"[given_to(unit, weights=(0.3, 0.3, 0.4))])


def test_the_same_request_of_a_unit_is_the_same_assignment():
    assert abtest.named_draw(IDENTITY, "order-77") == "35446b0c894f4e86"
    assert abtest.named_draw(IDENTITY, "order-78") != abtest.named_draw(IDENTITY, "order-77")
    assert abtest.new_draw() != abtest.new_draw()


def test_every_changed_character_is_noticed():
    whole = abtest.sealed(ID, IDENTITY, abtest.place(IDENTITY, "u")[:16].hex(), "35446b0c894f4e86")
    for place, old in enumerate(whole):
        forged = whole[:place] + ("0" if old != "0" else "1") + whole[place + 1 :]
        with pytest.raises(NotFound):
            abtest.opened(an_experiment(), forged)


@pytest.mark.parametrize("text", ["", "x", "....", ID, f"{ID}.", f"{ID}.ü.ü.ü", "a" * 1000])
def test_what_was_never_given_is_refused(text):
    with pytest.raises(NotFound, match="assignment"):
        abtest.opened(an_experiment(), text)


def test_an_assignment_of_another_experiment_is_refused():
    other = abtest.sealed("01j9zx4m8n2p6q7r5s3t1v0w9z", IDENTITY, "0" * 32, "0" * 16)
    with pytest.raises(NotFound, match="not one of experiment"):
        abtest.opened(an_experiment(), other)


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"A": 1.0}, "2 to 100, found 1"),
        ({"A": 0.5, "B": 0.6}, "sum to 1, found 1.1"),
        ({"A": 0.0, "B": 1.0}, "'A': expected a share above 0"),
        ({"A": -0.5, "B": 1.5}, "'A': expected a share above 0"),
        ({"A": float("nan"), "B": 0.5}, "'A': expected a share above 0 and below 1, found nan"),
        ({"A": float("inf"), "B": 0.5}, "finite"),
        ({"A": "half", "B": 0.5}, "expected a number"),
        ({f"v{i}": 1 / 101 for i in range(101)}, "found 101"),
    ],
)
def test_odd_weights_are_refused(weights, says):
    with pytest.raises(InvalidInput, match=says):
        abtest.check_weights(weights)


def test_thirds_are_weights():
    assert sum(abtest.check_weights({"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}).values()) == pytest.approx(1)


@pytest.mark.parametrize("split", [0, 1, -0.1, 1.1, float("nan"), float("inf"), "x", None, True])
def test_an_odd_split_is_refused(split):
    with pytest.raises(InvalidInput, match="split"):
        abtest.check_split(split)


def test_a_split_is_a_share():
    assert abtest.check_split(0.8) == 0.8


@pytest.mark.parametrize("names", [["A", "a"], ["A", "A"], ["A", ""], ["A", "b c"], ["A", 1]])
def test_variants_need_names_that_differ_in_any_case(names):
    with pytest.raises(InvalidInput):
        abtest.check_variant_names(names)


def test_different_names_are_fine():
    abtest.check_variant_names(["A", "B", "champion-2"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"latency": 1}, "expected max_<metric>"),
        ({"max_": 1}, "expected max_<metric>"),
        ({1: 1}, "expected max_<metric>"),
        ({"max_latency": float("nan")}, "finite number"),
        ({"max_latency": float("inf")}, "finite number"),
        ({"max_latency": 1e16}, "at most 1e\\+15"),
        ({"max_latency": True}, "expected a number, found True"),
        ({"no_worse_vibes": 0.1}, "which way 'vibes' improves"),
        ({"no_worse_latency_ms": -0.1}, "at least 0"),
        ({"max_a[b]": 1}, "square brackets"),
    ],
)
def test_odd_guardrails_are_refused(given, says):
    with pytest.raises(InvalidInput, match=says):
        abtest.check_guardrails(given)


def test_guardrails_are_kept_as_numbers():
    assert abtest.check_guardrails({"max_latency_ms": 40, "no_worse_accuracy": 0}) == {
        "max_latency_ms": 40.0,
        "no_worse_accuracy": 0.0,
    }
    assert abtest.split_rule("no_worse_f1") == ("no_worse_", "f1")


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0), (1, 1.0), (0.0, 0.0)])
def test_right_and_wrong_are_one_and_nought(value, number):
    assert abtest.check_value(an_experiment(), value) == number


def test_numpys_booleans_are_right_and_wrong_too():
    numpy = pytest.importorskip("numpy")
    assert abtest.check_value(an_experiment(), numpy.bool_(True)) == 1.0


@pytest.mark.parametrize("value", [2, 0.5, float("nan"), "yes", None, [True]])
def test_nothing_lies_between_right_and_wrong(value):
    with pytest.raises(InvalidInput, match="'accuracy'"):
        abtest.check_value(an_experiment(), value)


@pytest.mark.parametrize("value", [True, float("nan"), float("-inf"), 1e300, "1", None])
def test_a_numeric_outcome_is_a_finite_number(value):
    with pytest.raises(InvalidInput, match="'revenue'"):
        abtest.check_value(an_experiment(metric="revenue", kind="numeric"), value)


def test_extras_are_those_that_guardrails_look_at():
    experiment = an_experiment(guardrails={"max_latency_ms": 40.0})
    assert abtest.check_extras(experiment, {"latency_ms": 12}) == {"latency_ms": 12.0}
    with pytest.raises(InvalidInput, match=r"'cost'.*look at latency_ms"):
        abtest.check_extras(experiment, {"cost": 1})
    with pytest.raises(InvalidInput, match="look at none"):
        abtest.check_extras(an_experiment(), {"cost": 1})
    with pytest.raises(InvalidInput, match="latency_ms"):
        abtest.check_extras(experiment, {"latency_ms": float("nan")})


def test_an_experiment_knows_its_variants_and_its_end():
    experiment = an_experiment(name="checkout")
    assert (experiment.running, an_experiment(stopped_at=NOW).running) == (True, False)
    assert an_experiment((0.2, 0.3, 0.5)).numbers == (1, 2, 3)
    assert experiment.variant("B").number == 2
    assert (experiment.title, an_experiment().title) == ("checkout", "A=1.0.0 / B=1.1.0")
    with pytest.raises(NotFound, match="has no variant 'C'; it has A, B"):
        experiment.variant("C")


# --- summing up ------------------------------------------------------------------------------------------------------


def test_a_unit_counts_once_with_the_mean_of_its_outcomes():
    found = abtest.tallies(
        [
            an_outcome("A", "u1", "d1", 1.0),
            an_outcome("A", "u1", "d2", 0.0),
            an_outcome("A", "u2", "d1", 1.0),
            an_outcome("B", "u3", "d1", 1.0),
            an_outcome("B", "u4", "d1", 0.0, late=True),
        ]
    )
    a, b = found
    assert (a.variant, a.outcomes, a.units, a.mean, a.squares) == ("A", 3, 2, 0.75, 0.125)
    assert (b.variant, b.outcomes, b.units, b.mean, b.squares) == ("B", 1, 1, 1.0, 0.0)


def test_a_guardrails_metric_is_summed_where_it_was_measured():
    found = abtest.tallies(
        [
            an_outcome("A", "u1", guardrails={"latency_ms": 10.0}),
            an_outcome("A", "u2", guardrails={"latency_ms": 30.0}),
            an_outcome("A", "u3"),
        ],
        "latency_ms",
    )
    assert [(t.units, t.mean, t.squares) for t in found] == [(2, 20.0, 200.0)]


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=20))
def test_tallies_agree_with_the_statistics_module(values):
    (found,) = abtest.tallies([an_outcome("A", f"u{i}", value=v) for i, v in enumerate(values)])
    assert found.mean == pytest.approx(fmean(values))
    assert found.squares / (len(values) - 1) == pytest.approx(variance(values), rel=1e-9, abs=1e-6)


def test_seals_are_keyed():
    body = f"{ID}.{'0' * 32}.{'0' * 16}"
    seal = hmac.digest(IDENTITY.encode(), b"seal\x1f" + body.encode(), "sha256")[:8].hex()
    assert abtest.sealed(ID, IDENTITY, "0" * 32, "0" * 16) == f"{body}.{seal}"
