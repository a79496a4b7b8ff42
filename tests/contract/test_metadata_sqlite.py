"""The store in an SQLite file, as the contract wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.adapters.metadata.sqlite import driver
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    ModelKey,
    ReceiptKey,
    RegistryKey,
    SourceKey,
    VersionKey,
)
from modelyard.testing.metadata import DurableMetadataContract

PLACES = {
    VersionKey: "version_docs SET doc = replace(doc, 'ada', 'bob')",
    ModelKey: "models SET doc = replace(doc, 'ada', 'bob')",
    BlobKey: "blobs SET revision = revision + 1",
    SourceKey: "sources SET doc = replace(doc, 'dataset', 'dateset')",
    ReceiptKey: "receipts SET doc = replace(doc, '\"q\"', '\"r\"')",
    RegistryKey: "registry SET doc = replace(doc, '\"r\"', '\"s\"')",
}


class TestSqlite(DurableMetadataContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqlMetadata]:
        store = SqlMetadata(f"sqlite:///{tmp_path}/registry.db")
        store.migrate()
        yield store
        store.close()

    def opener(self, store: SqlMetadata) -> partial[SqlMetadata]:
        return partial(SqlMetadata, store.path)

    def damage(self, store: SqlMetadata, key: object) -> None:
        self.run(store, f"UPDATE {PLACES[type(key)]}")

    def damage_event(self, store: SqlMetadata, position: int) -> None:
        self.run(store, f"UPDATE events SET doc = replace(doc, 'ada', 'bob') WHERE position = {position}")

    def run(self, store: SqlMetadata, statement: str) -> None:
        connection = driver().connect(str(store.path), isolation_level=None)
        assert connection.execute(statement).rowcount == 1
        connection.close()

    @contextmanager
    def in_flight(self, store: SqlMetadata, changes: Changes) -> Iterator[None]:
        connection = driver().connect(str(store.path), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        Writer(connection.cursor(), words=True).apply(changes)
        yield
        connection.execute("COMMIT")
        connection.close()
