"""Laws: what is sent fits its schema, what does not fit is not read, and JSON is read as JSON."""

from __future__ import annotations

import json
from functools import cache

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.domain.canonical import plain
from modelyard.domain.errors import InvalidInput, ModelyardError
from modelyard.domain.records import Check, FileEntry, Model, ModelVersion
from modelyard.edge.bodies import DEPTH, parse_json
from modelyard.edge.doorkeeper import Everybody
from modelyard.ports import service
from modelyard.ports.metadata import Page
from modelyard.rest.api import Api
from modelyard.rest.docstrings import fields_told, first_sentence, told
from modelyard.rest.openapi import document
from modelyard.rest.schemas import Schemas, named
from modelyard.testing import strategies
from modelyard.wire.codec import decode


@cache
def components():
    return document(Api(None, Everybody(None)).router.routes)["components"]


def fits(name, value):
    schema = {"$ref": f"#/components/schemas/{name}", "components": components()}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


RECORDS = {
    "ModelVersion": strategies.versions(),
    "Model": strategies.models(),
    "Metric": strategies.metrics(),
    "FileEntry": strategies.file_entries(),
    "LineageEdge": strategies.edges(),
    "ScanReport": strategies.scans(),
}


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_record_fits_its_schema_as_it_is_sent(name, data):
    assert fits(name, plain(data.draw(RECORDS[name])))


@settings(max_examples=60)
@given(
    entry=strategies.file_entries(),
    odd=st.sampled_from(["path", "size", "digest", "role", "more"]),
    data=st.data(),
)
def test_what_does_not_fit_the_schema_of_a_taken_record_is_not_read(entry, odd, data):
    value = plain(entry)
    value[odd] = data.draw(st.none() | st.booleans() | st.lists(st.integers(), max_size=1))
    assert not fits("FileEntry", value)
    with pytest.raises(ValueError):
        decode(FileEntry, value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@given(value=JSON, ascii_only=st.booleans())
def test_ordinary_json_is_read_as_it_is(value, ascii_only):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ue0d8a1-.\x00 ', max_size=60).map(str.encode))
def test_whatever_arrives_is_read_or_refused_and_can_be_sent_again(body):
    try:
        found = parse_json(body)
    except ModelyardError:
        return
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    assert found == json.loads(body)


@given(st.integers(1, 2 * DEPTH), st.integers(0, 5), st.text(alphabet='[]{}"\\', max_size=8))
def test_depth_is_that_of_brackets_outside_of_texts(levels, beside, noise):
    inner = json.dumps([noise, *([[]] * beside)])
    body = ("[" * (levels - 1) + inner + "]" * (levels - 1)).encode()
    deepest = levels + (1 if beside else 0)
    if deepest <= DEPTH:
        parse_json(body)
    else:
        with pytest.raises(InvalidInput, match="nested deeper"):
            parse_json(body)


def test_two_records_of_one_name_are_noticed():
    schemas = Schemas([])
    schemas.of(Check)
    with pytest.raises(ModelyardError, match="two records are called Check"):
        schemas.of(service.Check)


def test_a_page_is_named_after_what_is_on_it():
    assert [named(Page[ModelVersion]), named(Page[Model]), named(Model)] == [
        "ModelVersionPage",
        "ModelPage",
        "Model",
    ]


class Sample:
    """What it is. See :func:`other` and ``this``.

    More of it.

    Attributes:
        a, b: Both: of
            two lines.
        c: One.
    """


def test_docstrings_become_markdown_without_their_sections():
    assert told(Sample) == "What it is. See `other` and `this`.\n\nMore of it."
    assert fields_told(Sample) == {"a": "Both: of two lines.", "b": "Both: of two lines.", "c": "One."}
    assert first_sentence(told(Sample)) == "What it is"
