"""SQLite's own ways: which library, which journal, who may write, what a fork inherits, which error is told."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from modelyard.adapters.metadata import sqlite
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import connect, driver, journal, translated, wal_is_safe
from modelyard.domain.errors import Conflict, IntegrityError, NotSupported, StorageError, StorageFull
from modelyard.ports.metadata import ModelKey
from modelyard.testing.metadata import a_model, changed, seed


@pytest.fixture
def store(tmp_path: Path) -> SqlMetadata:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    return store


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), False), ((3, 53, 0), True)],
)
def test_the_write_ahead_log_is_used_where_it_is_sound(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_settings_are_those_that_keep_acknowledged_commits(store: SqlMetadata) -> None:
    connection = connect(store.path)
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "foreign_keys", "journal_mode")
    }
    assert found == {"synchronous": 2, "foreign_keys": 1, "journal_mode": journal().lower()}
    connection.close()


def test_the_rollback_journal_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "journal", lambda: "DELETE")
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    seed(store, a_model())
    assert not (tmp_path / "registry.db-wal").exists()
    assert store.get(ModelKey("fraud")) == a_model()
    store.close()


def test_a_child_never_uses_its_parents_connection(store: SqlMetadata) -> None:
    seed(store, a_model())
    inherited = {id(connection) for connection in store._connections._idle}
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        status = 1
        try:
            seed(store, changed(a_model(), description="by the child"))
            used = {id(connection) for connection in store._connections._idle}
            status = 0 if used.isdisjoint(inherited) and inherited else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = store.get(ModelKey("fraud"))
    assert found is not None
    assert found.description == "by the child"
    seed(store, changed(found, description="by the parent"))
    assert store.check() == ()
    store.close()


def test_eight_threads_read_a_thousand_times_each(store: SqlMetadata) -> None:
    seed(store, a_model())
    wrong: list[int] = []

    def read() -> None:
        wrong.append(sum(store.get(ModelKey("fraud")) != a_model() for _ in range(1000)))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * 8
    assert 1 <= len(store._connections._idle) <= 8
    store.close()


def test_a_moment_with_many_readers_leaves_few_connections(store: SqlMetadata) -> None:
    seed(store, a_model())
    with ExitStack() as crowd:
        for _ in range(30):
            connection = crowd.enter_context(store._connections.reading())
            assert connection.execute("SELECT count(*) FROM models").fetchone() == (1,)
    assert len(store._connections._idle) == sqlite._MOST_IDLE
    assert store.get(ModelKey("fraud")) == a_model()
    store.close()


def test_a_writer_that_waits_in_vain_names_the_likely_cause(
    store: SqlMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    with store._connections.writing():
        other = SqlMetadata(store.path)
        with pytest.raises(StorageError, match="NFS"):
            seed(other, a_model())
        other.close()
    seed(store, a_model())
    store.close()


def test_a_full_disk_is_told_apart_and_leaves_no_trace(
    store: SqlMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(store, a_model())
    with store._connections.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    limited = (*sqlite._PRAGMAS, f"PRAGMA max_page_count = {pages}")
    monkeypatch.setattr(
        sqlite, "_PRAGMAS", limited
    )  # the commit is tried once more, on a connection of its own
    with pytest.raises(StorageFull, match="free some space"):
        seed(store, a_model("other", description="x" * 100_000))
    assert store.get(ModelKey("other")) is None
    assert store.check() == ()
    store.close()
    monkeypatch.undo()
    roomy = SqlMetadata(store.path)
    seed(roomy, a_model("other", description="x" * 100_000))
    roomy.close()


def test_a_database_that_may_not_be_written_says_so(store: SqlMetadata) -> None:
    seed(store, a_model())
    with store._connections.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be written"):
        seed(store, a_model("other"))
    assert store.get(ModelKey("fraud")) == a_model()
    store.close()


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(IntegrityError, match="damaged"):
        SqlMetadata(tmp_path / "registry.db").migrate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no such module: fts5", NotSupported),
        ("disk I/O error", StorageError),
        ("unable to open database file", StorageError),
        ("database disk image is malformed", IntegrityError),
        ("Could not decode to UTF-8 column", IntegrityError),
    ],
)
def test_what_the_driver_says_becomes_an_error_of_ours(
    tmp_path: Path, text: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected, match=str(tmp_path)), translated(tmp_path):
        raise driver().OperationalError(text)


def test_an_error_nobody_foresaw_is_still_ours(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="something new"), translated(tmp_path):
        raise driver().OperationalError("something new")


def test_a_refused_commit_keeps_its_connection(store: SqlMetadata) -> None:
    seed(store, a_model())
    before = list(store._connections._idle)
    with pytest.raises(Conflict):
        seed(store, a_model())
    assert store._connections._idle == before
    store.close()


def test_closing_leaves_no_log_behind(store: SqlMetadata) -> None:
    seed(store, a_model())
    store.close()
    assert sorted(path.name for path in store.path.parent.iterdir()) == [
        "registry.db",
        "registry.db-reserve",
        "registry.db-turn",
    ]
