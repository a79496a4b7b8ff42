"""The store in MySQL, as the contract wants it."""

from collections.abc import Iterator

import pytest

from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.testing.metadata import DurableMetadataContract
from modelyard.testing.metadata_experiments import ExperimentRecordsContract
from modelyard.testing.metadata_sessions import SessionRecordsContract
from modelyard.testing.metadata_tokens import TokenRecordsContract

from .sql_servers import ServerAccess, database, emptied


class Mysql(ServerAccess):
    @pytest.fixture
    def store(self, mysql: str) -> Iterator[ServerMetadata]:
        self.url = database(mysql, "modelyard_records")
        store = emptied(self.url)
        yield store
        store.close()


class TestMysql(Mysql, DurableMetadataContract):
    pass


class TestMysqlTokens(Mysql, TokenRecordsContract):
    pass


class TestMysqlSessions(Mysql, SessionRecordsContract):
    pass


class TestMysqlExperiments(Mysql, ExperimentRecordsContract):
    pass
