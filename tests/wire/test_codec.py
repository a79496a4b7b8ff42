"""Records to JSON and back."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.domain import policy
from modelyard.domain.answers import Affected, Reached
from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.lineage_nodes import GraphEdge, LineageNode
from modelyard.domain.records import (
    Actor,
    Alias,
    Blob,
    Check,
    Event,
    FileEntry,
    FlavorRecord,
    LineageEdge,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    Move,
    Receipt,
    Registry,
    ScanReport,
    Source,
    Withdrawal,
)
from modelyard.wire.codec import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
MOMENTS = st.datetimes(datetime(1971, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is drawn
FILES = st.builds(FileEntry, path=TEXT, size=st.integers(0, 9), digest=TEXT, role=TEXT)
NUMBERS = st.floats(allow_nan=False)
METRICS = st.builds(
    Metric,
    name=TEXT,
    value=NUMBERS,
    at=MOMENTS,
    by=TEXT,
    n=st.none() | st.integers(0, 9),
    higher_is_better=st.none() | st.booleans(),
)
SCANS = st.builds(ScanReport, verdict=st.sampled_from(["clean", "unsafe"]), globals=st.tuples(TEXT, TEXT))
FLAVORS = st.builds(
    FlavorRecord, name=TEXT, options=OBJECTS, hyperparams=OBJECTS, facts=OBJECTS, globals=st.tuples(TEXT)
)
VERSIONS = st.builds(
    ModelVersion,
    model_id=TEXT,
    name=TEXT,
    number=st.integers(1, 9),
    version=TEXT,
    created_at=MOMENTS,
    created_by=TEXT,
    files=st.lists(FILES, max_size=2).map(tuple),
    flavor=st.none() | FLAVORS,
    signature=st.none() | OBJECTS,
    lineage=st.lists(st.builds(LineageEdge, kind=TEXT, target=TEXT, details=OBJECTS), max_size=2).map(tuple),
    links=st.lists(st.builds(LineageEdge, kind=TEXT, target=TEXT), max_size=2).map(tuple),
    withdrawn=st.none() | st.builds(Withdrawal, reason=TEXT, at=MOMENTS),
    stage=st.sampled_from(ModelStage),
    tags=st.dictionaries(TEXT, TEXT, max_size=2),
    attributes=OBJECTS,
    metrics=st.lists(METRICS, max_size=2).map(tuple),
    checks=st.dictionaries(
        TEXT, st.builds(Check, name=TEXT, passed=st.booleans(), at=MOMENTS, by=TEXT), max_size=2
    ),
    scans=st.dictionaries(TEXT, SCANS, max_size=2),
    deleted_at=st.none() | MOMENTS,
    load_check=st.none() | OBJECTS,
    revision=st.integers(0, 9),
)
POLICIES = st.sampled_from(
    [
        policy.DEFAULT,
        policy.from_mapping(
            {"lifecycle": "strict", "gates": {"staging": {"min_accuracy": 0.9, "tests_passed": True}}}
        ),
        policy.from_mapping({"transitions": {"development": ["production"]}, "holders": {"production": 0}}),
    ]
)
MODELS = st.builds(
    Model,
    name=TEXT,
    key=TEXT,
    slug=TEXT,
    created_at=MOMENTS,
    created_by=TEXT,
    policy=POLICIES,
    aliases=st.dictionaries(
        TEXT, st.builds(Alias, name=TEXT, number=st.integers(1, 9), model_id=TEXT, at=MOMENTS), max_size=2
    ),
    holders=st.dictionaries(TEXT, st.lists(st.integers(1, 9), max_size=2).map(tuple), max_size=2),
    head_at=st.none() | MOMENTS,
)
EVENTS = st.builds(
    Event,
    model=TEXT,
    sequence=st.integers(1, 9),
    at=MOMENTS,
    actor=TEXT,
    action=TEXT,
    subject=TEXT,
    before=OBJECTS,
    after=OBJECTS,
)
RECORDS = st.one_of(
    VERSIONS,
    MODELS,
    EVENTS,
    st.builds(Blob, digest=TEXT, size=st.integers(0, 9), touched_at=MOMENTS, scan=st.none() | SCANS),
    st.builds(Receipt, key=TEXT, request=TEXT, result=OBJECTS, at=MOMENTS),
    st.builds(Registry, registry_id=TEXT, format=st.integers(1, 9), created_at=MOMENTS),
    st.builds(
        Move,
        model=TEXT,
        pointer=TEXT,
        sequence=st.integers(1, 9),
        at=MOMENTS,
        number=st.none() | st.integers(),
    ),
    st.builds(Actor, name=TEXT, kind=TEXT),
    st.builds(
        Source,
        kind=TEXT,
        target=TEXT,
        withdrawn=st.none() | st.builds(Withdrawal, reason=TEXT, at=MOMENTS),
    ),
)


@settings(max_examples=300)
@given(RECORDS)
def test_what_is_encoded_is_decoded_again(record):
    assert decode(type(record), json.loads(json.dumps(encode(record)))) == record


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_travel_as_text(value):
    text = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    data = encode(Metric(name="a", value=1.0, at=datetime(2026, 1, 1, tzinfo=UTC))) | {"value": text}
    assert repr(decode(Metric, data).value) == repr(value)


ENTRY = {"path": "m", "size": 1, "digest": "d"}


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (FileEntry, ENTRY | {"extra": 1}, "unknown keys: extra"),
        (FileEntry, {"path": "m", "size": 1}, "lacks 'digest'"),
        (FileEntry, ENTRY | {"size": "1"}, "FileEntry.size must be a whole number, not '1'"),
        (FileEntry, ENTRY | {"size": True}, "must be a whole number, not True"),
        (FileEntry, ENTRY | {"path": None}, "must be a text"),
        (FileEntry, [], "must be an object"),
        (FileEntry, None, "must be an object"),
        (ScanReport, {"verdict": "clean", "globals": "os"}, "globals must be a list"),
        (ScanReport, {"verdict": "clean", "globals": [1]}, r"globals\[0\] must be a text"),
        (Metric, {"name": "a", "value": "1", "at": "2026-01-01T00:00:00Z"}, "must be a number"),
        (Metric, {"name": "a", "value": True, "at": "2026-01-01T00:00:00Z"}, "must be a number"),
        (Metric, {"name": "a", "value": 1, "at": "yesterday"}, "yesterday"),
        (Metric, {"name": "a", "value": 1, "at": 5}, "must be a text"),
        (Actor, {"name": "a", "kind": []}, "must be a text"),
        (
            Receipt,
            {"key": "k", "request": "r", "result": [], "at": "2026-01-01T00:00:00Z"},
            "must be an object",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_with_its_place(kind, data, said):
    with pytest.raises(ValueError, match=said):
        decode(kind, data)


def test_an_unknown_stage_is_refused():
    version = encode(
        ModelVersion(
            model_id="i",
            name="n",
            number=1,
            version="1",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            created_by="a",
        )
    )
    with pytest.raises(ValueError, match="nowhere"):
        decode(ModelVersion, version | {"stage": "nowhere"})


def test_keys_that_are_no_words_are_refused_and_not_tripped_over():
    with pytest.raises(ValueError):
        decode(FileEntry, {1: 2, "path": "m"})


def test_answers_about_lineage_come_back_as_they_were() -> None:
    root = LineageNode(
        kind="version", target="a", label="m:1", name="m", number=1, version="1", stage="staging"
    )
    edge = GraphEdge(source=("dataset", "d"), target=root.thing, kind="dataset")
    graph = LineageGraph(root=root.thing, direction="up", depth=None, nodes=(root,), edges=(edge,))
    reached = Reached(kind="alias", name="m@champion", model_id="a", path=("dataset d", "m:1", "m@champion"))
    withdrawal = Withdrawal(reason="x", at=datetime(2026, 3, 1, tzinfo=UTC), by="ann")
    affected = Affected(kind="dataset", target="d", name="d", withdrawn=withdrawal, items=(reached,))
    for answer in (graph, affected):
        assert decode(type(answer), json.loads(json.dumps(encode(answer)))) == answer


@pytest.mark.parametrize("given", [1, 1.0, 0, -3])
def test_a_whole_number_is_read_as_what_its_field_is(given):
    read = decode(Metric, {"name": "m", "value": given, "at": "2026-01-01T00:00:00Z", "sd": given})
    assert (read.value, type(read.value), type(read.sd)) == (given, float, float)


def test_a_number_that_no_float_holds_is_refused():
    with pytest.raises(ValueError, match="value"):
        decode(Metric, {"name": "m", "value": 10**400, "at": "2026-01-01T00:00:00Z"})
