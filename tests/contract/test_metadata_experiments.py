"""Both stores keep what experiments need of them."""

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.testing.metadata_experiments import ExperimentRecordsContract


class TestMemory(ExperimentRecordsContract):
    @pytest.fixture
    def store(self):
        return MemoryMetadata()


class TestSqlite(ExperimentRecordsContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SqlMetadata(tmp_path / "registry.db")
        store.migrate()
        yield store
        store.close()
