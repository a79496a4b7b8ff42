"""The service contract over records in memory and bytes in memory."""

from modelyard.testing.service import ServiceContract

from .service_rooms import LocalRoom, MemoryBytes, MemoryRecords, memory_memory


class TestMemoryMemory(MemoryRecords, MemoryBytes, LocalRoom, ServiceContract):
    build = staticmethod(memory_memory)
