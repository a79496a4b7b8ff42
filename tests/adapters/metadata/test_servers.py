"""Database servers: who writes when, what a lost connection means, and what is said when there is none."""

import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.contract.sql_servers import KINDS, database, emptied, unfinished
from tests.services import mariadb as mariadb_server
from tests.services import mysql as mysql_server
from tests.services import postgresql as postgresql_server
from tests.services.cutting import relayed
from tests.services.postgresql import PASSWORD, QUOTED

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.domain.errors import Conflict, InvalidConfig, InvalidInput, NotSupported, StorageError
from modelyard.ports.metadata import Changes, Guard, ModelKey, Put, SlugKey
from modelyard.testing.metadata import a_blob, a_model, a_version, an_event, bump, changed, put, seed


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def url(server: str) -> str:
    return database(server, "modelyard_servers")


@pytest.fixture
def store(url: str) -> Iterator[ServerMetadata]:
    store = emptied(url)
    yield store
    store.close()


def with_parts(url: str, **parts: str) -> str:
    return urlunsplit(urlsplit(url)._replace(**parts))


def run(store: ServerMetadata, *statements: str) -> None:
    with store._session() as session:
        for statement in statements:
            session.execute(statement)


# --- addresses and refusals ------------------------------------------------------------------------------------------


def refused(url: str) -> StorageError:
    """What opening says; no word of the password may be in it, nor in anything a log would show."""
    store = open_server(url)
    with pytest.raises(StorageError) as caught:
        store.migrate()
    shown = "".join(traceback.format_exception(caught.value)) + repr(store) + repr(store.engine) + store.place
    assert not any(word in shown for word in (PASSWORD, QUOTED, "wr0ng"))
    return caught.value


def test_a_wrong_password_is_said_to_be_that(server: str) -> None:
    assert "password" in refused(server.replace(QUOTED, "wr0ng")).detail


def test_a_database_that_is_not_there_is_said_to_be_that(server: str) -> None:
    assert "no such database" in refused(with_parts(server, path="/nowhere")).detail


def test_a_server_that_is_not_there_is_said_to_be_that(server: str) -> None:
    port = postgresql_server.free_port()
    host = urlsplit(server).netloc.rpartition(":")[0]
    assert "nothing listens there" in refused(with_parts(server, netloc=f"{host}:{port}")).detail


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reg:s3/cr@et@host:54x2/db",
        "postgresql://reg:12/s3cret@host/db",
        "mysql://reg:12/s3cret@host/db",
        "postgresql://host/db?s3cret=1",
        "mysql://reg:s3cret@host:x/db",
        "mysql://reg:s3cret@host/",
        "mariadb://reg:s3cret@host/db?local_infile=1",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        open_server(url)
    assert (
        "s3" not in "".join(traceback.format_exception(caught.value)).replace(url, "").partition("Error")[2]
    )


def test_other_kinds_of_address_are_refused() -> None:
    with pytest.raises(NotSupported, match="oracle"):
        open_server("oracle://host/db")


def test_a_database_without_tables_says_what_is_missing(server: str) -> None:
    store = open_server(database(server, "modelyard_bare"))
    with pytest.raises(StorageError, match="migrate"):
        store.get(ModelKey("fraud"))
    store.close()


def test_a_newer_schema_is_refused_and_left_alone(server: str) -> None:
    store = open_server(database(server, "modelyard_newer"))
    store.migrate()
    run(store, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(NotSupported, match="99"):
        open_server(database(server, "modelyard_newer")).migrate()
    run(store, "DROP TABLE alembic_version")
    store.close()


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_what_a_cut_off_migration_left_is_completed(server: str) -> None:
    """MySQL cannot undo what was done to tables, so every step has to bear being done again."""
    url = database(server, "modelyard_cut_off")
    store = open_server(url)
    store.migrate()
    seed(store, a_model(), a_version(), events=(an_event(),))
    for reached in ("'0003'", "'0002'", "'0001'"):
        run(store, f"UPDATE alembic_version SET version_num = {reached}")
        store.migrate()
    run(store, "DELETE FROM alembic_version")
    store.migrate()
    assert store.get(ModelKey("fraud")) == a_model()
    assert store.check() == ()
    run(store, "DROP TABLE tokens")
    run(store, "DROP DATABASE modelyard_cut_off")
    store.close()


def test_eight_threads_make_one_new_database(server: str) -> None:
    keeper = open_server(server)
    run(keeper, "DROP DATABASE IF EXISTS modelyard_new")
    url = database(server, "modelyard_new")
    stores = [open_server(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ServerMetadata.migrate, stores))
    seed(stores[0], a_model(), events=(an_event(),))
    assert stores[7].check() == ()
    for store in stores:
        store.close()
    run(keeper, "DROP DATABASE modelyard_new")
    keeper.close()


MIGRATE = """
import sys
from modelyard.adapters.metadata.engines import open_server
store = open_server(sys.argv[1])
store.migrate()
store.close()
"""


def test_four_processes_make_one_new_database(server: str) -> None:
    keeper = open_server(server)
    run(keeper, "DROP DATABASE IF EXISTS modelyard_fresh")
    url = database(server, "modelyard_fresh")
    started = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, errors
    store = open_server(url)
    seed(store, a_model(), events=(an_event(),))
    assert store.check() == ()
    store.close()
    run(keeper, "DROP DATABASE modelyard_fresh")
    keeper.close()


def test_a_server_that_only_reads_says_so(postgresql: str) -> None:
    url = database(postgresql, "modelyard_replica")
    store = emptied(url)
    run(store, "ALTER DATABASE modelyard_replica SET default_transaction_read_only = on")
    frozen = open_server(url)
    with pytest.raises(StorageError, match="read-only"):
        seed(frozen, a_model())
    assert frozen.get(ModelKey("fraud")) is None
    run(store, "ALTER DATABASE modelyard_replica RESET default_transaction_read_only")
    frozen.close()
    store.close()


def test_a_name_longer_than_an_index_is_refused_whole(store: ServerMetadata) -> None:
    name = "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 201 + "/" + "".join(chr(0x4E00 + n) for n in range(800))
    with pytest.raises(InvalidInput, match="shorten"):
        seed(store, a_model(name))
    assert store.get(ModelKey(name)) is None


# --- who writes when -------------------------------------------------------------------------------------------------


def test_what_is_absent_stays_so_until_the_guard_has_committed(store: ServerMetadata, url: str) -> None:
    """A guard on something that is not there cannot lock it; the turn to commit holds instead."""
    other = open_server(url)
    absent = Guard(key=SlugKey("fraud"), expected=0)
    done = Event()

    def make() -> None:
        seed(other, a_model(), events=(an_event(1),))
        done.set()

    thread = Thread(target=make)
    with unfinished(store, Changes(puts=(put(a_blob()),), guards=(absent,))):
        thread.start()
        assert not done.wait(0.2)
    thread.join()
    assert done.is_set()
    other.close()


def test_a_guard_sees_what_was_committed_while_it_waited(store: ServerMetadata, url: str) -> None:
    other = open_server(url)
    absent = Guard(key=SlugKey("fraud"), expected=0)
    with ThreadPoolExecutor(1) as pool:
        with unfinished(store, Changes(puts=(put(a_model()),), events=(an_event(1),))):
            waiting = pool.submit(other.commit, Changes(puts=(put(a_blob()),), guards=(absent,)))
        with pytest.raises(Conflict, match="slug fraud"):
            waiting.result()
    other.close()


def test_who_writes_the_same_rows_the_other_way_round_does_not_lock_up(store: ServerMetadata) -> None:
    blobs = [a_blob(n) for n in range(12)]
    seed(store, *blobs)

    def turn(way: int) -> list[str]:
        lost: list[str] = []
        for revision in range(2, 12):
            rows = [replace(blob, revision=revision) for blob in blobs[::way]]
            try:
                seed(store, *rows)
            except Conflict as conflict:
                lost.append(conflict.detail)
        return lost

    with ThreadPoolExecutor(2) as pool:
        lost = [detail for details in pool.map(turn, (1, -1)) for detail in details]
    assert not [detail for detail in lost if "gave way" in detail]
    assert store.check() == ()


def test_who_is_alone_commits_before_everyone_who_waits(postgresql: str) -> None:
    url = database(postgresql, "modelyard_servers")
    mine, theirs = emptied(url), open_server(url)
    seed(mine, a_model())
    lost: list[Conflict] = []

    def rival() -> None:
        try:
            seed(theirs, changed(a_model(), description="theirs"))
        except Conflict as conflict:
            lost.append(conflict)

    thread = Thread(target=rival)
    with mine.alone(), mine.alone():
        thread.start()
        seed(mine, changed(a_model(), description="mine"))
    thread.join()
    assert len(lost) == 1
    found = mine.get(ModelKey("fraud"))
    assert found is not None
    assert found.description == "mine"
    mine.close()
    theirs.close()


def test_many_who_want_to_be_alone_do_not_use_up_the_pool(url: str, store: ServerMetadata) -> None:
    """Whoever is alone needs no second connection, so two are enough for sixteen threads."""
    seed(store, a_model())
    narrow = open_server(url, pool_size=2)

    def alone(worker: int) -> None:
        for _ in range(3):
            with narrow.alone():
                bump(narrow, worker, 1)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(alone, range(16)))
    model = narrow.get(ModelKey("fraud"))
    assert model is not None
    assert model.sequence == 48
    narrow.close()


def test_a_forked_child_gets_connections_of_its_own(store: ServerMetadata) -> None:
    seed(store, a_model())
    context = multiprocessing.get_context("fork")
    child = context.Process(target=bump, args=(store, 1, 5))
    child.start()
    bump(store, 0, 5)
    child.join()
    assert child.exitcode == 0
    model = store.get(ModelKey("fraud"))
    assert model is not None
    assert model.sequence == 10


def test_positions_that_were_given_and_are_gone_are_noticed(store: ServerMetadata) -> None:
    seed(store, events=(an_event(1), an_event(2)))
    run(store, "DELETE FROM events WHERE position = 2")
    assert any("2 positions were given" in line for line in store.check())


in_the_clear = pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
"""MySQL speaks TLS where it can, and a relay cannot see a commit in there."""

# --- lost connections ------------------------------------------------------------------------------------------------


@in_the_clear
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_made_once(url: str, store: ServerMetadata, when: str) -> None:
    """Whether the server did it or never heard of it: the caller sees one success, the log one event."""
    seed(store, a_model())
    with relayed(url) as (through, relay):
        far = open_server(through)
        assert far.get(ModelKey("fraud")) == a_model()
        relay.cut(when)
        seed(far, changed(a_model(), description="new"), events=(an_event(1),))
        assert relay.cuts == 1
        far.close()
    found = store.get(ModelKey("fraud"))
    assert found is not None
    assert (found.revision, found.description) == (2, "new")
    assert len(store.events(0, 10)) == 1
    assert store.check() == ()


@in_the_clear
def test_a_commit_that_left_no_event_is_said_to_be_in_doubt(url: str, store: ServerMetadata) -> None:
    with relayed(url) as (through, relay):
        far = open_server(through)
        relay.cut("after")
        with pytest.raises(StorageError, match="not known whether") as caught:
            seed(far, a_blob())
        assert not isinstance(caught.value, Conflict)
        far.close()


@in_the_clear
def test_somebody_elses_event_in_our_place_is_a_conflict(url: str, store: ServerMetadata) -> None:
    """After a cut before the commit, another writer took the place: finding an event is not enough, it must be ours."""
    seed(store, a_model())
    with relayed(url) as (through, relay):
        far = open_server(through)
        relay.cut("before")
        landed = far._landed
        far._landed = lambda changes, lost: (  # type: ignore[method-assign]
            seed(store, changed(a_model(), description="theirs"), events=(an_event(1, action="other"),))
            or landed(changes, lost)
        )
        with pytest.raises(Conflict):
            seed(far, changed(a_model(), description="mine"), events=(an_event(1),))
        far.close()
    found = store.get(ModelKey("fraud"))
    assert found is not None
    assert found.description == "theirs"


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["postgresql", "mariadb", pytest.param("mysql", marks=pytest.mark.extra)])
def test_a_store_goes_on_after_the_server_was_restarted(kind: str) -> None:
    """Every idle connection is dead then: neither a read nor a commit is lost to that."""
    module = {"postgresql": postgresql_server, "mariadb": mariadb_server, "mysql": mysql_server}[kind]
    if (why := module.missing()) is not None:
        pytest.skip(why)
    if os.environ.get(module.VARIABLE):
        pytest.skip(f"{module.VARIABLE} names a server that is not ours to stop")
    with TemporaryDirectory(
        prefix="modelyard-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as name:
        if kind == "postgresql":
            versions = postgresql_server.programs()
            server = postgresql_server.Server(versions[min(versions)], Path(name))
        else:
            server = module.Server(Path(name))
        server.make()
        server.start()
        store = open_server(database(server.url, "modelyard_restarted"))
        store.migrate()
        seed(store, a_model(), events=(an_event(1),))
        server.stop()
        with pytest.raises(StorageError, match=r"nothing listens|lost"):
            store.get(ModelKey("fraud"))
        server.start()
        assert store.get(ModelKey("fraud")) == a_model()
        server.stop()
        server.start()
        seed(store, changed(a_model(), description="later"), events=(an_event(2),))
        assert len(store.events(0, 10)) == 2
        store.close()
        server.stop()


def test_a_thread_pool_over_a_small_pool_of_connections_waits_its_turn(
    url: str, store: ServerMetadata
) -> None:
    seed(store, a_model())
    narrow = open_server(url, pool_size=2)
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: narrow.get(ModelKey("fraud")), range(200)))
    assert found == [a_model()] * 200
    assert len(narrow._pool._idle) <= 2
    narrow.close()


def test_a_put_on_a_stale_revision_says_what_was_found(store: ServerMetadata) -> None:
    seed(store, a_model())
    with pytest.raises(Conflict) as caught:
        store.commit(Changes(puts=(Put(record=a_model(revision=5), expected=4),)))
    assert caught.value.data == {"expected": 4, "found": 1}
