"""The service contract over SQLite and bytes in memory."""

from modelyard.testing.service import ServiceContract

from .service_rooms import LocalRoom, MemoryBytes, SqliteRecords, sqlite_memory


class TestSqliteMemory(SqliteRecords, MemoryBytes, LocalRoom, ServiceContract):
    build = staticmethod(sqlite_memory)
