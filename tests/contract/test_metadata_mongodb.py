"""The store in MongoDB, as the contracts want it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.adapters.metadata.mongo_schema import COLLECTION, where
from modelyard.adapters.metadata.mongo_write import Writer
from modelyard.ports.metadata import Changes, ReceiptKey, RegistryKey, SourceKey
from modelyard.testing.metadata import DurableMetadataContract
from modelyard.testing.metadata_experiments import ExperimentRecordsContract
from modelyard.testing.metadata_sessions import SessionRecordsContract
from modelyard.testing.metadata_tokens import TokenRecordsContract

WORDS = {SourceKey: ("dataset", "dateset"), ReceiptKey: ('"q"', '"r"'), RegistryKey: ('"r"', '"s"')}


DATABASE = "contract"
stores: list[MongoMetadata] = []


def opened(url: str) -> MongoMetadata:
    """Another store over the same records; the driver insists on being closed, so it is remembered."""
    store = MongoMetadata(url)
    stores.append(store)
    return store


class OfMongodb:
    @pytest.fixture
    def store(self, mongodb: Any) -> Iterator[MongoMetadata]:
        self.server = mongodb
        store = mongodb.empty_store(DATABASE)
        yield store
        store.close()
        while stores:
            stores.pop().close()


class TestMongodb(OfMongodb, DurableMetadataContract):
    def opener(self, store: MongoMetadata) -> partial[MongoMetadata]:
        return partial(opened, self.server.address(DATABASE))

    def damage(self, store: MongoMetadata, key: Any) -> None:
        self.replace_in_text(COLLECTION[type(key)], where(key), *WORDS.get(type(key), ('"', "'")))

    def damage_event(self, store: MongoMetadata, position: int) -> None:
        self.replace_in_text("events", {"position": position}, "ada", "bob")

    def replace_in_text(self, name: str, condition: dict[str, Any], old: str, new: str) -> None:
        changed = {"$replaceOne": {"input": "$doc", "find": old, "replacement": new}}
        done = self.server.database(DATABASE)[name].update_one(condition, [{"$set": {"doc": changed}}])
        assert done.modified_count == 1

    @contextmanager
    def in_flight(self, store: MongoMetadata, changes: Changes) -> Iterator[None]:
        kept = self.server.database(DATABASE)
        with kept.client.start_session() as session:
            session.start_transaction()
            Writer(kept, changes).apply(session)
            yield
            session.commit_transaction()


class TestExperiments(OfMongodb, ExperimentRecordsContract):
    pass


class TestTokens(OfMongodb, TokenRecordsContract):
    pass


class TestSessions(OfMongodb, SessionRecordsContract):
    pass
