"""A primary that was elected a moment ago does not know yet what a majority holds: who reads waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.adapters.metadata import mongo_client
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.domain.errors import StorageError
from modelyard.ports.metadata import VersionQuery
from modelyard.testing.metadata import a_version, an_event, everything, seed

from .test_mongo import failing

UNAVAILABLE = 246


@pytest.fixture
def store(mongodb: Any) -> Iterator[MongoMetadata]:
    store = mongodb.empty_store("snapshots")
    yield store
    store.close()


def test_a_read_waits_until_there_is_a_snapshot(mongodb: Any, store: MongoMetadata) -> None:
    seed(store, a_version(), events=(an_event(1),))
    with failing(mongodb, 3, "aggregate", errorCode=UNAVAILABLE):
        assert [item.position for item in store.events(0, 10)] == [1]
    with failing(mongodb, 3, "aggregate", errorCode=UNAVAILABLE):
        assert everything(store, VersionQuery()) == [a_version()]
    with failing(mongodb, 3, "find", "aggregate", errorCode=UNAVAILABLE):
        assert store.check() == ()


def test_a_commit_waits_until_there_is_a_snapshot(mongodb: Any, store: MongoMetadata) -> None:
    with failing(mongodb, 3, "find", "aggregate", "insert", "update", errorCode=UNAVAILABLE):
        seed(store, events=(an_event(1),))
    assert [item.position for item in store.events(0, 10)] == [1]


def test_it_does_not_wait_for_ever(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_client, "SNAPSHOT_SECONDS", 0.1)
    with (
        failing(mongodb, None, "aggregate", errorCode=UNAVAILABLE),
        pytest.raises(StorageError, match="'snapshots' at"),
    ):
        store.events(0, 10)


def test_another_error_is_told_at_once(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_client, "_PAUSE", 1e9)
    with failing(mongodb, 1, "aggregate", errorCode=8), pytest.raises(StorageError):
        store.events(0, 10)
