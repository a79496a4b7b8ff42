"""What is particular to MongoDB: its servers, its transactions, and what becomes of a lost connection."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from modelyard.adapters.metadata import mongo_turns
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.adapters.metadata.mongo_write import Writer
from modelyard.domain.errors import (
    Conflict,
    InvalidConfig,
    InvalidInput,
    ModelyardError,
    NotSupported,
    StorageError,
)
from modelyard.domain.records import FileEntry, ModelStage
from modelyard.ports.metadata import BlobKey, Changes, Guard, ModelKey, VersionKey, VersionQuery
from modelyard.testing.metadata import (
    a_blob,
    a_model,
    a_version,
    an_event,
    bump,
    changed,
    everything,
    put,
    seed,
    sha,
)

NAME = "particular"


@pytest.fixture
def store(mongodb: Any) -> Iterator[MongoMetadata]:
    store = mongodb.empty_store(NAME)
    yield store
    store.close()


@contextmanager
def open_transaction(mongodb: Any, changes: Changes) -> Iterator[None]:
    """Somebody else's commit, done but for its end."""
    kept = mongodb.database(NAME)
    with kept.client.start_session() as session:
        session.start_transaction()
        Writer(kept, changes).apply(session)
        yield
        session.commit_transaction()


@contextmanager
def failing(mongodb: Any, times: int | None, *commands: str, **how: Any) -> Iterator[None]:
    """Have commands of every client fail, ``times`` times or until the end."""
    admin = mongodb.database("admin")
    mode: Any = "alwaysOn" if times is None else {"times": times}
    given = {"failCommands": list(commands), "appName": "modelyard"} | how
    try:
        admin.command("configureFailPoint", "failCommand", mode=mode, data=given)
    except Exception as error:
        pytest.skip(f"this server has no failpoints: {error}")
    yield
    admin.command("configureFailPoint", "failCommand", mode="off")


def hurried(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3) -> None:
    monkeypatch.setattr(mongo_turns, "PATIENCE", seconds)


# --- who wins --------------------------------------------------------------------------------------------------------


def test_what_is_guarded_cannot_change_while_the_guards_commit_is_under_way(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots alone would let both commit, each having read what the other changes."""
    hurried(monkeypatch)
    seed(store, a_model(), a_blob(1))
    first = Changes(puts=(put(changed(a_blob(1))),), guards=(Guard(key=ModelKey("fraud"), expected=1),))
    with open_transaction(mongodb, first), pytest.raises(Conflict):
        seed(store, changed(a_model(), description="other"))
    seed(store, changed(a_model(), description="other"))


def test_what_is_guarded_as_absent_cannot_appear_while_the_guards_commit_is_under_way(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    absent = Guard(key=BlobKey(sha(2)), expected=0)
    with (
        open_transaction(mongodb, Changes(puts=(put(a_blob(1)),), guards=(absent,))),
        pytest.raises(Conflict),
    ):
        seed(store, a_blob(2))
    seed(store, a_blob(2))
    assert [blob.digest for blob in everything(store, _blobs())] == [sha(1), sha(2)]


def _blobs() -> Any:
    from modelyard.ports.metadata import BlobQuery

    return BlobQuery()


def test_a_thing_may_be_guarded_as_absent_and_made_in_one_commit(store: MongoMetadata) -> None:
    guard = Guard(key=BlobKey(sha(1)), expected=0)
    store.commit(Changes(puts=(put(a_blob(1)),), guards=(guard, Guard(key=VersionKey("x"), expected=0))))
    assert store.get(BlobKey(sha(1))) == a_blob(1)
    assert store.check() == ()


@pytest.mark.parametrize("places", [(0,), (1,), (0, 2)])
def test_a_refusal_names_the_guard_that_did_not_hold(store: MongoMetadata, places: tuple[int, ...]) -> None:
    seed(store, *(a_blob(n) for n in range(3)))
    guards = [Guard(key=BlobKey(sha(n)), expected=0 if n in places else 1) for n in range(3)]
    with pytest.raises(Conflict, match=f"blob {sha(places[0])} .*expected nothing, found revision 1"):
        store.commit(Changes(guards=tuple(guards)))


def test_the_first_stale_record_of_many_is_named(store: MongoMetadata) -> None:
    seed(store, *(a_blob(n) for n in range(4)))
    seed(store, changed(a_blob(2)))
    with pytest.raises(Conflict, match=f"blob {sha(2)} .*expected revision 1, found revision 2"):
        seed(store, *(changed(a_blob(n)) for n in range(4)))
    assert {blob.revision for blob in everything(store, _blobs())} == {1, 2}


def test_writers_of_other_models_only_wait(store: MongoMetadata) -> None:
    """Positions are given one by one, which must not look like a conflict to whoever decided about something else."""
    names = [f"model {n}" for n in range(8)]

    def write(name: str) -> None:
        for sequence in range(1, 11):
            seed(store, events=(an_event(sequence, name),))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, names))
    assert [item.position for item in store.events(0, 1000)] == list(range(1, 81))


def test_whoever_is_alone_meets_no_other_who_asked_for_it(mongodb: Any, store: MongoMetadata) -> None:
    seed(store, a_model())
    others = [MongoMetadata(mongodb.address(NAME)) for _ in range(4)]

    def alone(each: MongoMetadata) -> int:
        lost = 0
        for _ in range(10):
            with each.alone(), each.alone():
                lost += bump(each, 0, 1)
        return lost

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(alone, others)) == 0
    for other in others:
        other.close()


# --- lost connections ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [{"closeConnection": True}, {"errorCode": 10107}],
    ids=["closed", "not primary"],
)
def test_a_commit_whose_answer_is_lost_lands_once(
    mongodb: Any, store: MongoMetadata, how: dict[str, Any]
) -> None:
    seed(store, a_model())
    with failing(mongodb, 3, "commitTransaction", **how):
        seed(store, changed(a_model()), events=(an_event(1),))
    assert (store.get(ModelKey("fraud")).revision, len(store.events(0, 10))) == (2, 1)
    assert store.check() == ()


def test_a_connection_lost_within_a_commit_is_no_conflict(mongodb: Any, store: MongoMetadata) -> None:
    seed(store, a_model())
    with failing(mongodb, 2, "update", "insert", "findAndModify", closeConnection=True):
        seed(store, changed(a_model()), a_version(), events=(an_event(1),))
    assert store.get(ModelKey("fraud")).revision == 2


@pytest.mark.parametrize("command", ["insert", "commitTransaction"])
def test_a_database_that_stays_away_is_a_storage_error(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    hurried(monkeypatch)
    with failing(mongodb, None, command, closeConnection=True), pytest.raises(StorageError) as caught:
        seed(store, a_blob())
    in_doubt = "not known whether the change landed" in str(caught.value)
    assert in_doubt is (command == "commitTransaction")


def test_others_in_the_way_for_long_are_a_conflict(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    held = open_transaction(mongodb, Changes(events=(an_event(1),)))
    with held, pytest.raises(Conflict, match="others were writing"):
        seed(store, events=(an_event(1, "churn"),))


def test_a_read_survives_one_lost_connection_and_says_what_is_wrong_after_more(
    mongodb: Any, store: MongoMetadata
) -> None:
    seed(store, a_model())
    with failing(mongodb, 1, "find", closeConnection=True):
        assert store.get(ModelKey("fraud")) == a_model()
    with failing(mongodb, None, "find", "aggregate", closeConnection=True):
        for ask in (lambda: store.get(ModelKey("fraud")), lambda: store.find(VersionQuery())):
            with pytest.raises(StorageError, match=f"'{NAME}' at 127.0.0.1:.* does not answer"):
                ask()


HOLD = """
import os, signal, sys
from pymongo import MongoClient
from modelyard.adapters.metadata.mongo_write import Writer
from modelyard.ports.metadata import Changes
from modelyard.testing.metadata import an_event
kept = MongoClient(sys.argv[1], appname="modelyard").get_default_database()
session = kept.client.start_session()
session.start_transaction()
Writer(kept, Changes(events=(an_event(1),))).apply(session)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_within_a_commit_blocks_nobody_for_long(
    mongodb: Any, store: MongoMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would keep its transaction, and so the turn to write, for a minute."""
    monkeypatch.setattr(mongo_turns, "ORPHANED", 0.3)
    done = subprocess.run([sys.executable, "-c", HOLD, mongodb.address(NAME)], check=False)
    assert done.returncode == -signal.SIGKILL
    seed(store, events=(an_event(1, action="mine"),))
    assert [(item.position, item.event.action) for item in store.events(0, 10)] == [(1, "mine")]


def test_a_forked_child_connects_anew(store: MongoMetadata) -> None:
    seed(store, a_model())
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            seed(store, changed(store.get(ModelKey("fraud"))))
            status = 0
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert store.get(ModelKey("fraud")).revision == 2


# --- servers ---------------------------------------------------------------------------------------------------------


def test_any_number_may_make_the_database_at_once(mongodb: Any) -> None:
    mongodb.database("many").client.drop_database("many")
    stores = [MongoMetadata(mongodb.address("many")) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(MongoMetadata.migrate, stores))
    seed(stores[0], a_model(), events=(an_event(1),))
    assert stores[-1].get(ModelKey("fraud")) == a_model()
    for store in stores:
        store.close()


def test_a_database_of_a_newer_version_is_refused(mongodb: Any, store: MongoMetadata) -> None:
    schema = mongodb.database(NAME)["schema"]
    schema.update_one({"_id": "modelyard"}, {"$set": {"version": 99}})
    try:
        with pytest.raises(NotSupported, match=r"schema 99.*update this one"):
            store.migrate()
    finally:
        schema.update_one({"_id": "modelyard"}, {"$set": {"version": 1}})


def test_a_database_that_was_not_set_up_says_so(mongodb: Any) -> None:
    mongodb.database("bare").client.drop_database("bare")
    store = MongoMetadata(mongodb.address("bare"))
    with pytest.raises(StorageError, match="not set up"):
        seed(store, events=(an_event(1),))
    store.close()


def test_a_standalone_server_is_refused_with_the_remedy(
    mongodb: Any, tmp_path: Path, mongodb_server_kit: Any
) -> None:
    port = mongodb_server_kit.free_port()
    process = mongodb_server_kit.start(tmp_path, port, replicated=False)
    store = MongoMetadata(f"mongodb://127.0.0.1:{port}/x")
    try:
        with pytest.raises(NotSupported, match=r"replica set .*--replSet rs0"):
            store.migrate()
    finally:
        store.close()
        process.kill()
        process.wait()


def test_nobody_there_is_a_storage_error_that_names_the_place(mongodb_server_kit: Any) -> None:
    port = mongodb_server_kit.free_port()
    store = MongoMetadata(f"mongodb://ann:geheim@127.0.0.1:{port}/x?serverSelectionTimeoutMS=100")
    for call in (store.migrate, lambda: store.get(ModelKey("x")), store.check, lambda: seed(store, a_blob())):
        with pytest.raises(StorageError, match=f"'x' at 127.0.0.1:{port} does not answer") as caught:
            call()
        assert "geheim" not in f"{caught.value}{caught.value.__cause__}{store!r}"
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:geheim@host/db",
        "mongodb://ann:geheim/x@host/db",
        "mongodb://ann:geheim@host:99999/db",
        "mongodb://ann:geheim@host/db?readPreference=geheim",
        "mongodb://ann:geheim@host/db?tls=geheim",
        "mongodb://ann:geheim@host/db?geheim=1",
        "mongodb://ann:ge?heim@host/db",
        "mongodb://ann:ge/heim@host/db",
        "mongodb://ann:ge@heim@host/db",
        "mongodb://ann@x:ge:heim@host/db",
        "mongodb://",
    ],
)
def test_an_address_the_driver_does_not_take_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        MongoMetadata(url).get(ModelKey("x"))
    assert not {"geheim", "ge", "heim", "ann"} & set(re.split(r"\W+", f"{caught.value}"))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.fixture
def guarded(mongodb: Any, tmp_path: Path, mongodb_server_kit: Any) -> Iterator[str]:
    """The place of a server with users: ``writer`` may write and ``reader`` only read one database."""
    with mongodb_server_kit.guarded(tmp_path) as place:
        yield place


def test_what_a_user_may_not_do_is_said_with_the_remedy_and_without_the_password(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoMetadata(f"mongodb://writer:geheim@{guarded}")
    store.migrate()
    seed(store, a_model(), events=(an_event(1),))
    store._turns.release_orphans()  # a right that every user has over sessions of its own
    store.close()
    for user, remedy in (
        ("reader:geheim", "readWrite"),
        ("writer:falsch", "refused"),
        ("nobody:falsch", "refused"),
    ):
        other = MongoMetadata(f"mongodb://{user}@{guarded}")
        with pytest.raises(StorageError, match=remedy) as caught:
            seed(other, changed(a_model()), events=(an_event(2),))
        shown = f"{caught.value}{caught.value.__cause__}{other!r}"
        assert not {"geheim", "falsch"} & {word for word in ("geheim", "falsch") if word in shown}
        other.close()


# --- limits and damage -----------------------------------------------------------------------------------------------


def test_a_record_beyond_what_a_document_holds_is_refused_as_a_limit(store: MongoMetadata) -> None:
    files = tuple(FileEntry(path=f"{n:0200d}", size=1, digest=sha(1)) for n in range(60_000))
    with pytest.raises(NotSupported, match="16 MiB"):
        seed(store, a_model(), a_version(files=files))
    assert store.get(ModelKey("fraud")) is None


def test_what_the_database_has_no_form_for_is_refused_as_input(store: MongoMetadata) -> None:
    with pytest.raises(InvalidInput, match="64 bits"):
        seed(store, a_blob(size=2**70))
    with pytest.raises(InvalidInput, match="Unicode"):
        seed(store, a_model(description="\ud800"))


@pytest.mark.parametrize(
    ("name", "change", "finding"),
    [
        ("versions", {"stage": "archived"}, "field stage"),
        ("versions", {"terms": []}, "field terms"),
        ("versions", {"holder_key": "fraud/staging"}, "takes the place"),
        ("versions", {"further": 1}, "field further"),
        ("models", {"search": ""}, "field search"),
        ("blobs", {"touched": 1}, "field touched"),
        ("events", {"position": 7}, "events are missing before it"),
        ("events", {"moves": []}, "field moves"),
        ("events", {"doc": "{}"}, "does not match its digest"),
        ("counters", {"last": 9}, "9 positions were given"),
    ],
)
def test_what_is_derived_is_compared_with_its_record(
    mongodb: Any, store: MongoMetadata, name: str, change: dict[str, Any], finding: str
) -> None:
    version = a_version(tags={"a": "b"}, stage=ModelStage.PRODUCTION)
    seed(store, a_model(), version, a_blob(), events=(an_event(1, after={"alias:a": 1}),))
    assert store.check() == ()
    mongodb.database(NAME)[name].update_one({}, {"$set": change})
    assert any(finding in line for line in store.check()), store.check()


def test_a_document_whose_digest_was_made_to_fit_is_found(mongodb: Any, store: MongoMetadata) -> None:
    from modelyard.adapters.metadata.rows import digest

    seed(store, a_blob())
    forged = {"doc": "{}", "row_digest": digest("{}", "blob", sha(1), 1)}
    mongodb.database(NAME)["blobs"].update_one({}, {"$set": forged})
    assert "cannot be read" in "\n".join(store.check())


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(ModelyardError, match=r"modelyard\[mongodb\]"):
        MongoMetadata("mongodb://host/x").migrate()


# --- several servers -------------------------------------------------------------------------------------------------


@pytest.fixture
def three(mongodb: Any, tmp_path: Path, mongodb_server_kit: Any) -> Iterator[tuple[str, list[Any]]]:
    """Address and processes of a replica set of three, the first of which leads."""
    ports = [mongodb_server_kit.free_port() for _ in range(3)]
    processes = []
    for port in ports:
        (tmp_path / str(port)).mkdir()
        processes.append(mongodb_server_kit.start(tmp_path / str(port), port))
    try:
        mongodb_server_kit.make_primary(ports[0], processes[0], *ports[1:])
        yield f"mongodb://{','.join(f'127.0.0.1:{port}' for port in ports)}/x?replicaSet=rs0", processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.long
def test_a_registry_that_lost_its_majority_can_be_read_but_not_changed(
    three: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    from pymongo import MongoClient

    url, processes = three
    store = MongoMetadata(f"{url}&serverSelectionTimeoutMS=3000")
    store.migrate()
    seed(store, a_model(), events=(an_event(1),))
    last = url.partition("/x")[0].rpartition(",")[2]
    address = f"mongodb://{last}/x?directConnection=true&readPreference=secondary&readConcernLevel=majority"
    with MongoClient(address) as survivor:
        while survivor.x["models"].find_one() is None:  # it hears of commits a moment later
            pass
    for process in processes[:2]:
        process.kill()
    assert store.get(ModelKey("fraud")) == a_model()
    assert "no primary" in caplog.text
    assert [item.position for item in store.events(0, 10)] == [1]
    assert everything(store, VersionQuery()) == []
    with pytest.raises(StorageError, match="does not answer"):
        seed(store, changed(a_model()))
    store.close()


@pytest.mark.long
def test_no_acknowledged_commit_is_lost_when_the_server_is_killed_again_and_again(
    mongodb: Any, tmp_path: Path, mongodb_server_kit: Any
) -> None:
    """One member, six writers, four kills: everybody goes on where they were, and nobody sees an error."""
    port = mongodb_server_kit.free_port()
    processes = [mongodb_server_kit.start(tmp_path, port)]
    mongodb_server_kit.make_primary(port, processes[-1])
    store = MongoMetadata(f"mongodb://127.0.0.1:{port}/x?replicaSet=rs0")
    store.migrate()
    ended = threading.Event()

    def write(worker: int) -> int:
        sequence = 0
        while not ended.is_set():
            seed(store, events=(an_event(sequence := sequence + 1, f"model {worker}"),))
        return sequence

    try:
        with ThreadPoolExecutor(6) as pool:
            writers = [pool.submit(write, worker) for worker in range(6)]
            try:
                for round_ in range(4):
                    while len(store.events(0, 10_000)) < 60 * (round_ + 1):
                        pass
                    processes[-1].kill()
                    processes[-1].wait()
                    processes.append(mongodb_server_kit.start(tmp_path, port))
            finally:
                ended.set()
            written = [writer.result() for writer in writers]
        log = store.events(0, 10_000)
        assert [item.position for item in log] == list(range(1, sum(written) + 1))
        assert store.check() == ()
    finally:
        store.close()
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.long
def test_no_acknowledged_commit_is_lost_when_the_primary_dies(three: tuple[str, list[Any]]) -> None:
    """Three members; the leading one is killed while four threads write. None of them sees an error."""
    url, processes = three
    store = MongoMetadata(url)
    try:
        store.migrate()
        written: list[str] = []

        def write(worker: int) -> None:
            for turn in range(40):
                seed(store, events=(an_event(turn + 1, f"model {worker}"),))
                written.append(f"model {worker} {turn + 1}")
                if (worker, turn) == (0, 10):
                    processes[0].kill()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        log = store.events(0, 1000)
        assert sorted(f"{item.event.model} {item.event.sequence}" for item in log) == sorted(written)
        assert [item.position for item in log] == list(range(1, 161))
        assert store.check() == ()
    finally:
        store.close()
