"""The dictionary keeps the blob contract."""

from datetime import UTC, datetime

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.testing.blobs import BlobContract


class TestMemoryBlobs(BlobContract):
    @pytest.fixture
    def store(self):
        return MemoryBlobs()

    def raw_read(self, store, digest):
        return store._kept.get(digest.removeprefix("sha256:"), (None,))[0]

    def raw_write(self, store, digest, data):
        store._kept[digest.removeprefix("sha256:")] = (data, datetime.now(UTC))
