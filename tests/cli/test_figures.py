"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli import figures

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1536, "1.5 KiB"),
        (102 * 1024, "102 KiB"),
        (1 << 30, "1.0 GiB"),
        (3 << 60, "3072 PiB"),
    ],
)
def test_sizes_have_a_unit_and_three_digits(count: int, text: str) -> None:
    assert figures.size(count) == text


@given(st.integers(0, 1 << 59))
def test_a_size_is_never_longer_than_eight_characters(count: int) -> None:
    assert len(figures.size(count)) <= 8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (5, "5 s ago"),
        (200, "3 min ago"),
        (7300, "2 h ago"),
        (3 * 86400, "3 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_times_are_told_by_their_distance(seconds: int, text: str) -> None:
    assert figures.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_times_long_past_are_told_by_their_date() -> None:
    assert figures.ago(NOW - timedelta(days=100), NOW).startswith("2025-11-2")
    assert " ago" not in figures.when(NOW - timedelta(days=100), NOW)


def test_what_is_missing_is_a_dash() -> None:
    assert [figures.ago(None, NOW), figures.when(None, NOW), figures.number(None)] == ["-", "-", "-"]


def test_numbers_keep_six_digits_and_nan_says_so() -> None:
    assert figures.number(0.123456789) == "0.123457"
    assert figures.number(float("nan")) == "nan"
    assert figures.number(12) == "12"


def test_plurals_are_english() -> None:
    assert [figures.plural(n, w) for n, w in ((1, "entry"), (2, "entry"), (1200, "version"))] == [
        "1 entry",
        "2 entries",
        "1,200 versions",
    ]
