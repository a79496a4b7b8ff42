"""The store in MariaDB, as the contract wants it."""

from collections.abc import Iterator

import pytest

from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.testing.metadata import DurableMetadataContract
from modelyard.testing.metadata_experiments import ExperimentRecordsContract
from modelyard.testing.metadata_sessions import SessionRecordsContract
from modelyard.testing.metadata_tokens import TokenRecordsContract

from .sql_servers import ServerAccess, database, emptied


class Mariadb(ServerAccess):
    @pytest.fixture
    def store(self, mariadb: str) -> Iterator[ServerMetadata]:
        self.url = database(mariadb, "modelyard_records")
        store = emptied(self.url)
        yield store
        store.close()


class TestMariadb(Mariadb, DurableMetadataContract):
    pass


class TestMariadbTokens(Mariadb, TokenRecordsContract):
    pass


class TestMariadbSessions(Mariadb, SessionRecordsContract):
    pass


class TestMariadbExperiments(Mariadb, ExperimentRecordsContract):
    pass
