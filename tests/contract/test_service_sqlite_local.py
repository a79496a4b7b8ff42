"""The service contract over SQLite and bytes in a folder."""

from modelyard.testing.service import ServiceContract

from .service_rooms import LocalBytes, LocalRoom, SqliteRecords, sqlite_local


class TestSqliteLocal(SqliteRecords, LocalBytes, LocalRoom, ServiceContract):
    build = staticmethod(sqlite_local)
