"""The store in memory, as the contract wants it."""

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.testing.metadata import MetadataContract


class TestMemory(MetadataContract):
    @pytest.fixture
    def store(self) -> MemoryMetadata:
        return MemoryMetadata()
