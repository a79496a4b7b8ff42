"""The store in MySQL, as the contract wants it."""

from collections.abc import Iterator

import pytest

from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.testing.metadata import DurableMetadataContract

from .sql_servers import ServerAccess, database, emptied


class TestMysql(ServerAccess, DurableMetadataContract):
    @pytest.fixture
    def store(self, mysql: str) -> Iterator[ServerMetadata]:
        self.url = database(mysql, "modelyard_records")
        store = emptied(self.url)
        yield store
        store.close()
