"""Where two versions differ in what they are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.canonical import plain
from modelyard.domain.diff import diff
from modelyard.domain.records import FileEntry, ModelVersion

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INPUT = {"inputs": [{"name": "x", "type": "float64"}]}
OTHER = {"inputs": [{"name": "y", "type": "float64"}]}


def version(model_id: str, **facts: Any) -> ModelVersion:
    facts = {"name": "fraud", "number": 1, "version": "1.0.0", "created_at": NOW, "created_by": "ann"} | facts
    return ModelVersion(model_id=model_id, **facts)


def test_every_part_names_both_sides_and_leaves_out_what_is_equal() -> None:
    a = version(
        "a",
        hyperparams={"C": 1.0, "tree": {"depth": 3, "leaf": 1}, "gone": None},
        environment={"python": "3.11", "packages": {"numpy": "2.0"}},
        files=(FileEntry(path="m", size=1, digest="sha256:1"),),
        card={"owner": "ann", "text": "same"},
    )
    b = version(
        "b",
        hyperparams={"C": 1.0, "tree": {"depth": 4, "leaf": 1}},
        environment={"python": "3.11", "packages": {"numpy": "2.1"}},
        files=(FileEntry(path="m", size=1, digest="sha256:2"),),
        card={"owner": "bob", "text": "same"},
    )
    found = diff(a, b)
    assert found.params == {"gone": {"a": None}, "tree.depth": {"a": 3, "b": 4}}
    assert found.environment == {"packages.numpy": {"a": "2.0", "b": "2.1"}}
    assert found.files == {"m": {"a": "sha256:1", "b": "sha256:2"}}
    assert found.card == {"owner": {"a": "ann", "b": "bob"}}
    assert not found.empty
    assert found.to_mapping() == plain(found)


def test_the_signature_is_judged_as_a_consumer_would() -> None:
    found = diff(version("a", signature=INPUT), version("b", signature=OTHER))
    assert found.signature_verdict == "breaking"
    assert any("x" in reason for reason in found.signature_reasons)
    assert diff(version("a", signature=INPUT), version("b", signature=INPUT)).signature_verdict == "identical"


def test_a_signature_that_only_one_side_has_is_a_difference() -> None:
    for left, right, side in ((INPUT, None, "a"), (None, INPUT, "b"), ({}, INPUT, "b")):
        found = diff(version("a", signature=left), version("b", signature=right))
        assert (found.signature_verdict, found.signature_reasons) == (
            "unknown",
            (f"only {side} has a signature",),
        )
        assert not found.empty
    assert diff(version("a"), version("b", signature={})).empty


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (0, False),
        ("1", 1),
        (None, 0),
        ([1], [2]),
        ({}, {"x": 1}),
        ({}, None),
        ([True], [1]),
        ([{"x": 1}], [{"x": True}]),
        ([{"x": 1}], [{"y": 1}]),
        ([1], [1, 1]),
        ([1], {"x": 1}),
    ],
)
def test_values_that_python_or_people_confuse_differ(left: Any, right: Any) -> None:
    assert diff(version("a", hyperparams={"v": left}), version("b", hyperparams={"v": right})).params
    assert diff(version("a", hyperparams={"v": left}), version("b", hyperparams={"v": left})).empty


def test_a_whole_number_is_the_same_setting_however_it_is_written() -> None:
    left, right = {"v": 1, "w": [1, {"x": 2}]}, {"v": 1.0, "w": (1.0, {"x": 2.0})}
    assert diff(version("a", hyperparams=left), version("b", hyperparams=right)).empty


values = st.dictionaries(
    st.sampled_from("abc"),
    st.none() | st.integers(0, 2) | st.booleans() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 1)),
)


@given(values, values)
def test_the_other_way_round_the_sides_are_exchanged(left: dict[str, Any], right: dict[str, Any]) -> None:
    there = diff(version("a", card=left), version("b", card=right))
    back = diff(version("b", card=right), version("a", card=left))
    turned = {"a": "b", "b": "a"}
    assert back.card == {
        key: {turned[side]: value for side, value in sides.items()} for key, sides in there.card.items()
    }
    assert diff(version("a", card=left), version("b", card=left)).empty
