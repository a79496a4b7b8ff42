"""What options take: JSON, pairs, levels, moments."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli import inputs
from modelyard.domain.errors import InvalidInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4))
def test_inline_json_is_read_as_it_was_written(value: dict[str, object]) -> None:
    assert inputs.json_object(json.dumps(value)) == value


def test_json_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('{"min_accuracy": 0.9}')
    assert inputs.json_object(str(path)) == {"min_accuracy": 0.9}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": }', "line 1, column 7"),
        ("[1]", "found a list"),
        ("nowhere.json", "cannot be read"),
        ('{"a": ' * 100_000, "nested"),
    ],
)
def test_what_is_no_json_object_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(click.BadParameter, match=says):
        inputs.json_object(text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"\x80\x04\xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        inputs.read_json_file(path)


def test_pairs_and_json_objects_add_up_and_the_later_wins() -> None:
    assert inputs.pairs(["a=1", '{"b": "2"}', "a=x=y"], "--tags") == {"a": "x=y", "b": "2"}


def test_typed_pairs_read_numbers_as_numbers() -> None:
    found = inputs.pairs(["depth=3", "rate=0.1", "name=tree", "deep=true"], "--params", typed=True)
    assert found == {"depth": 3, "rate": 0.1, "name": "tree", "deep": True}


@pytest.mark.parametrize("word", ["team", "=x", ""])
def test_a_word_that_is_no_pair_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="key=value"):
        inputs.pairs([word], "--tags")


@pytest.mark.parametrize(("text", "level"), [("3", 3), ("true", True), ("OFF", False), (None, None)])
def test_compression_is_a_level_or_a_switch(text: str | None, level: object) -> None:
    assert inputs.compression(text) is level or inputs.compression(text) == level


@pytest.mark.parametrize("text", ["10", "-1", "best"])
def test_other_compression_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="0 to 9"):
        inputs.compression(text)


@pytest.mark.parametrize(
    ("text", "back"),
    [("now", 0), ("90s", 90), ("5 min ago", 300), ("-2h", 7200), ("1 day ago", 86400), ("2 weeks", 1209600)],
)
def test_moments_may_be_told_by_their_distance(text: str, back: int) -> None:
    assert inputs.moment(text, NOW) == NOW - timedelta(seconds=back)


def test_moments_without_a_zone_are_local() -> None:
    assert inputs.moment("2026-03-01T12:00", NOW) == datetime(2026, 3, 1, 12).astimezone(UTC)
    assert inputs.moment("2026-03-01T12:00Z", NOW) == NOW


@pytest.mark.parametrize("text", ["yesterday-ish", "", "5 parsecs", "0001-01-01T00:00+23:00", "1" * 400])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="time: expected"):
        inputs.moment(text, NOW)
