"""The service contract over PostgreSQL and bytes in memory."""

import pytest

from modelyard.testing.service import ServiceContract

from .service_server_rooms import ServerRoom


class TestPostgresqlMemory(ServerRoom, ServiceContract):
    @pytest.fixture
    def server(self, postgresql: str) -> str:
        return postgresql
