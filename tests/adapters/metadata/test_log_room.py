"""Room in the log: given once to who commits a lot, invisible to everybody."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelyard.adapters.metadata import log_room
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import journal
from modelyard.ports.metadata import ModelQuery
from modelyard.testing.metadata import a_model, seed

pytestmark = pytest.mark.skipif(journal() != "WAL", reason="this SQLite has no safe write-ahead log")


@pytest.fixture
def store(tmp_path: Path):
    found = SqlMetadata(tmp_path / "registry.db")
    found.migrate()
    yield found
    found.close()


def log_size(store: SqlMetadata) -> int:
    return store.path.with_name("registry.db-wal").stat().st_size


def names(store: SqlMetadata) -> list[str]:
    return [model.name for model in store.find(ModelQuery()).items]


def test_a_process_that_commits_a_lot_gets_room_and_one_that_does_not_gets_none(store: SqlMetadata) -> None:
    sizes = []
    for number in range(1, 9):
        seed(store, a_model(f"m{number}"))
        sizes.append(log_size(store))
    first, second = log_room.SIZES.values()
    assert max(sizes[:2]) < first
    assert sizes[2:] == [first] * 3 + [second] * 3
    assert len(names(store)) == 8


def test_what_is_written_between_two_checkpoints_fits_into_the_room(store: SqlMetadata) -> None:
    with store._connections.reading() as connection:
        (pages,) = connection.execute("PRAGMA wal_autocheckpoint").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    assert max(log_room.SIZES.values()) > pages * (page + 24) + 2**20


def test_room_that_the_log_has_already_is_not_made_again(store: SqlMetadata) -> None:
    for number in range(6):
        seed(store, a_model(f"m{number}"))
    other = SqlMetadata(store.path)
    for number in range(6, 12):
        seed(other, a_model(f"m{number}"))
        assert log_size(store) == max(log_room.SIZES.values())
    assert len(names(store)) == 12
    other.close()


def test_what_is_left_after_a_crash_is_read_up_to_the_last_commit(store: SqlMetadata, tmp_path: Path) -> None:
    for number in range(5):
        seed(store, a_model(f"m{number}"))
    left = tmp_path / "left"
    left.mkdir()
    for name in ("registry.db", "registry.db-wal"):
        shutil.copy(tmp_path / name, left)
    again = SqlMetadata(left / "registry.db")
    assert names(again) == names(store)
    assert again.check() == ()
    seed(again, a_model("later"))
    assert "later" in names(again)
    again.close()


def test_a_disk_that_has_little_left_keeps_it(store: SqlMetadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_room, "SPARE", 2**62)
    for number in range(5):
        seed(store, a_model(f"m{number}"))
    assert log_size(store) < min(log_room.SIZES.values())


def test_a_disk_that_refuses_half_way_gets_the_half_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "registry.db-wal"
    log.write_bytes(b"frames")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        os.ftruncate(descriptor, offset + 100)
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    log_room.make(tmp_path / "registry.db", 2**20)
    assert log.read_bytes() == b"frames"
