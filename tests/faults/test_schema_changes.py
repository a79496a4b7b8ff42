"""A database goes from one schema to the next: by a process that may die, and beside servers that know the old one."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import httpx
import pytest
from tests.faults.next_mongodb import take_back as take_back_mongodb
from tests.many.databases import drop, new_database
from tests.server.running import Command
from tests.server.test_rolling import OLD

from modelyard import ModelRegistry
from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.migrations import versions
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.adapters.metadata.mongo_schema import VERSION as MONGODB
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.canonical import canonical
from modelyard.domain.records import LineageEdge
from modelyard.ports.lineage import EdgeQuery
from modelyard.ports.metadata import BlobQuery, ModelQuery, VersionQuery
from modelyard.service.pages import every
from modelyard.testing.metadata import a_blob, a_model, a_version, an_event, everything, seed

KILLED = Path(__file__).with_name("migrating.py")
NEXT = Path(__file__).with_name("next_build.py")
THIS = ("-m", "modelyard")
NEVER = 10**9
STEPS: list[ModuleType] = [
    import_module(f"{versions.__name__}.{each.name}") for each in iter_modules(versions.__path__)
]
"""Migrations, oldest first. Each has only made tables so far, so taking them away again leads to an older schema."""

KINDS = [
    pytest.param("sqlite", marks=pytest.mark.backends),
    *(pytest.param(kind, marks=pytest.mark.backends) for kind in ("postgresql", "mariadb")),
    "mysql",
]


@contextmanager
def new_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The address of a database in which there is nothing."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/registry.db"
        return
    server = request.getfixturevalue(kind)
    if kind == "mongodb":
        name = f"many_{uuid.uuid4().hex[:12]}"
        yield server.address(name)
        server.database(name).client.drop_database(name)
        return
    url = new_database(server)
    yield url
    drop(server, url)


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database with tables, of each kind."""
    with new_place(request.param, request, tmp_path) as found:
        yield found


@pytest.fixture(params=[*KINDS, pytest.param("mongodb", marks=pytest.mark.backends)])
def any_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database of each kind."""
    with new_place(request.param, request, tmp_path) as found:
        yield found


def opened(address: str) -> Any:
    return SqlMetadata(address) if address.startswith("sqlite:") else open_server(address)


@pytest.fixture
def killed_at() -> Iterator[Callable[[int, str], bool]]:
    """Migrates in another process, which is killed before the n-th statement if there are so many."""
    process = subprocess.Popen(
        [sys.executable, str(KILLED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:

        def tried(statement: int, address: str) -> bool:
            process.stdin.write(f"{statement} {address}\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            assert answer in ("killed", "done"), answer
            return answer == "killed"

        yield tried
        process.stdin.close()


def take_back(address: str, schema: int) -> None:
    """Make an older schema of the newest one, with everything in it that there was then."""
    gone = [name for step in STEPS[schema:] for name in reversed(step.TABLES)]
    statements = [f"DROP TABLE {name}" for name in gone]
    statements.append(f"UPDATE alembic_version SET version_num = '{schema:04}'")
    if address.startswith("sqlite:"):
        connection = driver().connect(address.removeprefix("sqlite:///"))
        for statement in (*statements, f"PRAGMA user_version = {schema}"):
            connection.execute(statement)
        connection.commit()
        connection.close()
        return
    store = open_server(address)
    with store._session() as session:
        for statement in statements:
            session.execute(statement)
    store.close()


def contents(store: Any) -> list[object]:
    """Everything that the first schema could hold, and what is derived from it."""
    versions = everything(store, VersionQuery(deleted=None))
    edges = EdgeQuery(of=tuple(version.model_id for version in versions))
    others = (everything(store, query) for query in (ModelQuery(), BlobQuery(), edges))
    return [versions, *others, store.events(0, 1000)]


@pytest.mark.parametrize(
    "schema", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, len(STEPS)))]
)
def test_F39_a_migration_that_dies_before_any_of_its_statements_is_completed_by_the_next(
    schema: int, address: str, killed_at: Callable[[int, str], bool]
) -> None:
    store = opened(address)
    store.migrate()
    data = (LineageEdge(kind="dataset", target="cards"), LineageEdge(kind="code", target="c0"))
    seed(store, a_model(), a_version(lineage=data), a_blob(), events=(an_event(1),))
    seed(store, a_version(2, lineage=data[:1]), events=(an_event(2),))
    before = contents(store)
    died = 0
    for statement in count(1):
        take_back(address, schema)
        if not killed_at(statement, address):
            break
        died += 1
        store.migrate()
        assert contents(store) == before
        assert store.check() == ()
    assert contents(store) == before
    assert died >= 3
    store.close()


def name_in(address: str) -> str:
    """The name of the database."""
    return address.rpartition("/")[2].partition("?")[0]


def indexes(database: Any) -> dict[str, Any]:
    """Every collection with all that is said of its indexes."""
    return {name: database[name].index_information() for name in database.list_collection_names()}


@pytest.mark.parametrize("fresh", [pytest.param(True, marks=pytest.mark.long), False])
def test_F39_a_mongodb_whose_migration_dies_before_any_of_its_commands_is_completed_by_the_next(
    fresh: bool,
    mongodb: Any,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    killed_at: Callable[[int, str], bool],
) -> None:
    """From nothing, or from the schema before with records in it; who completes it is of the newest build too."""
    with new_place("mongodb", request, tmp_path) as address:
        store, database = MongoMetadata(address), mongodb.database(name_in(address))
        store.migrate()
        seed(store, a_model(), a_version(), a_blob(), events=(an_event(1),))
        before = [] if fresh else contents(store)
        assert not killed_at(NEVER, address)
        whole, died = indexes(database), 0
        assert "moods" in whole
        for command in count(1):
            if fresh:
                database.client.drop_database(database.name)
            else:
                take_back_mongodb(database)
            if not killed_at(command, address):
                break
            died += 1
            assert not killed_at(NEVER, address)
            assert indexes(database) == whole
            assert fresh or contents(store) == before
            assert store.check() == ()
        assert died >= len(whole)
        store.close()


def fingerprint(store: Any) -> str:
    """Of every version with its edges, however many there are."""
    found, edges = hashlib.sha256(), []
    for version in every(store, VersionQuery(deleted=None)):
        found.update(canonical(version))
        edges.append(version.model_id)
        if len(edges) == 1000:
            found.update(canonical(everything(store, EdgeQuery(of=tuple(edges)))))
            edges.clear()
    return found.hexdigest()


@pytest.mark.long
def test_F39_a_hundred_thousand_versions_are_the_same_afterwards(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/registry.db"
    store = opened(address)
    store.migrate()
    data = (LineageEdge(kind="dataset", target="cards"),)
    seed(store, a_model())
    for first in range(1, 100_001, 2000):
        seed(store, *(a_version(number, lineage=data) for number in range(first, first + 2000)))
    before = fingerprint(store)
    take_back(address, 1)
    store.migrate()
    assert fingerprint(store) == before
    assert store.check() == ()
    store.close()


@pytest.mark.long
def test_F39_a_copy_from_before_the_migration_is_opened_by_the_build_before(tmp_path: Path) -> None:
    here, copy = tmp_path / "registry", tmp_path / "copy" / "registry"
    with ModelRegistry(here) as registry:
        registry.register_model(io.BytesIO(b"weights"), "fraud", "1.0.0")
    take_back(f"sqlite:///{here}/registry.db", len(STEPS) - 1)
    shutil.copytree(here, copy)
    with ModelRegistry(here) as registry:
        assert registry.fsck(deep=True).ok
    address = f"sqlite:///{copy}/registry.db"
    for words in (("info", "fraud:1.0.0"), ("tag", "fraud:1.0.0", "back=yes"), ("audit", "verify")):
        done = ran(("-c", OLD), copy.parent, address, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert ran(("-c", OLD), tmp_path, f"sqlite:///{here}/registry.db", "list").returncode == 2


# --- two builds at the same time --------------------------------------------------------------------------------------


class Next(Command):
    """A server of the build after this one; ``steps`` as in ``next_build.py``."""

    def __init__(self, folder: Path, address: str, steps: int) -> None:
        self.program = next_program(folder, steps)
        super().__init__(folder / "registry", "--no-auth", env=environment(address))


def next_program(folder: Path, steps: int) -> tuple[str, ...]:
    return (str(NEXT), str(steps), tempfile.mkdtemp(dir=folder))


def environment(address: str) -> dict[str, str]:
    """Settings of a registry whose records are there and whose bytes are in its folder."""
    if address.startswith(("sqlite:", "mongodb:")):
        return {"MODELYARD_DATABASE_URL": address}
    kind = "postgresql" if address.startswith("postgresql") else "mysql"
    return {"MODELYARD_DATABASE_TYPE": kind, "MODELYARD_DATABASE_URL": address}


def ran(
    program: tuple[str, ...], folder: Path, address: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """A command of a build, on the registry of the servers."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    return subprocess.run(
        [sys.executable, *program, *words, "--registry", str(folder / "registry")],
        env=clean | environment(address),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def registered(url: str) -> int:
    """The number of a version registered at a server."""
    answer = httpx.post(f"{url}/api/v1/models/fraud/versions", json={"tags": {"a": "b"}}, timeout=60)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["number"])


@contextmanager
def registering(url: str) -> Iterator[list[int]]:
    """Two callers of a server who register all the time; the numbers they were told."""
    numbers, stop = [registered(url)], threading.Event()

    def caller() -> None:
        while not stop.is_set():
            numbers.append(registered(url))

    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(caller) for _ in range(2)]
        try:
            yield numbers
        finally:
            stop.set()
    for each in work:
        each.result()


def refused_to_start(program: tuple[str, ...], folder: Path, address: str) -> None:
    """This build says of a newer database that it is one, and what to do."""
    known = MONGODB if address.startswith("mongodb:") else len(STEPS)
    told = ran(program, folder, address, "server", "--port", "0")
    assert told.returncode == 2
    assert re.search(rf"has schema \d+, this version of modelyard knows up to {known}", told.stderr)
    assert "update this one" in told.stderr


def test_F39_servers_of_before_go_on_beside_one_that_adds_to_the_schema(
    any_address: str, tmp_path: Path
) -> None:
    with (
        Command(tmp_path / "registry", "--no-auth", env=environment(any_address)) as old,
        registering(old.url) as numbers,
        Next(tmp_path, any_address, steps=1) as new,
    ):
        both = [registered(url) for _ in range(10) for url in (old.url, new.url)]
        for url in (old.url, new.url):
            assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    refused_to_start(THIS, tmp_path, any_address)
    assert sorted(numbers + both) == list(range(1, len(numbers + both) + 1))
    program = next_program(tmp_path, steps=1)
    for words in (("fsck", "--deep"), ("audit", "verify")):
        done = ran(program, tmp_path, any_address, *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_F39_a_schema_that_lacks_what_servers_of_before_read_is_said_to_be_newer(
    any_address: str, tmp_path: Path
) -> None:
    """Nothing of a change that could not be made whole is left."""
    with Command(tmp_path / "registry", "--no-auth", env=environment(any_address)) as old:
        assert registered(old.url) == 1
        done = ran(next_program(tmp_path, steps=2), tmp_path, any_address, "list")
        assert done.returncode == 0, done.stdout + done.stderr
        answer = httpx.post(f"{old.url}/api/v1/models/fraud/versions", json={"tags": {"a": "b"}}, timeout=60)
        assert answer.status_code >= 500
        assert "a newer modelyard changed it" in answer.json()["detail"]
        page = httpx.get(f"{old.url}/api/v1/versions?model=fraud", timeout=60).json()
        assert [version["number"] for version in page["items"]] == [1]
    refused_to_start(THIS, tmp_path, any_address)
