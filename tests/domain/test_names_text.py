"""Showing text safely, and refusing what no store can hold."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput
from modelyard.domain.names import check_text, csv_safe, plain
from modelyard.domain.text import shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("fraud", "fraud"), ("naïve 模型", "naïve 模型"), ("C:\\x", "C:\\x"), ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"), ("a\u200bb", "a\\u200bb"), ("\ud800", "\\ud800"), ("a\x00", "a\\x00"),
        ("a\ufe0f", "a\\ufe0f"),
        ("a\x85b", "a\\x85b"), ("a\u2028b", "a\\u2028b"), ("\U000e0001", "\\U000e0001"), ("a\tb\r",
        "a\\tb\\r"),
    ],
)  # fmt: skip
def test_A38_what_moves_the_cursor_or_hides_is_shown_escaped(text: str, seen: str) -> None:
    assert plain(text) == seen


@given(st.text())
def test_A38_plain_text_is_one_printable_line(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
    plain(text).encode("utf-8")


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "＝cmd()", "＋1", "－1", "＠x"])
def test_A38_formulas_are_disarmed_in_spreadsheets(text: str) -> None:
    assert csv_safe(text) == "'" + text


@pytest.mark.parametrize("text", ["fraud", "a=b", "", "1-2", "\t=x", "\r=x"])
def test_A38_other_text_gets_no_apostrophe(text: str) -> None:
    assert csv_safe(text) == plain(text)


@given(st.text())
def test_A38_a_csv_cell_is_one_line_that_begins_no_formula(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([csv_safe(text), "next"])
    (row,) = csv.reader(io.StringIO(out.getvalue()))
    assert row == [csv_safe(text), "next"]
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_refused_values_are_shown_short_and_escaped() -> None:
    assert shown("a\nb") == "'a\\nb'"
    assert shown("x" * 100) == f"'{'x' * 60}…' (100 characters)"
    assert shown(7) == "a value of type int"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50))
def test_free_text_comes_back_unchanged(text: str) -> None:
    assert check_text(text, 50) == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x" * 11, "at most 10 characters, found 11"),
        ("a\x00b", "NUL"),
        ("a\udfff", "surrogate"),
        (None, "expected text"),
        (7, "text"),
    ],
)
def test_text_that_cannot_be_stored_is_refused(value: object, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as error:
        check_text(value, 10, "description")  # type: ignore[arg-type]
    assert str(error.value).startswith("description: ")
