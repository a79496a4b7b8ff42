"""One byte form for every value: RFC 8785, plus strings for what JSON's numbers cannot say."""

import math
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.domain.canonical import (
    SAFE_INTEGER,
    canonical,
    composed,
    fingerprint,
    plain,
    sha256,
    utc_text,
    utc_time,
)
from modelyard.domain.records import Actor, FileEntry, ModelStage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE_INTEGER, SAFE_INTEGER) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - the zone is drawn
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5.5))]),
)


@settings(max_examples=400)
@given(JSON)
def test_the_bytes_are_those_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "number", [2.0**53, 2.0**53 + 2, 1e16, 1e-7, 1e21, 5e-324, -0.0, 1e300, 123456789.125, 1.0]
)
def test_odd_floats_are_written_as_ecmascript_writes_them(number):
    assert canonical([number]) == rfc8785.dumps([number])


@pytest.mark.parametrize(
    "keys", [("\ue000", "\U00010000"), ("a", "\U0001f600", "\uffee"), ("é", "e", "\u20ac")]
)
def test_keys_are_sorted_by_utf_16_units(keys):
    value = dict.fromkeys(keys, 1)
    assert canonical(value) == rfc8785.dumps(value)


@given(st.floats(1e-8, 1e-2))
def test_small_fractions_are_written_as_ecmascript_writes_them(number):
    assert canonical({"a": number}) == rfc8785.dumps({"a": number})


@given(st.dictionaries(st.from_regex(r"[a-z_.]{1,9}", fullmatch=True), JSON))
def test_an_object_may_be_composed_of_members_in_canonical_form(members):
    assert composed({name: canonical(value) for name, value in members.items()}) == canonical(members)


@given(st.integers())
def test_integers_beyond_what_every_reader_holds_become_text(number):
    expected = str(number) if abs(number) <= SAFE_INTEGER else f'"{number}"'
    assert canonical(number).decode() == expected
    assert canonical({"a": number, "b": 1e-9}).decode() == f'{{"a":{expected},"b":1e-9}}'


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_what_is_no_number_becomes_text(value, text):
    assert canonical([value]).decode() == f'["{text}"]'


@given(JSON)
def test_the_order_of_keys_does_not_matter(value):
    def turned(item):
        if isinstance(item, dict):
            return {k: turned(v) for k, v in reversed(item.items())}
        return [turned(i) for i in item] if isinstance(item, list) else item

    assert fingerprint(turned(value)) == fingerprint(value)


@given(JSON, JSON)
def test_fingerprints_are_equal_only_for_the_same_bytes(a, b):
    assert (fingerprint(a) == fingerprint(b)) == (canonical(a) == canonical(b))


def test_records_enums_sets_and_tuples_have_a_json_form():
    entry = FileEntry(path="m", size=1, digest="sha256:x")
    assert plain([ModelStage.STAGING, {2, 1}, frozenset("a"), (1, None), Actor(name="ann"), {1: True}]) == [
        "staging",
        [1, 2],
        ["a"],
        [1, None],
        {"name": "ann", "kind": "user"},
        {"1": True},
    ]
    assert plain(entry)["media_type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "value", [object(), b"bytes", FileEntry, 1j], ids=["object", "bytes", "class", "complex"]
)
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(TypeError, match="no JSON form"):
        canonical({"a": [value]})


def test_lone_surrogates_are_refused():
    with pytest.raises(UnicodeEncodeError):
        canonical("\ud800")


@given(MOMENTS)
def test_times_are_utc_with_microseconds_and_sort_as_they_pass(moment):
    text = utc_text(moment)
    assert utc_time(text) == moment
    assert plain({"at": moment}) == {"at": text}
    assert len(text) == len("2026-03-01T12:00:00.000000Z")


@given(MOMENTS, MOMENTS)
def test_texts_of_times_sort_as_they_pass(a, b):
    assert (utc_text(a) < utc_text(b)) == (a < b)


def test_sha256_is_named():
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_fingerprint_never_changes_between_releases():
    value = {
        "name": "fraud",
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "n": 2**60,
        "x": [0.1, 1e-9, None, True],
    }
    assert canonical(value) == (
        b'{"at":"2026-03-01T12:00:00.000000Z","n":"1152921504606846976","name":"fraud","x":[0.1,1e-9,null,true]}'
    )


class Word(str):
    """A text of a kind of its own, as numpy's are."""


class Number(float):
    """A float of a kind of its own."""


class Level(IntEnum):
    HIGH = 3


ODD = st.sampled_from(
    [
        ModelStage.STAGING,
        Level.HIGH,
        Word("w"),
        Number(0.5),
        Number("nan"),
        (1, 2),
        frozenset({"a"}),
        Actor(name="ann"),
        FileEntry(path="m", size=1, digest="d"),
        datetime(2026, 3, 1, tzinfo=UTC),
    ]
)


@given(
    st.recursive(
        JSON | ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    )
)
def test_records_have_the_bytes_of_their_plain_form(value):
    assert canonical(value) == canonical(plain(value))


@pytest.mark.parametrize("key", [ModelStage.STAGING, Word("w"), 7, None, True], ids=str)
def test_keys_become_text(key):
    assert canonical({key: 1}) == canonical({str(key): 1})
