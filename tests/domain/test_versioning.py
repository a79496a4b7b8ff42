"""Labels, their order, the steps between them, and ranges."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from semver import Version

from modelyard.domain.errors import InvalidInput, InvalidRef
from modelyard.domain.versioning import (
    LEVELS,
    bump,
    is_range,
    label_key,
    latest,
    matches,
    next_label,
    parse,
    rank,
    step,
)

parts = st.integers(0, 12) | st.integers(0, 10**30)
identifiers = st.from_regex(r"(0|[1-9][0-9]{0,3}|[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,3})", fullmatch=True)
suffixes = st.lists(identifiers, min_size=1, max_size=3).map(".".join)
releases = st.tuples(parts, parts, parts).map(lambda p: ".".join(map(str, p)))
prereleases = st.tuples(releases, suffixes).map("-".join)
built = st.tuples(releases | prereleases, suffixes).map("+".join)
semantic = releases | prereleases | built

free = st.from_regex(r"[A-Za-z][A-Za-z0-9._+-]{0,20}", fullmatch=True).filter(lambda t: parse(t) is None)
numbers = st.integers(1, 10**6)


# --- what a label is ---


@pytest.mark.parametrize(
    ("label", "key"),
    [("v1.0.0", "1.0.0"), ("1.0.0", "1.0.0"), ("vanilla", "vanilla"), ("v", "v"), ("v1", "1"), ("V1", "V1")],
)
def test_only_a_v_before_a_digit_is_dropped(label: str, key: str) -> None:
    assert label_key(label) == key


@pytest.mark.parametrize(
    "label", ["alpha-1", "1.2", "1.2.3.4", "01.2.3", "1.2.3\n", "1.2.3-٣", "1.2.3-", "", "v"]
)
def test_what_is_no_semantic_version_is_a_free_label(label: str) -> None:
    assert parse(label) is None


@given(semantic)
def test_a_leading_v_changes_nothing_about_a_version(label: str) -> None:
    assert parse(label) == parse(f"v{label}") == Version.parse(label)


# --- order ---


@given(semantic, semantic, numbers, numbers)
@example("1.0.0-a", "1.0.0-a-", 1, 1)
@example("1.0.0-a", "1.0.0-a.0", 1, 1)
@example("1.0.0-a.9", "1.0.0-a.10", 1, 1)
@example("1.0.0-9", "1.0.0-a", 1, 1)
@example("1.9.0", "1.10.0", 1, 1)
@example("1.0.0+a", "1.0.0+b", 9, 10)
def test_the_rank_orders_as_semver_does(one: str, other: str, m: int, n: int) -> None:
    """Within releases and within pre-releases the rank's order is SemVer precedence, then the number."""
    a, b = Version.parse(one), Version.parse(other)
    assume((a.prerelease is None) == (b.prerelease is None))
    expected = a.compare(b) or (m > n) - (m < n)
    assert (rank(one, m) > rank(other, n)) - (rank(one, m) < rank(other, n)) == expected


@given(releases, prereleases, free, free, numbers, numbers)
def test_releases_outrank_prereleases_and_both_outrank_free_labels(
    release: str, prerelease: str, word: str, other: str, m: int, n: int
) -> None:
    assert rank(release, m) > rank(prerelease, n) > rank(word, n)
    assert (rank(word, m) > rank(other, n)) == (m > n)


@given(semantic | free, numbers)
def test_a_rank_is_short_ascii(label: str, number: int) -> None:
    assert rank(label, number).isascii()
    assert len(rank(label, number)) <= 255


def test_the_latest_is_the_highest_release_and_never_a_later_free_label() -> None:
    given_labels = [("1.9.0", 1), ("v1.10.0", 2), ("2.0.0-rc.1", 3), ("zeta", 4)]
    assert latest(given_labels) == ("v1.10.0", 2)
    assert latest([("2.0.0-rc.1", 3), ("zeta", 4)]) == ("2.0.0-rc.1", 3)
    assert latest([("zeta", 4), ("alpha", 5)]) == ("alpha", 5)
    assert latest([]) is None


# --- steps ---


@pytest.mark.parametrize(
    ("label", "level", "expected"),
    [
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("v1.2.3", "patch", "v1.2.4"),
        ("1.2.3+build", "patch", "1.2.4"),
        ("1.0.0-rc.1", "patch", "1.0.0"),
        ("1.0.0-rc.1", "major", "1.0.0"),
        ("1.1.0-rc.1", "major", "2.0.0"),
    ],
)
def test_a_bump_takes_one_step(label: str, level: str, expected: str) -> None:
    assert bump(label, level) == expected


@given(semantic, st.sampled_from(LEVELS))
def test_a_bump_is_a_step_up_of_at_least_that_size(label: str, level: str) -> None:
    """``bump`` leads upwards to a release, and ``step`` sees a step that is not smaller than was asked."""
    after = bump(label, level)
    taken = step(label, after)
    assert taken is not None
    assert LEVELS.index(taken) <= LEVELS.index(level)
    assert Version.parse(after).prerelease is None


def test_free_labels_and_unknown_levels_cannot_be_bumped() -> None:
    with pytest.raises(InvalidInput, match=r"alpha-1.*expected a semantic version"):
        bump("alpha-1", "patch")
    with pytest.raises(InvalidInput, match="Did you mean 'minor'"):
        bump("1.0.0", "minr")


def test_the_first_label_is_0_1_0_also_after_free_labels() -> None:
    assert next_label(None) == "0.1.0"
    assert next_label("alpha-1", "major") == "0.1.0"
    assert next_label("0.1.0") == "0.1.1"
    assert next_label("0.1.0", "minor") == "0.2.0"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.2.3", "2.0.0", "major"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "v1.2.4", "patch"),
        ("1.2.3", "1.2.3", None),
        ("1.2.3", "1.2.3+b", None),
        ("1.2.3", "1.2.2", None),
        ("1.2.3", "beta", None),
        ("beta", "1.2.3", None),
        ("2.0.0-rc.1", "2.0.0", "major"),
        ("2.1.0-rc.1", "2.1.0-rc.2", "minor"),
        ("2.1.1-rc.1", "2.1.1", "patch"),
    ],
)
def test_a_step_is_named_by_the_largest_part_that_rose(old: str, new: str, expected: str | None) -> None:
    assert step(old, new) == expected


# --- ranges ---


@pytest.mark.parametrize(
    ("range_text", "inside", "outside"),
    [
        ("^1", ["1.0.0", "v1.99.0"], ["0.9.9", "2.0.0", "1.5.0-rc.1"]),
        ("^1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]),
        ("^v1.2.3", ["1.2.3", "1.2.3+b"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1.0"]),
        ("^0", ["0.9.0"], ["1.0.0"]),
        ("^0.0.0", ["0.0.0"], ["0.0.1"]),
        ("^*", ["0.0.0", "9.9.9"], ["1.0.0-rc.1", "free"]),
        ("~1", ["1.9.0"], ["2.0.0"]),
        ("~1.4", ["1.4.0", "1.4.9"], ["1.5.0", "1.3.9"]),
        ("~1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5.0"]),
        (">=1.2,<2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0", "2.0.0-rc.1"]),
        (" >= 1.2  < 2 ", ["1.2.0"], ["2.0.0"]),
        ("1.x", ["1.0.0", "1.9.0"], ["2.0.0", "0.9.0"]),
        ("1.4.*", ["1.4.7"], ["1.5.0"]),
        ("1", ["1.4.7"], ["2.0.0"]),
        ("==1.4", ["1.4.7"], ["1.5.0"]),
        ("*", ["0.0.1"], ["alpha", "1.0.0-rc.1"]),
        (">1", ["2.0.0"], ["1.9.9"]),
        ("<=1.4", ["1.4.9", "0.1.0"], ["1.5.0"]),
        (">1.4.2", ["1.4.3"], ["1.4.2"]),
        ("<=1.4.2", ["1.4.2"], ["1.4.3"]),
        ("=1.4.2", ["1.4.2", "v1.4.2"], ["1.4.3"]),
        ("==1.4.2", ["1.4.2"], ["1.4.3"]),
        ("!=1.4.2", ["1.4.3"], ["1.4.2"]),
        (">=1.0.0-rc.1", ["1.0.0-rc.2", "1.0.0", "2.0.0"], ["1.0.0-beta", "2.0.0-rc.2"]),
    ],
)
def test_a_range_holds_what_it_says(range_text: str, inside: list[str], outside: list[str]) -> None:
    assert [label for label in inside if not matches(label, range_text)] == []
    assert [label for label in outside if matches(label, range_text)] == []


@pytest.mark.parametrize(
    "range_text",
    ["", ",", "^", "~alpha", "1.2,", "!=1.2", ">*", "^1 || ^2", ">=1.0.0-01", "^1..2", "1.2.3.4"],
)
def test_a_range_that_cannot_be_read_is_refused(range_text: str) -> None:
    with pytest.raises(InvalidRef, match="Cannot read the version range"):
        matches("1.0.0", range_text)


@given(semantic, semantic)
def test_caret_and_tilde_never_admit_less_than_their_base(base: str, label: str) -> None:
    """What ``^`` or ``~`` admits is not below the base; ``~`` admits nothing that a change of minor separates."""
    for op in "^~":
        assert matches(base, op + base)
        if matches(label, op + base):
            assert Version.parse(label) >= Version.parse(base)
            assert step(base, label) != "major" or Version.parse(base).prerelease is not None


@pytest.mark.parametrize("text", ["^1", "~1.4", ">=1.2,<2", "1.x", "1.4.*", "*", "!=1.0.0", "v1.X"])
def test_a_range_is_told_from_a_label(text: str) -> None:
    assert is_range(text)


@pytest.mark.parametrize("text", ["1", "1.4", "1.4.0", "alpha", "x", "v1", "1.4.0-x", ""])
def test_a_label_is_told_from_a_range(text: str) -> None:
    assert not is_range(text)


def test_the_order_of_the_standard_example_holds() -> None:
    """SemVer 2.0.0, rule 11.4."""
    order = "alpha alpha.1 alpha.beta beta beta.2 beta.11 rc.1".split()
    ranks = [rank(f"1.0.0-{suffix}", 1) for suffix in order] + [rank("1.0.0", 1)]
    assert all(low < high for low, high in pairwise(ranks))
