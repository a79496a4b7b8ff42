"""The service contract over records in memory and bytes in Ceph."""

from __future__ import annotations

import pytest

from modelyard.testing.service import ServiceContract

from .test_service_memory_seaweedfs import InABucket


class TestMemoryCeph(InABucket, ServiceContract):
    @pytest.fixture(autouse=True)
    def bucket(self, ceph):
        self.built_over(ceph)
