"""What damage to the files is noticed, and by whom (F11, F12).

One thing cannot be noticed from inside: a write-ahead log that was deleted whole after a crash leaves the database as
it was at the last checkpoint, consistent and older. Only what lies outside shows it: blobs that no row knows, or a
chain head written down elsewhere.
"""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver, journal
from modelyard.domain.errors import IntegrityError, ModelyardError
from modelyard.domain.records import Source
from modelyard.ports.metadata import ModelKey, VersionKey, VersionQuery
from modelyard.testing.metadata import (
    a_blob,
    a_full_version,
    a_model,
    a_version,
    an_event,
    changed,
    everything,
    put,
    seed,
    snapshot,
)
from modelyard.testing.metadata_tokens import a_token

needs_wal = pytest.mark.skipif(
    journal() != "WAL", reason="this SQLite library is used without a write-ahead log"
)


@pytest.fixture
def store(tmp_path: Path) -> SqlMetadata:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    seed(
        store,
        a_model(),
        a_full_version(),
        a_blob(),
        Source(kind="dataset", target="d", revision=1),
        *(a_token(number) for number in range(1, 5)),
        events=(an_event(1, after={"alias:a": 1}), an_event(2)),
    )
    return store


def run(store: SqlMetadata, statement: str) -> None:
    connection = driver().connect(str(store.path), isolation_level=None)
    connection.execute(statement)
    connection.close()


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def copy(store: SqlMetadata, folder: Path) -> Path:
    """The files as a crash would leave them: what is in memory is not in the copy."""
    folder.mkdir()
    for path in store.path.parent.glob("registry.db*"):
        if path.name != "registry.db-shm":
            shutil.copy(path, folder)
    return folder / "registry.db"


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE versions SET stage = 'production'", "column stage"),
        ("UPDATE versions SET digest = 'sha256:0'", "column digest"),
        ("UPDATE versions SET size = size + 1", "column size"),
        ("UPDATE versions SET deleted = 1", "column deleted"),
        ("UPDATE versions SET holder_key = 'x'", "column holder_key"),
        ("UPDATE versions SET number = 9", "digest"),
        ("UPDATE version_docs SET doc = replace(doc, '0.75', '0.95')", "digest"),
        ("DELETE FROM version_docs", "document is missing"),
        ("UPDATE version_terms SET num = 0.95 WHERE field = 'metrics.f1'", "searchable values"),
        ("UPDATE version_terms SET created = 1 WHERE field = 'alias'", "time of creation"),
        ("DELETE FROM version_terms WHERE field = 'alias'", "searchable values"),
        ("DELETE FROM version_files WHERE version = 1", "keeps alive"),
        ("DELETE FROM version_edges WHERE kind = 'run'", "lineage to search by"),
        ("UPDATE sources SET target = 'x'", "digest"),
        ("UPDATE sources SET doc = '{}'", "digest"),
        ("UPDATE version_texts SET search = 'x'", "searchable text"),
        ("DELETE FROM version_texts", "searchable text"),
        ("INSERT INTO version_words (version_words) VALUES ('delete-all')", "full-text index"),
        ("UPDATE models SET single_stages = ''", "column single_stages"),
        ("UPDATE models SET doc = '{}'", "digest"),
        ("UPDATE blobs SET state = 'deleted'", "column state"),
        ("UPDATE blobs SET doc = '{}'", "digest"),
        ("UPDATE tokens SET digest = 'x' WHERE revision = 1 AND token_id LIKE '%1'", "digest"),
        ("UPDATE tokens SET doc = '{}'", "digest"),
        ("UPDATE events SET at = at + 1 WHERE position = 1", "column at"),
        ("UPDATE events SET subjects = 'x' WHERE position = 1", "column subjects"),
        ("UPDATE events SET sequence = 7 WHERE position = 1", "digest"),
        ("DELETE FROM events WHERE position = 1", "events are missing"),
        ("DELETE FROM events WHERE position = 2", "positions were given"),
        ("UPDATE moves SET number = 2", "moves"),
        ("DELETE FROM moves", "is missing from"),
        ("INSERT INTO moves VALUES ('fraud', 'alias:a', 1, 9, 9)", "has no event"),
        ("INSERT INTO version_files VALUES (99, 'x')", "missing row of versions"),
    ],
)
def test_every_change_behind_the_store_is_found(store: SqlMetadata, statement: str, finding: str) -> None:
    assert store.check() == ()
    run(store, statement)
    assert finding in "\n".join(store.check())
    store.close()


def test_a_move_that_its_event_does_not_tell_is_never_answered(store: SqlMetadata) -> None:
    from modelyard.ports.metadata import MoveQuery

    for statement in ("UPDATE moves SET number = 2", "UPDATE moves SET number = 1, sequence = 9"):
        run(store, statement)
        with pytest.raises(IntegrityError, match="alias:a"):
            store.find(MoveQuery(model_key="fraud", pointer="alias:a"))
    store.close()


def test_a_document_that_cannot_be_read_is_a_finding(store: SqlMetadata) -> None:
    """Even if its digest was made to fit."""
    from modelyard.adapters.metadata.rows import digest

    connection = driver().connect(str(store.path), isolation_level=None)
    stored = digest("{}", "model", "fraud", "fraud", 1)
    connection.execute("UPDATE models SET doc = '{}', row_digest = ?", (stored,))
    connection.close()
    assert "cannot be read" in "\n".join(store.check())
    store.close()


def test_f11_no_bit_flip_is_answered_as_if_nothing_were(store: SqlMetadata, tmp_path: Path) -> None:
    """300 single bit flips anywhere in the file: a read or the check refuses, or every answer is still the true one."""
    true = snapshot(store)
    store.close()
    original = (tmp_path / "registry.db").read_bytes()
    draw = random.Random(5)
    noticed = 0
    for _ in range(300):
        damaged = bytearray(original)
        damaged[draw.randrange(len(original))] ^= 1 << draw.randrange(8)
        (tmp_path / "registry.db").write_bytes(damaged)
        again = SqlMetadata(tmp_path / "registry.db")
        if _noticed(again):
            noticed += 1
        else:
            assert snapshot(again) == true
        again.close()
    assert noticed > 10


def test_f11_no_bit_flip_in_a_document_goes_unnoticed(store: SqlMetadata, tmp_path: Path) -> None:
    """60 single bit flips inside the stored version: the read refuses every one of them."""
    store.close()
    original = (tmp_path / "registry.db").read_bytes()
    place = original.index(b'"LogisticRegression"')
    draw = random.Random(7)
    for _ in range(60):
        damaged = bytearray(original)
        damaged[place + draw.randrange(-200, 400)] ^= 1 << draw.randrange(8)
        (tmp_path / "registry.db").write_bytes(damaged)
        again = SqlMetadata(tmp_path / "registry.db")
        with pytest.raises(IntegrityError):
            again.get(VersionKey(a_full_version().model_id))
        again.close()


def _noticed(store: SqlMetadata) -> bool:
    try:
        snapshot(store)
        return bool(store.check())
    except ModelyardError:
        return True


@needs_wal
def test_f12_a_deleted_index_of_the_log_is_rebuilt(store: SqlMetadata, tmp_path: Path) -> None:
    crashed = copy(store, tmp_path / "copy")  # leaves out -shm
    assert wal(crashed).stat().st_size > 0
    again = SqlMetadata(crashed)
    assert snapshot(again) == snapshot(store)
    assert again.check() == ()
    again.close()
    store.close()


@needs_wal
def test_f12_a_log_deleted_after_a_crash_leaves_an_older_whole_state(
    store: SqlMetadata, tmp_path: Path
) -> None:
    """The commits since the last checkpoint are gone; none of them is there in part."""
    with store._connections.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = snapshot(store)
    seed(store, changed(a_model(), description="later"), a_version(2), events=(an_event(3),))
    crashed = copy(store, tmp_path / "copy")
    wal(crashed).unlink()
    again = SqlMetadata(crashed)
    assert snapshot(again) == before
    assert again.check() == ()
    again.close()
    store.close()


@needs_wal
def test_f12_the_log_of_another_copy_is_refused_or_found(store: SqlMetadata, tmp_path: Path) -> None:
    """A backup put back beside a later log: the mixture is never taken for sound."""
    backup = copy(store, tmp_path / "backup")
    older = SqlMetadata(backup)
    everything(older, VersionQuery())
    older.close()  # a clean backup without a log
    for number in range(2, 40):
        seed(store, a_version(number, tags={"n": str(number)}), events=(an_event(number + 1),))
        if number == 20:
            with store._connections.reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(wal(store.path), wal(backup))
    mixed = SqlMetadata(backup)
    assert _noticed(mixed)
    mixed.close()
    store.close()


def test_f12_files_copied_while_hot_hold_whole_commits_or_are_found(
    store: SqlMetadata, tmp_path: Path
) -> None:
    """Database first, log second, commits between: what opens is one state, or is refused."""
    from modelyard.ports.metadata import Changes

    target = tmp_path / "copy"
    target.mkdir()
    shutil.copy(store.path, target)
    for number in range(2, 6):
        store.commit(Changes(puts=(put(a_version(number)),), events=(an_event(number + 1),)))
    for path in store.path.parent.glob("registry.db-*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, target)
    hot = SqlMetadata(target / "registry.db")
    numbers = {version.number for version in everything(hot, VersionQuery())}
    log: list[Any] = list(hot.events(0, 100))
    assert hot.check() == ()
    assert len(log) == len(numbers) + 1
    assert hot.get(ModelKey("fraud")) == a_model()
    hot.close()
    store.close()
