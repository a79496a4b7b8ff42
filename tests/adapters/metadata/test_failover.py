"""A database that is slow, gone or only to be read: what is waited for, what is said, and that it goes on by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.contract.sql_servers import database, emptied
from tests.services import postgresql as postgresql_server
from tests.services.postgresql import QUOTED

from modelyard.adapters.metadata import mysql, postgresql
from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.domain.errors import StorageError
from modelyard.ports.metadata import ModelKey
from modelyard.testing.metadata import a_model, an_event, changed, seed

CROWD = (
    "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, "
    "information_schema.columns c"
)
SLOW = {"postgresql": "SELECT pg_sleep(60)", "mariadb": CROWD, "mysql": CROWD}
SECONDS = 60.0


@pytest.mark.parametrize("kind", SLOW)
def test_a_statement_that_takes_too_long_is_ended_and_the_store_goes_on(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database(request.getfixturevalue(kind), "modelyard_slow")
    emptied(url).close()
    monkeypatch.setattr(postgresql if kind == "postgresql" else mysql, "STATEMENT_SECONDS", 1)
    store = open_server(url)
    assert store.look().limits.startswith("a statement 1s")
    with pytest.raises(StorageError, match="it took longer than"):
        store._read(lambda session: session.execute(SLOW[kind]).fetchall())
    assert store.get(ModelKey("fraud")) is None
    store.close()


def test_an_answer_that_mongodb_owes_for_too_long_is_given_up(mongodb: Any) -> None:
    from pymongo import MongoClient

    mongodb.empty_store("slow").close()
    store = MongoMetadata(mongodb.address("slow") + "&socketTimeoutMS=300&retryReads=false")
    hang = {"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 3000, "appName": "modelyard"}
    with MongoClient(mongodb.url) as client:
        client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": hang})
        try:
            with pytest.raises(StorageError, match=r"does not answer.*timed out"):
                store.get(ModelKey("fraud"))
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert store.get(ModelKey("fraud")) is None
    store.close()


class Standby(postgresql_server.Server):
    """A server that follows another one."""

    def follow(self, url: str) -> None:
        parts = urlsplit(url)
        place = f"postgresql://reg:{QUOTED}@127.0.0.1:{parts.port}/"
        self._run(
            "pg_basebackup", "-D", self._folder / "data", "-R", "-c", "fast", "-X", "stream", "-d", place
        )

    def promote(self) -> None:
        self._control("promote")


@pytest.fixture
def pair(postgresql: str) -> Iterator[tuple[postgresql_server.Server, Standby]]:
    """A server and one that follows it."""
    import shutil

    if os.environ.get(postgresql_server.VARIABLE):
        pytest.skip(f"{postgresql_server.VARIABLE} names a server that is not ours to stop")
    versions = postgresql_server.programs()
    programs = versions[min(versions)]
    if not (programs / "pg_basebackup").exists():
        pytest.skip(f"{programs} has no pg_basebackup")
    with TemporaryDirectory(prefix="modelyard-pair-", dir=postgresql_server.RAM) as name:
        folders = Path(name) / "leads", Path(name) / "follows"
        for folder in (Path(name), *folders):
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(folder, postgresql_server._user())
        leads, follows = postgresql_server.Server(programs, folders[0]), Standby(programs, folders[1])
        leads.make()
        leads.start()
        try:
            follows.follow(leads.url)
            follows.start()
            yield leads, follows
        finally:
            for server in (leads, follows):
                with suppress(RuntimeError):  # Stopped by the test.
                    server.stop()


def wait_until_followed(follows: Standby, name: str) -> None:
    """Until the model is there."""
    store, end = open_server(follows.url.replace("/postgres", f"/{name}")), time.monotonic() + SECONDS
    while time.monotonic() < end:
        with suppress(StorageError):  # The database is not there yet.
            if store.get(ModelKey("fraud")) is not None:
                store.close()
                return
        time.sleep(0.02)
    raise AssertionError("the follower did not follow")


def test_a_registry_whose_primary_is_gone_can_be_read_and_goes_on_when_another_leads(
    pair: tuple[postgresql_server.Server, Standby], caplog: pytest.LogCaptureFixture
) -> None:
    leads, follows = pair
    own = database(leads.url, "modelyard_pair")
    ports = [urlsplit(url).port for url in (follows.url, leads.url)]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    store = open_server(f"postgresql://reg:{QUOTED}@{hosts}/modelyard_pair")
    store.migrate()
    seed(store, a_model(), events=(an_event(1),))
    assert "none of the hosts takes writes" not in caplog.text  # although the first host only follows
    assert own.endswith("/modelyard_pair")
    wait_until_followed(follows, "modelyard_pair")
    leads.stop()
    assert store.get(ModelKey("fraud")) == a_model()
    assert "none of the hosts takes writes" in caplog.text
    assert "read-only" in store.look().refusal
    with pytest.raises(StorageError, match="read-only"):
        seed(store, changed(a_model(), description="lost?"), events=(an_event(2),))
    follows.promote()
    seed(store, changed(a_model(), description="later"), events=(an_event(2),))
    found = store.get(ModelKey("fraud"))
    assert found is not None
    assert found.description == "later"
    assert store.check() == ()
    store.close()


@pytest.fixture(params=["mariadb", "mysql"])
def unprivileged(request: pytest.FixtureRequest) -> Iterator[tuple[ServerMetadata, ServerMetadata]]:
    """A store of a user whom ``read_only`` binds, and one of an administrator."""
    server: str = request.getfixturevalue(request.param)
    admin = emptied(database(server, "modelyard_bound"))
    with admin._session() as session:
        session.execute("DROP USER IF EXISTS bound@'127.0.0.1'")
        session.execute("CREATE USER bound@'127.0.0.1' IDENTIFIED BY 'geheim'")
        session.execute("GRANT ALL ON modelyard_bound.* TO bound@'127.0.0.1'")
    port = urlsplit(server).port
    store = open_server(f"mariadb://bound:geheim@127.0.0.1:{port}/modelyard_bound")
    try:
        yield store, admin
    finally:
        with admin._session() as session:
            session.execute("SET GLOBAL read_only = 0")
            session.execute("DROP USER bound@'127.0.0.1'")
        store.close()
        admin.close()


def test_a_mariadb_or_mysql_that_only_follows_can_be_read_and_goes_on_when_it_leads(
    unprivileged: tuple[ServerMetadata, ServerMetadata],
) -> None:
    store, admin = unprivileged
    store.migrate()
    seed(store, a_model(), events=(an_event(1),))
    with admin._session() as session:
        session.execute("SET GLOBAL read_only = 1")
    store.migrate()
    assert store.get(ModelKey("fraud")) == a_model()
    assert "read-only" in store.look().refusal
    with pytest.raises(StorageError, match="read-only"):
        seed(store, changed(a_model(), description="lost?"), events=(an_event(2),))
    with admin._session() as session:
        session.execute("SET GLOBAL read_only = 0")
    seed(store, changed(a_model(), description="later"), events=(an_event(2),))
    assert store.check() == ()
