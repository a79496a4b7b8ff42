"""While the database takes no writes, a server answers what is asked and says of changes why they are not made."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml
from tests.contract.sql_servers import database, emptied
from tests.services import mongodb as mongodb_kit

from modelyard.adapters.metadata.sqlite import is_frozen
from modelyard.ports.service import CreateVersion
from modelyard.wiring import in_folder

from .running import Command, on_a_thread, wait_until


def configured(folder: Path, url: str) -> Path:
    file = folder / "registry.yaml"
    file.write_text(yaml.safe_dump({"database": {"url": url}}))
    return file


def started(folder: Path, url: str) -> Command:
    return Command(folder / "registry", "--config", str(configured(folder, url)))


def set_up(folder: Path, url: str) -> str:
    """A registry with one model; the administrator's token."""
    with started(folder, url) as server, server.client() as client:
        assert register(client).status_code == 201
        token = server.token
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    return token


def register(client, version: str = "1.0.0"):
    return client.post("/api/v1/models/fraud/versions", json={"version": version})


def read(server: Command, client) -> None:
    """What people ask most often."""
    assert client.get("/api/v1/whoami").status_code == 200
    assert client.get("/api/v1/versions/fraud:1.0.0").json()["version"] == "1.0.0"
    assert client.get("/api/v1/versions").status_code == 200
    assert client.get("/api/v1/history?ref=fraud").status_code == 200


def refused(client) -> None:
    """A change that is not made, for a reason that is the registry's own."""
    answer = register(client, "2.0.0")
    assert answer.status_code in (500, 503, 507), answer.text
    assert answer.json()["code"] == "storage"
    assert client.get("/api/v1/versions/fraud:2.0.0").status_code == 404


class Reading(Command):
    """A server that was given no token, because there was one already."""

    def told(self, token: str) -> Reading:
        self.token = token
        return self


def reading(folder: Path, url: str, token: str) -> Reading:
    return Reading(folder / "registry", "--config", str(configured(folder, url))).told(token)


def test_I24_a_postgresql_that_takes_no_writes_is_read_and_written_again_later(tmp_path, postgresql) -> None:
    url = database(postgresql, "modelyard_reading")
    admin = emptied(url)

    def frozen(setting: str) -> None:
        with admin._session() as session:
            session.execute(f"ALTER DATABASE modelyard_reading {setting}")

    token = set_up(tmp_path, url)
    frozen("SET default_transaction_read_only = on")
    try:
        with reading(tmp_path, url, token) as server, server.client() as client:
            read(server, client)
            refused(client)
            with admin._session() as session:
                session.execute("SET default_transaction_read_only = off")
            frozen("RESET default_transaction_read_only")
            wait_until(lambda: register(client, "2.0.0").status_code == 201)
    finally:
        with admin._session() as session:
            session.execute("SET default_transaction_read_only = off")
        frozen("RESET default_transaction_read_only")
        admin.close()


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_I24_a_mariadb_or_mysql_that_takes_no_writes_is_read_and_written_again_later(
    kind, tmp_path, request
) -> None:
    server = request.getfixturevalue(kind)
    admin = emptied(database(server, "modelyard_reading"))

    def run(*statements: str) -> None:
        with admin._session() as session:
            for statement in statements:
                session.execute(statement)

    run(
        "DROP USER IF EXISTS plain@'127.0.0.1'",
        "CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'geheim'",
        "GRANT ALL ON modelyard_reading.* TO plain@'127.0.0.1'",
    )
    url = f"{kind}://plain:geheim@{server.rpartition('@')[2].partition('/')[0]}/modelyard_reading"
    token = set_up(tmp_path, url)
    run("SET GLOBAL read_only = 1")
    try:
        with reading(tmp_path, url, token) as reader, reader.client() as client:
            read(reader, client)
            refused(client)
            run("SET GLOBAL read_only = 0")
            wait_until(lambda: register(client, "2.0.0").status_code == 201)
    finally:
        run("SET GLOBAL read_only = 0", "DROP USER plain@'127.0.0.1'")
        admin.close()


def test_I24_a_mongodb_where_nothing_may_be_written_is_read(tmp_path, running_mongodb) -> None:
    (tmp_path / "data").mkdir()
    with mongodb_kit.guarded(tmp_path / "data") as place:
        token = set_up(tmp_path, f"mongodb://writer:geheim@{place}")
        with (
            reading(tmp_path, f"mongodb://reader:geheim@{place}", token) as server,
            server.client() as client,
        ):
            read(server, client)
            refused(client)


@pytest.mark.parametrize("path", ["readyz", "healthz"])
def test_a_server_that_can_be_read_is_ready(tmp_path, postgresql, path) -> None:
    url = database(postgresql, "modelyard_reading")
    emptied(url).close()
    with started(tmp_path, url) as server, server.client() as client:
        assert client.get(f"/{path}").status_code == 200


def test_a_folder_that_may_not_be_written_is_served_however_often_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "registry"
    with closing(in_folder(folder)) as service:
        service.create_version(CreateVersion(name="fraud"))
    folder.chmod(0o555)
    may = os.access
    # As it is for everybody but root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))
    assert is_frozen(folder / "registry.db")
    try:
        with on_a_thread(folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
            for path in ("versions/fraud", "models/fraud", "versions", "models") * 2:
                assert client.get(f"/api/v1/{path}").status_code == 200, path
            assert server.service.store.state() != server.service.store.state()
    finally:
        folder.chmod(0o755)
