"""The section ``database`` of the settings leads to the server it describes."""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.contract.sql_servers import KINDS, database, emptied

from modelyard.adapters.metadata.server_settings import is_sql_server, server_store
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.domain.errors import InvalidConfig, MissingDependency
from modelyard.ports.metadata import RegistryKey
from modelyard.settings import Settings
from modelyard.settings.model import DatabaseSettings
from modelyard.wiring import open_service


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"type": "postgresql"}, True),
        ({"type": "mysql"}, True),
        ({"type": "mongodb"}, False),
        ({"url": "postgresql+psycopg://h/d"}, True),
        ({"url": "mariadb://h/d"}, True),
        ({"url": "mongodb://h/d", "type": "mysql"}, False),
    ],
)
def test_an_address_goes_before_the_type(given: dict[str, str], expected: bool) -> None:
    assert is_sql_server(Settings(database=DatabaseSettings(**given))) is expected


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_parts_make_the_same_place_as_an_address(kind: str) -> None:
    parts = DatabaseSettings(
        type=kind, host="db", port=1234, name="a b", user="u@x", password="p/w:@%", pool_size=3
    )
    store = server_store(Settings(database=parts))
    whole = server_store(
        Settings(database=DatabaseSettings(url=f"{kind}://u%40x:p%2Fw%3A%40%25@db:1234/a%20b"))
    )
    assert store.place == whole.place
    assert store.engine._given == whole.engine._given  # type: ignore[attr-defined]
    assert store._pool._limit == 3


def test_a_socket_is_taken_for_a_host() -> None:
    for kind, name in (("postgresql", "host"), ("mysql", "unix_socket")):
        settings = Settings(database=DatabaseSettings(type=kind, host="/Run/db", name="d"))
        assert server_store(settings).engine._given[name] == "/Run/db"  # type: ignore[attr-defined]


def test_parts_without_a_database_are_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"database\.name"):
        server_store(Settings(database=DatabaseSettings(type="postgresql", host="db")))


@pytest.mark.parametrize(("kind", "package"), [("postgresql", "psycopg"), ("mysql", "pymysql")])
def test_a_missing_driver_is_named_with_what_to_install(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.adapters.metadata import mysql, postgresql

    module = {"postgresql": postgresql, "mysql": mysql}[kind]
    module.driver.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=rf"modelyard\[{kind}\]"):
        server_store(Settings(database=DatabaseSettings(url=f"{kind}://host/db")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_registry_opens_over_a_server(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Records go to the server, bytes stay in the folder, and no SQLite file appears."""
    url = database(request.getfixturevalue(kind), "modelyard_opened")
    emptied(url).close()
    parts = urlsplit(url)
    given = DatabaseSettings(
        type="postgresql" if kind == "postgresql" else "mysql",
        host=parts.hostname,
        port=parts.port,
        name="modelyard_opened",
        user=parts.username,
        password=unquote(parts.password or ""),
    )
    _, service = open_service(Settings(database=given), tmp_path)
    assert isinstance(service.store, ServerMetadata)
    assert service.store.get(RegistryKey()) is not None
    service.close()
    assert not (tmp_path / "registry.db").exists()
