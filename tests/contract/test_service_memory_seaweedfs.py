"""The service contract over records in memory and bytes in a real S3 server."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.testing.clock import SettableClock
from modelyard.testing.service import ServiceContract

from .service_rooms import LocalRoom, MemoryRecords, local_service
from .test_blobs_objects import LIFE, key_of


class InABucket(MemoryRecords, LocalRoom):
    def built_over(self, place):
        def build(folder, clock: SettableClock):
            blobs = ObjectBlobs(replace(place, prefix=uuid.uuid4().hex), life=LIFE)
            manifests = ObjectBlobs(blobs.place, folder="manifests", lease=blobs.lease)
            return local_service(MemoryMetadata(), blobs, manifests, clock)

        self.build = build

    def damage(self, service, digest, data):
        import obstore

        if data is None:
            obstore.delete(service.blobs.client, key_of(digest))
        else:
            obstore.put(service.blobs.client, key_of(digest), data, use_multipart=False)


class TestMemorySeaweedFS(InABucket, ServiceContract):
    @pytest.fixture(autouse=True)
    def bucket(self, seaweedfs):
        self.built_over(seaweedfs)
