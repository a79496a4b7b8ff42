"""A database that even fsck cannot read: it says what helps then, and does not send people to itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from modelyard.domain.errors import IntegrityError
from modelyard.registry import ModelRegistry


@pytest.mark.parametrize("damage", [lambda data: b"no database " * 2000, lambda data: data[: len(data) // 3]])
def test_fsck_of_a_database_that_cannot_be_read_names_the_way_back(fraud, place, damage):
    database = place / "model_registry" / "registry.db"
    database.write_bytes(damage(database.read_bytes()))
    assert "run `modelyard fsck`" in fraud("list", code=6).err
    told = fraud("fsck", "--deep", code=6).err
    assert "fsck cannot read all records of './model_registry'" in told
    assert "modelyard restore BACKUP --registry NEW_FOLDER" in told
    assert "docs/how-to/backup.md" in told
    assert "run `modelyard fsck`" not in told
    assert fraud("--json", "fsck", code=6).out == ""


@pytest.mark.parametrize("table", ["version_docs", "models", "events", "registry", "blobs"])
def test_fsck_that_meets_one_damaged_row_sends_nobody_to_itself(fraud, place, table):
    with closing(sqlite3.connect(place / "model_registry" / "registry.db")) as database, database:
        one = f"doc = (SELECT min(doc) FROM {table})"
        assert database.execute(f"UPDATE {table} SET doc = '{{bro' WHERE {one}").rowcount == 1
    told = fraud("fsck", code=6).err
    assert "does not match its own digest: it was changed or damaged on disk. Stop writing" in told
    assert "modelyard restore BACKUP --registry NEW_FOLDER" in told
    assert "run `modelyard fsck`" not in told


@pytest.mark.parametrize(
    "advice",
    [
        "an index is damaged; stop writing, run REINDEX, then `modelyard fsck`",
        "the row of token 7 is damaged; run `modelyard fsck`, revoke it and make another",
    ],
)
def test_fsck_leaves_a_better_advice_than_a_backup_as_it_is(fraud, monkeypatch, advice):
    def damaged(*_, **__):
        raise IntegrityError(advice)

    monkeypatch.setattr(ModelRegistry, "fsck", damaged)
    told = fraud("fsck", code=6).err
    assert advice in told
    assert "restore" not in told


@pytest.mark.parametrize(
    "command", [["list"], ["fsck"], ["register", "--model-path", "model.joblib", "--name", "fraud"]]
)
def test_a_database_that_is_gone_is_not_a_registry_that_begins(fraud, place, command):
    for each in (place / "model_registry").glob("registry.db*"):
        each.unlink()
    told = fraud(*command, code=6).err
    assert "the database was lost" in told
    assert "modelyard restore BACKUP --registry NEW_FOLDER" in told
