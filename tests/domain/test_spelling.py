"""Suggestions in errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.spelling import closest, hint, quoted


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("prodution", " Did you mean 'production'?"),
        ("PRODUCTION", " Did you mean 'production'?"),
        ("prod", " Did you mean 'production'?"),
        ("p", ""),
        ("zebra", ""),
    ],
)
def test_a_hint_names_the_nearest_word_or_the_one_that_was_begun(word: str, expected: str) -> None:
    assert hint(word, ["staging", "production"]) == expected


def test_the_cutoff_decides_how_near_is_near() -> None:
    assert closest("tests_pass", ["tests_passed"], cutoff=0.9) == "tests_passed"
    assert closest("tests", ["tests_passed"], cutoff=0.9) is None


@given(st.text() | st.integers() | st.binary() | st.lists(st.text()), st.integers(4, 200))
def test_what_is_quoted_is_short_and_plain(value: object, limit: int) -> None:
    """Whatever is quoted, the result is printable ASCII within the limit."""
    shown = quoted(value, limit)
    assert len(shown) <= limit
    assert shown.isascii()
    assert shown.isprintable()
