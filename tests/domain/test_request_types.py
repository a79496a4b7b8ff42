"""Types of what a request brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput
from modelyard.domain.request_types import (
    check_mapping,
    check_optional_mapping,
    check_optional_text,
    check_tag_values,
    check_text_fact,
    given_tags,
)

TEXTS = st.dictionaries(st.text(), st.text())
NO_MAPPINGS = ["s3://x", b"x", 5, None, [], [("a", 1)], {"a"}, True]
NO_TEXTS = [5, None, b"x", ["x"], True, 1.5]


@given(st.dictionaries(st.text(), st.integers() | st.none()))
def test_any_mapping_with_text_keys_is_a_mapping(value):
    check_mapping("x", value)
    check_optional_mapping("x", value)


@pytest.mark.parametrize("value", NO_MAPPINGS, ids=repr)
def test_what_is_no_mapping_is_refused_with_what_was_found(value):
    with pytest.raises(InvalidInput, match=rf"^data_lineage: expected a mapping.*\({type(value).__name__}\)"):
        check_mapping("data_lineage", value)


def test_keys_that_are_no_text_are_refused():
    with pytest.raises(InvalidInput, match=r"^params: expected text as keys, found 1 \(int\)"):
        check_mapping("params", {"a": 1, 1: 2})


def test_nothing_is_fine_where_it_is_optional_and_only_there():
    check_optional_mapping("signature", None)
    check_optional_text("legal_hold", None)
    check_optional_text("legal_hold", "case 7")
    with pytest.raises(InvalidInput):
        check_optional_mapping("signature", "x")
    with pytest.raises(InvalidInput):
        check_optional_text("legal_hold", 5)


@pytest.mark.parametrize("value", NO_TEXTS, ids=repr)
def test_what_is_no_text_is_refused_with_what_was_found(value):
    with pytest.raises(InvalidInput, match=rf"^override_reason: expected text.*\({type(value).__name__}\)"):
        check_text_fact("override_reason", value)


@given(TEXTS)
def test_tags_of_text_are_fine_and_stay_as_they_are(tags):
    check_tag_values(tags, removing=False)
    assert given_tags(tags) == tags


@pytest.mark.parametrize("removing", [True, False])
@pytest.mark.parametrize("value", [5, True, ["x"], {"a": "b"}])
def test_a_tag_that_is_no_text_is_named(value, removing):
    with pytest.raises(InvalidInput, match=r"^tag 'team': expected text"):
        check_tag_values({"a": "b", "team": value}, removing=removing)


def test_a_tag_of_none_removes_and_is_never_stored():
    tags = {"a": None, "b": "c"}
    check_tag_values(tags, removing=True)
    with pytest.raises(InvalidInput, match="tag 'a'"):
        check_tag_values(tags, removing=False)
    assert given_tags(tags) == {"b": "c"}


def test_tags_that_are_no_mapping_are_refused():
    with pytest.raises(InvalidInput, match=r"^tags: expected a mapping"):
        check_tag_values(["a"], removing=True)
