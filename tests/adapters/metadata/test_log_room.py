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
    for number in range(1, log_room.AFTER + 3):
        seed(store, a_model(f"m{number}"))
        assert (log_size(store) == log_room.SIZE) is (number >= log_room.AFTER)
    assert len(names(store)) == log_room.AFTER + 2


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
    assert log_size(store) < log_room.SIZE


def test_a_disk_that_refuses_half_way_gets_the_half_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "registry.db-wal"
    log.write_bytes(b"frames")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        os.ftruncate(descriptor, offset + 100)
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    log_room.make(tmp_path / "registry.db")
    assert log.read_bytes() == b"frames"
