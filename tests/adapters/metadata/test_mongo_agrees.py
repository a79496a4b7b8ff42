"""MongoDB answers every question as the store in memory does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.domain.query import Compare, Field, Order, Text
from modelyard.domain.records import ModelVersion
from modelyard.ports.metadata import VersionQuery
from modelyard.testing.metadata import a_model, a_version, everything, seed, spelled

from .test_search_agrees import FROZEN, queries, versions

quick = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def store(mongodb: Any) -> Iterator[MongoMetadata]:
    store = mongodb.empty_store("agrees")
    yield store
    store.close()


def empty(mongodb: Any) -> None:
    for name in ("models", "versions"):
        mongodb.database("agrees")[name].delete_many({})


def told(store: MongoMetadata | MemoryMetadata, query: VersionQuery) -> list[str]:
    return spelled(everything(store, query))


@quick
@given(made=versions(), asked=st.lists(queries, min_size=6, max_size=12))
def test_the_database_answers_as_memory_does(
    mongodb: Any, store: MongoMetadata, made: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    """Records, filter, order and paging: for every question, equal answers in equal order."""
    memory = MemoryMetadata()
    empty(mongodb)
    for each in (memory, store):
        seed(each, a_model("fraud"), a_model("churn"), *made)
    for query in asked:
        assert told(store, query) == told(memory, query), query


@settings(quick, max_examples=20)
@given(made=versions(), again=versions(), asked=st.lists(queries, min_size=3, max_size=5))
def test_answers_follow_updates_as_memory_does(
    mongodb: Any,
    store: MongoMetadata,
    made: list[ModelVersion],
    again: list[ModelVersion],
    asked: list[VersionQuery],
) -> None:
    """After any update the searchable values are those of the new record."""
    memory = MemoryMetadata()
    empty(mongodb)
    later = [
        replace(new, **{fact: getattr(old, fact) for fact in FROZEN}, revision=2)
        for old, new in zip(made, again, strict=False)
    ]
    for each in (memory, store):
        seed(each, a_model("fraud"), a_model("churn"), *made)
        seed(each, *later)
    for query in asked:
        assert told(store, query) == told(memory, query), query
    assert store.check() == ()


@pytest.mark.parametrize(
    "word", ["$size", "a.b", "(x", "\\", "a\nb", "]", "x" * 5000, "é" * 5000, "{}", "\0", "^a$"]
)
def test_a_word_is_never_a_pattern_or_an_expression(store: MongoMetadata, word: str) -> None:
    """What is looked for is text, whatever it would mean to the database."""
    memory = MemoryMetadata()
    held = (f"b{word}c", word, word.replace("x", "y"), "a", "plain")
    made = [
        a_version(number, description=text, tags={"t": text, word: "1"}, framework=text)
        for number, text in enumerate(held, 1)
    ]
    for each in (memory, store):
        seed(each, a_model(), *made)
    for where in (
        Text(word),
        Compare(Field("tags", ("t",)), "~", word),
        Compare(Field("tags", ("t",)), "=", word),
        Compare(Field("tags", (word,)), "=", "1"),
        Compare(Field("framework"), "~", word),
        Compare(Field("framework"), "=", word),
    ):
        query = VersionQuery(where=where, order=(Order(Field("tags", (word,))),), limit=2)
        assert told(store, query) == told(memory, query), where


def test_one_name_may_be_sorted_by_twice(store: MongoMetadata) -> None:
    memory = MemoryMetadata()
    for each in (memory, store):
        seed(each, a_model(), *(a_version(n, framework="ab"[n % 2]) for n in range(1, 6)))
    twice = tuple(Order(Field(name), down) for name, down in (("framework", True), ("number", False)) * 2)
    order = (*twice, Order(Field("framework"), False))
    query = VersionQuery(order=order, limit=1)
    assert told(store, query) == told(memory, query)
