"""The model card."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.card import DEFAULT_FIELDS, FIELDS, effective, merge, missing, validate
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import LineageEdge, Metric, ModelVersion

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def version(**facts: Any) -> ModelVersion:
    return ModelVersion(
        model_id="x", name="fraud", number=1, version="0.1.0", created_at=NOW, created_by="ann", **facts
    )


def test_names_are_read_in_any_spelling() -> None:
    assert validate({"Intended use": "a", "training-data": "b"}) == {
        "intended_use": "a",
        "training_data": "b",
    }


def test_a_field_of_ones_own_is_welcome() -> None:
    assert validate({"clinical_validation": {"sites": [1, 2.5, True, None]}}) == {
        "clinical_validation": {"sites": [1, 2.5, True, None]}
    }
    assert validate({"limitation": "x"}, known=["limitation"]) == {"limitation": "x"}


def test_tuples_become_lists_so_that_what_is_stored_is_what_is_read() -> None:
    assert validate({"references": ("a", ("b",))}) == {"references": ["a", ["b"]]}


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"intended_ues": "a"}, "'intended_ues' is not known. Did you mean 'intended_use'"),
        ({"7up": "a"}, "Card field '7up': expected a letter"),
        ({7: "a"}, "Card field 7"),
        ({"owner": object()}, "'owner': expected text, numbers, lists or mappings"),
        ({"owner": math.nan}, "'owner': expected a finite number, found nan"),
        ({"owner": [{"a": math.inf}]}, "'owner': expected a finite number, found inf"),
        ({"owner": {1: "a"}}, "'owner', key: expected text"),
        ({"owner": "a\x00b"}, "'owner': expected text that UTF-8 can hold"),
        ({"owner": deep(40)}, "'owner': nested more than 32 deep"),
        ([], "expected a mapping of fields"),
    ],
)
def test_what_no_card_can_hold_is_refused_by_name(fields: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        validate(fields)


def test_merging_overwrites_and_none_removes() -> None:
    before = {"owner": "ann", "license": "MIT"}
    assert merge(before, {"owner": None, "Contact": "x"}) == {"license": "MIT", "contact": "x"}
    assert before == {"owner": "ann", "license": "MIT"}


values = st.none() | st.text(st.characters(codec="ascii", exclude_characters="\x00")) | st.integers()
cards = st.dictionaries(st.sampled_from(sorted(FIELDS)), values)


@given(cards, cards)
def test_merging_the_same_fields_twice_changes_nothing_more(
    card: dict[str, Any], fields: dict[str, Any]
) -> None:
    once = merge(card, fields)
    assert merge(once, fields) == once
    assert None not in once.values()


@pytest.mark.parametrize("blank", [None, "", "  \n", [], {}])
def test_a_blank_field_is_missing(blank: Any) -> None:
    assert missing({"owner": blank, "license": "MIT"}, ["license", "owner", "contact"]) == (
        "owner",
        "contact",
    )


@pytest.mark.parametrize("value", ["text", 0, False, ["a"], {"a": 1}])
def test_whatever_says_something_is_there(value: Any) -> None:
    assert missing({"owner": value}, ["owner"]) == ()


def test_recorded_facts_speak_where_the_card_is_silent() -> None:
    recorded = version(
        description="Finds fraud.",
        metrics=(Metric(name="accuracy", value=0.9, at=NOW, split="test"),),
        data_lineage={"dataset": "tx-2026"},
        tags={"owner": "risk"},
        card={"owner": "Ann", "description": " "},
    )
    assert effective(recorded) == {
        "description": "Finds fraud.",
        "training_data": {"dataset": "tx-2026"},
        "metrics": {"accuracy[test]": 0.9},
        "owner": "Ann",
    }
    assert missing(effective(recorded), DEFAULT_FIELDS) == ("intended_use",)


def test_a_data_set_in_the_lineage_tells_the_training_data() -> None:
    edges = (LineageEdge(kind="dataset", target="s3://a"), LineageEdge(kind="code", target="abc"))
    assert effective(version(lineage=edges)) == {"training_data": ["s3://a"]}
    assert missing(effective(version()), DEFAULT_FIELDS) == DEFAULT_FIELDS
