"""A main store with rooms beside it keeps the blob contract."""

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.rooms import Rooms
from modelyard.testing.blobs import BlobContract

from .test_blobs_memory import TestMemoryBlobs as OverMemory


class TestRooms(BlobContract):
    @pytest.fixture
    def store(self):
        return Rooms(MemoryBlobs(), [("risk/*", MemoryBlobs()), ("*/eu", MemoryBlobs())])

    def raw_read(self, store, digest):
        return OverMemory.raw_read(self, store.main, digest)

    def raw_write(self, store, digest, data):
        OverMemory.raw_write(self, store.main, digest, data)
