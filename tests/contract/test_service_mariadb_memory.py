"""The service contract over MariaDB and bytes in memory."""

import pytest

from modelyard.testing.service import ServiceContract

from .service_server_rooms import ServerRoom


class TestMariadbMemory(ServerRoom, ServiceContract):
    @pytest.fixture
    def server(self, mariadb: str) -> str:
        return mariadb
