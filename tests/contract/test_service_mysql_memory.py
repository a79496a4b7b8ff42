"""The service contract over MySQL and bytes in memory."""

import pytest

from modelyard.testing.service import ServiceContract

from .service_server_rooms import ServerRoom


class TestMysqlMemory(ServerRoom, ServiceContract):
    @pytest.fixture
    def server(self, mysql: str) -> str:
        return mysql
