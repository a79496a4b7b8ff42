"""Tables and facts fit, whatever is in them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli import render
from modelyard.cli.render import Column

HOSTILE = st.one_of(
    st.text(max_size=120),
    st.text(alphabet="漢字表示ﾊﾝｶｸ한글🦊é\u0301", max_size=80),
    st.text(alphabet="\x1b[31m\n\r\t\x00\x9b\u202e\u200b\ufeff", max_size=60),
)
COLUMNS = (
    Column(title="MODEL"),
    Column(title="VERSION", keep=True),
    Column(title="#", right=True, keep=True),
    Column(title="METRICS"),
)


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE), max_size=6), st.integers(20, 200))
def test_no_table_line_is_wider_than_asked_and_no_row_takes_two(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    lines = render.table(COLUMNS, rows, width)
    assert all(render.width_of(line) <= width for line in lines)
    assert len(lines) - 1 in (len(rows), len(rows) + 1)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for line in lines for char in line)


@given(HOSTILE, st.integers(20, 120))
def test_no_fact_line_is_wider_than_asked(value: str, width: int) -> None:
    lines = render.facts([("about", value)], width)
    assert all(render.width_of(line) <= width for line in lines)
    assert "\x1b" not in "".join(lines)


@given(st.text(max_size=60).map(render.plain), st.integers(1, 60))
def test_shortening_keeps_the_width_and_both_ends(text: str, width: int) -> None:
    short = render.shorten(text, width)
    assert render.width_of(short) <= width
    if short != text and width > 8:
        head, _, tail = short.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_wide_characters_count_two_columns_and_marks_none() -> None:
    assert render.width_of("漢字") == 4
    assert render.width_of("e\u0301") == 1
    assert render.width_of("ＡＢ") == 4


def test_numbers_stand_right_and_titles_above_them() -> None:
    lines = render.table(
        (Column(title="NAME"), Column(title="COUNT", right=True)), [["a", "7"], ["bb", "1234"]], 80
    )
    assert lines == ["NAME  COUNT", "a         7", "bb     1234"]


def test_long_cells_lose_their_middle_and_short_columns_keep_all() -> None:
    lines = render.table(COLUMNS, [["model-" + "x" * 90 + "-end", "1.10.0", "12", "accuracy=0.9"]], 60)
    assert lines[1].startswith("model-x")
    assert "-end  1.10.0   12  accuracy=0.9" in lines[1]
    assert "…" in lines[1]


def test_columns_that_do_not_fit_are_left_out_and_it_is_said() -> None:
    columns = [Column(title=f"METRIC{index}") for index in range(30)]
    lines = render.table(columns, [["0.5"] * 30], 40)
    assert all(render.width_of(line) <= 40 for line in lines)
    assert "more columns" in lines[-1]


def test_a_digest_fits_on_one_line_of_eighty_columns() -> None:
    digest = "sha256:" + "a" * 64
    assert render.facts([("digest", digest)], 80) == [f"digest   {digest}"]


@pytest.mark.parametrize(
    ("text", "lines"), [("", [""]), ("one two", ["one", "two"]), ("abcdef", ["abcd", "ef"])]
)
def test_long_values_break_at_spaces_where_there_are_any(text: str, lines: list[str]) -> None:
    assert render.wrap(text, 4) == lines
