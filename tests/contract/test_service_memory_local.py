"""The service contract over records in memory and bytes in a folder."""

from modelyard.testing.service import ServiceContract

from .service_rooms import LocalBytes, LocalRoom, MemoryRecords, memory_local


class TestMemoryLocal(MemoryRecords, LocalBytes, LocalRoom, ServiceContract):
    build = staticmethod(memory_local)
