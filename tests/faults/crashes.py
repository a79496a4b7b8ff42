"""Database servers of our own that a test may crash, and start again over what is left."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.contract.sql_servers import database
from tests.services import mariadb, mongodb, mysql, postgresql

from modelyard.adapters.metadata.engines import open_server

Opening = Callable[[], Any]


class Crashing:
    """One server: ``opened`` makes a store over its one database, ``crash`` kills it and starts it again."""

    def __init__(self, opened: Opening, crash: Callable[[int], None]) -> None:
        self.opened, self.crash = opened, crash


@contextmanager
def crashing(kind: str) -> Iterator[Crashing]:
    """A server of that kind; skips where there is none, or only somebody else's."""
    module = {"postgresql": postgresql, "mariadb": mariadb, "mysql": mysql, "mongodb": mongodb}[kind]
    if (why := module.missing()) is not None:
        pytest.skip(why)
    if os.environ.get(module.VARIABLE):
        pytest.skip(f"{kind}: {module.VARIABLE} names a server that is not ours to kill")
    ram = Path("/dev/shm")
    with TemporaryDirectory(prefix="modelyard-crash-", dir=ram if ram.is_dir() else None) as name:
        made = {"postgresql": _postgresql, "mariadb": _mariadb, "mysql": _mysql, "mongodb": _mongodb}[kind]
        yield from made(Path(name))


def _postgresql(folder: Path) -> Iterator[Crashing]:
    """In turns: one of its processes is killed, which makes it throw everybody out, and all of them at once."""
    versions = postgresql.programs()
    server = postgresql.Server(versions[min(versions)], folder)
    server.make()
    server.start()
    url = database(server.url, "crashed")

    def crash(round_: int) -> None:
        if round_ % 2:
            server.stop()
            server.start()
            return
        keeper = open_server(server.url)
        with keeper._session() as session:
            listed = "SELECT pid FROM pg_stat_activity WHERE datname = 'crashed'"
            found = session.execute(listed).fetchall()
        keeper.close()
        for (pid,) in found[:1]:
            os.kill(pid, signal.SIGKILL)

    try:
        yield Crashing(lambda: open_server(url, pool_size=4), crash)
    finally:
        server.stop()


def _mariadb(folder: Path) -> Iterator[Crashing]:
    yield from _whole(mariadb.Server(folder))


def _mysql(folder: Path) -> Iterator[Crashing]:
    yield from _whole(mysql.Server(folder))


def _whole(server: mariadb.Server | mysql.Server) -> Iterator[Crashing]:
    """All of it at once, each time."""
    server.make()
    server.start()
    url = database(server.url, "crashed")

    def crash(_: int) -> None:
        server.stop()
        server.start()

    try:
        yield Crashing(lambda: open_server(url, pool_size=4), crash)
    finally:
        server.stop()


def _mongodb(folder: Path) -> Iterator[Crashing]:
    from modelyard.adapters.metadata.mongo import MongoMetadata

    port = mongodb.free_port()
    processes = [mongodb.start(folder, port)]
    mongodb.make_primary(port, processes[-1])

    def crash(_: int) -> None:
        end(processes[-1])
        processes.append(mongodb.start(folder, port))
        mongodb.make_primary(port, processes[-1])

    def end(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    try:
        yield Crashing(lambda: MongoMetadata(f"mongodb://127.0.0.1:{port}/crashed?replicaSet=rs0"), crash)
    finally:
        end(processes[-1])
