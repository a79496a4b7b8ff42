"""Every store takes records from another one as they are."""

from collections.abc import Iterator

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.testing.metadata_arriving import ArrivingRecordsContract

from .test_metadata_mariadb import Mariadb
from .test_metadata_mongodb import OfMongodb
from .test_metadata_mysql import Mysql
from .test_metadata_postgresql import Postgresql


class TestMemory(ArrivingRecordsContract):
    @pytest.fixture
    def store(self) -> MemoryMetadata:
        return MemoryMetadata()


class TestSqlite(ArrivingRecordsContract):
    @pytest.fixture
    def store(self, tmp_path) -> Iterator[SqlMetadata]:
        store = SqlMetadata(tmp_path / "registry.db")
        assert not store.is_made()
        store.migrate()
        yield store
        store.close()


class TestPostgresql(Postgresql, ArrivingRecordsContract):
    pass


class TestMariadb(Mariadb, ArrivingRecordsContract):
    pass


class TestMysql(Mysql, ArrivingRecordsContract):
    pass


class TestMongodb(OfMongodb, ArrivingRecordsContract):
    pass
