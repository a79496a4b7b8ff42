"""The store in PostgreSQL, as the contract wants it; the oldest and the newest version that there is."""

from collections.abc import Iterator

import pytest

from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.testing.metadata import DurableMetadataContract
from modelyard.testing.metadata_experiments import ExperimentRecordsContract
from modelyard.testing.metadata_sessions import SessionRecordsContract
from modelyard.testing.metadata_tokens import TokenRecordsContract

from .sql_servers import ServerAccess, database, emptied


class Postgresql(ServerAccess):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[ServerMetadata]:
        self.url = database(postgresql, "modelyard_records")
        store = emptied(self.url)
        yield store
        store.close()


class TestPostgresql(Postgresql, DurableMetadataContract):
    pass


class TestPostgresqlTokens(Postgresql, TokenRecordsContract):
    pass


class TestPostgresqlSessions(Postgresql, SessionRecordsContract):
    pass


class TestPostgresqlExperiments(Postgresql, ExperimentRecordsContract):
    pass


class TestNewestPostgresql(ServerAccess, DurableMetadataContract):
    @pytest.fixture
    def store(self, newest_postgresql: str) -> Iterator[ServerMetadata]:
        self.url = database(newest_postgresql, "modelyard_records")
        store = emptied(self.url)
        yield store
        store.close()
