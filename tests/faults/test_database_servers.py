"""A database server that dies, is crowded or gives way: nothing acknowledged is lost, and nothing is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.many.databases import drop, new_database
from tests.many.stores import bytes_of, opener
from tests.services.postgresql import QUOTED

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.adapters.metadata.sessions import Session
from modelyard.domain.errors import StorageError
from modelyard.domain.records import FileEntry
from modelyard.ports.metadata import VersionQuery
from modelyard.ports.service import Check, CreateVersion, History
from modelyard.service.local import LocalService
from modelyard.service.pages import every

from .crashes import crashing

WRITERS = 6
PATIENCE = 120.0


def insist(service: LocalService, name: str, key: str) -> tuple[str, int]:
    """Register until it is acknowledged, with one key; the version, and how often it had to be asked again."""
    ends, again = time.monotonic() + PATIENCE, 0
    while True:
        try:
            info = service.put_blob([key.encode()])
            files = (FileEntry(path="m", size=info.size, digest=info.digest),)
            request = CreateVersion(name=name, files=files, tags={"key": key}, idempotency_key=key)
            return service.create_version(request).model_id, again
        except StorageError:
            assert time.monotonic() < ends, "it never came back"
            again += 1


def write(
    service: LocalService, writer: int, done: list[str], stop: threading.Event
) -> list[tuple[str, str]]:
    """One version after the other; what was acknowledged."""
    said = []
    while not stop.is_set():
        key = f"{writer}-{len(said)}"
        said.append((key, insist(service, f"model {writer % 2}", key)[0]))
        done.append(key)
    return said


def kept(service: LocalService, said: list[tuple[str, str]]) -> None:
    """Each acknowledged version is there once, numbers are gapless, and everything is whole."""
    found = list(every(service.store, VersionQuery(deleted=None)))
    by_key = {version.tags["key"]: version.model_id for version in found}
    assert len(by_key) == len(found)
    assert by_key == dict(said)
    for name in ("model 0", "model 1"):
        numbers = sorted(version.number for version in found if version.name == name)
        assert numbers == list(range(1, len(numbers) + 1))
    assert service.check(Check(deep=True)).findings == ()
    assert service.verify_audit().ok


def crashed(kind: str, rounds: int, blobs: Callable[[], Any], folder: Path) -> None:
    """Writers go on while the server dies ``rounds`` times, each time after all of them got something done."""
    with crashing(kind) as server:
        opened = opener(folder, server.opened, blobs)
        services = [opened() for _ in range(WRITERS)]
        done: list[str] = []
        stop, pause = threading.Event(), threading.Event()
        with ThreadPoolExecutor(WRITERS) as pool:
            work = [pool.submit(write, each, n, done, stop) for n, each in enumerate(services)]
            try:
                for round_ in range(rounds):
                    until, ends = len(done) + 20, time.monotonic() + PATIENCE
                    while len(done) < until:
                        assert time.monotonic() < ends, "nothing gets done any more"
                        pause.wait(0.01)
                    server.crash(round_)
            finally:
                stop.set()
        said = [each for ended in work for each in ended.result()]
        kept(services[0], said)
        for service in services:
            service.close()


ROUNDS = pytest.mark.parametrize(
    "rounds", [pytest.param(2, marks=pytest.mark.backends), pytest.param(6, marks=pytest.mark.long)]
)


@ROUNDS
def test_F16_a_postgresql_that_dies_again_and_again_loses_nothing_acknowledged(
    rounds: int, seaweedfs: object, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    crashed("postgresql", rounds, bytes_of("seaweedfs", request, tmp_path), tmp_path)


@ROUNDS
@pytest.mark.parametrize("kind", ["mariadb", "mysql", "mongodb"])
def test_F17_a_server_of_another_kind_that_dies_again_and_again_loses_nothing_acknowledged(
    kind: str, rounds: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    crashed(kind, rounds, bytes_of("local", request, tmp_path), tmp_path)


# --- too few connections ----------------------------------------------------------------------------------------------


def test_F18_fifty_slow_callers_of_five_connections_are_answered_or_refused_soon_and_it_recovers(
    postgresql: str,
) -> None:
    url = new_database(postgresql)
    store = open_server(url, pool_size=5)
    store.migrate()
    store.hurry(2)

    def slow(_: int) -> str:
        try:
            store._read(lambda session: session.execute("SELECT pg_sleep(5)").fetchone())
        except StorageError as error:
            return f"{error.detail}, {error.data['retry_after']}"
        return "done"

    with ThreadPoolExecutor(50) as pool:
        ended = Counter(pool.map(slow, range(50)))
    assert ended["done"] >= 5
    del ended["done"]
    assert list(ended) == [
        f"{store.place}: all 5 connections were busy for 2 s; raise database.pool_size or ask less at once, 1"
    ]
    assert not store.events(0, 1)
    store.close()
    drop(postgresql, url)


def refusal(store: ServerMetadata) -> str:
    """What somebody is told who may not read."""
    with pytest.raises(StorageError) as caught:
        store.events(0, 1)
    return caught.value.detail


def test_F18_a_server_without_a_free_connection_says_so_and_serves_when_it_has_one(postgresql: str) -> None:
    url = new_database(postgresql)
    store = open_server(url)
    store.migrate()
    with store._session() as session:
        session.execute("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 2")
    few = url.replace(f"reg:{QUOTED}", "few:few")
    crowd = [open_server(few) for _ in range(3)]
    taken = [each._pool.lend() for each in crowd[:2]]
    with pytest.raises(StorageError, match="no connection left"):
        crowd[2].events(0, 1)
    for each, session in zip(crowd, taken, strict=False):
        each._pool.give_back(session)
        each.close()
    ends = (
        time.monotonic() + PATIENCE
    )  # a place is free when the server's process for it has ended, and not before
    while "no connection left" in (told := refusal(crowd[2])):
        assert time.monotonic() < ends, "no place ever got free"
    assert "lacks a right" in told  # it got in; that it may not read is another matter
    crowd[2].close()
    drop(postgresql, url)
    keeper = open_server(postgresql)
    with keeper._session() as session:
        session.execute("DROP ROLE few")
    keeper.close()
    store.close()


def test_F18_a_transaction_that_the_server_ended_for_idling_takes_no_connection_with_it(
    postgresql: str,
) -> None:
    """The server closes the connection; whoever calls next gets another one."""
    url = new_database(postgresql)
    store = open_server(url, pool_size=1)
    store.migrate()
    with store._session() as session:
        lasts = session.execute("SELECT pg_backend_pid()").fetchone()[0]
        session.execute("SET idle_in_transaction_session_timeout = 1; BEGIN")
    keeper = open_server(postgresql)
    ends = time.monotonic() + PATIENCE
    with keeper._session() as watching:
        alive = "SELECT 1 FROM pg_stat_activity WHERE pid = :pid"
        while watching.execute(alive, {"pid": lasts}).fetchone():
            assert time.monotonic() < ends, "it never ended"
    keeper.close()
    assert not store.events(0, 1)
    store.close()
    drop(postgresql, url)


# --- a server that gives way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_F19_of_commits_that_fail_three_times_in_ten_each_lands_once(
    state: str,
    postgresql: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psycopg

    kinds = {"40001": psycopg.errors.SerializationFailure, "40P01": psycopg.errors.DeadlockDetected}
    mind, injected, execute = random.Random(state), [0], Session.execute

    def failing(session: Session, statement: str, given: Any = None) -> Any:
        if statement == "COMMIT" and mind.random() < 0.3:
            injected[0] += 1
            execute(session, "ROLLBACK")
            raise kinds[state]("injected")
        return execute(session, statement, given)

    url = new_database(postgresql)
    opened = opener(tmp_path, lambda: open_server(url), bytes_of("local", request, tmp_path))
    services = [opened() for _ in range(4)]
    monkeypatch.setattr(Session, "execute", failing)

    def register(writer: int) -> list[tuple[str, str]]:
        keys = [f"{writer}-{turn}" for turn in range(10)]
        return [(key, insist(services[writer], f"model {writer % 2}", key)[0]) for key in keys]

    with ThreadPoolExecutor(4) as pool:
        said = [each for found in pool.map(register, range(4)) for each in found]
    monkeypatch.undo()
    assert injected[0] > 3
    kept(services[0], said)
    events = [services[0].history(History(ref=f"model {n}", limit=1000)).items for n in (0, 1)]
    assert sum(len(each) for each in events) == len(said)
    for service in services:
        service.close()
    drop(postgresql, url)
