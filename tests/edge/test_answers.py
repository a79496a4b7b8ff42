"""Answers as JSON: the quick way writes what the plain way means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.canonical import plain
from modelyard.domain.records import Actor, ModelStage
from modelyard.edge.answers import json_text


@dataclass(frozen=True, slots=True)
class Record:
    inside: Any
    at: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    stage: ModelStage = ModelStage.PRODUCTION


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(ModelStage)
    | st.frozensets(st.text(max_size=3), max_size=3)
    | st.just(Actor(name="ann"))
)
keys = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(MappingProxyType)
        | inner.map(Record)
    ),
    max_leaves=12,
)


@given(values)
def test_the_quick_way_means_what_the_plain_way_means(value: Any) -> None:
    assert json.loads(json_text(value)) == plain(value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_it_writes_the_same_text(number: float, text: str) -> None:
    value = {"n": number, "t": [text, Record((number, text))]}
    assert json_text(value) == json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
