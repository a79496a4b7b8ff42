"""A database file that rots, loses a companion or meets a stranger's: noticed, or harmless, and never silently wrong.

What cannot be noticed: a whole older state. Who deletes the write-ahead log of a registry that died takes its last
commits away, and what is left is a consistent database from before; only a copy of the audit's root kept elsewhere,
or uploads that no record knows, tell.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.adapters.metadata import sql, sql_records
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.errors import ModelyardError
from modelyard.settings import Settings

from .conftest import Order
from .tracing import Outcome, finish, run, start
from .verdict import sound

DATABASE = "registry.db"


def noticed(root: Path) -> list[str]:
    """What opening, reading all there is and every check complain about. Errors of another kind than ours pass."""
    try:
        with ModelRegistry(root, config=Settings()) as registry:
            everything(registry)
            found = [f.detail for f in registry.fsck().findings]
            return found + [str(broken) for broken in registry.verify_audit().breaks]
    except ModelyardError as error:
        return [f"{type(error).__name__}: {error.detail}"]


def everything(registry: ModelRegistry) -> dict[str, Any]:
    """All that can be asked, by every way of asking."""
    versions = registry.list_models(include_deleted=True)
    names = registry.list_names()
    return {
        "versions": list(versions),
        "by id": [registry.get_model(v.model_id) for v in versions if not v.deleted],
        "by number": [registry.get_model(f"{v.name}#{v.number}") for v in versions if not v.deleted],
        "by label": [registry.get_model(f"{v.name}:{v.version}") for v in versions if not v.deleted],
        "by metric": [v.model_id for v in registry.search_models("metrics.accuracy > 0.5")],
        "by tag": [v.model_id for v in registry.search_models("tags.team = 'risk'")],
        "by word": [v.model_id for v in registry.search_models("fraud")],
        "models": list(registry.iterate_models()),
        "history": [registry.history(name) for name in ["", *names]],
        "status": [registry.status(name).stages for name in names],
        "stats": registry.get_registry_stats(),
    }


def told(root: Path) -> dict[str, Any]:
    with ModelRegistry(root, config=Settings()) as registry:
        return everything(registry)


# --- F11: rot -----------------------------------------------------------------------------------------------


def places(data: bytes, chance: random.Random, count: int) -> Iterator[int]:
    """Half of them anywhere, half of them in the text of a record."""
    records = [at for at in range(len(data)) if data.startswith(b'{"', at)]
    for number in range(count):
        yield chance.randrange(len(data)) if number % 2 else chance.choice(records) + chance.randrange(400)


def flipped(root: Path, seeds: int) -> Iterator[tuple[int, list[str], bool]]:
    """Offset, what was noticed, and whether all that can be asked is answered as before; one flipped bit each."""
    good, database, chance = told(root), root / DATABASE, random.Random(11)
    data = database.read_bytes()
    for offset in places(data, chance, seeds):
        rotten = bytearray(data)
        rotten[offset % len(data)] ^= 1 << chance.randrange(8)
        _replace(database, bytes(rotten))
        complaints = noticed(root)
        _replace(database, bytes(rotten))  # closing may have written
        yield offset, complaints, bool(complaints) or told(root) == good


def _replace(database: Path, data: bytes) -> None:
    for companion in ("-wal", "-shm"):
        database.with_name(database.name + companion).unlink(missing_ok=True)
    database.write_bytes(data)


def never_silent(root: Path, seeds: int) -> None:
    results = list(flipped(root, seeds))
    assert [offset for offset, _, fine in results if not fine] == [], "bits whose change went unnoticed"
    assert sum(1 for _, complaints, _ in results if complaints) >= seeds // 3, "too few flips met anything"


def test_F11_a_flipped_bit_of_the_database_is_noticed_or_changes_nothing(past: Path) -> None:
    never_silent(past, 60)


@pytest.mark.long
def test_F11_four_hundred_flipped_bits_are_noticed_or_change_nothing(past: Path) -> None:
    never_silent(past, 400)


ROWS = {
    "version": ("version_docs", "doc"),
    "model and its aliases": ("models", "doc"),
    "event": ("events", "doc"),
    "registry": ("registry", "doc"),
    "blob": ("blobs", "doc"),
    "version's stage": ("versions", "stage"),
    "version's number": ("versions", "number"),
    "version's holder": ("versions", "holder_key"),
    "event's time": ("events", "at"),
    "move": ("moves", "number"),
    "value to search": ("version_terms", "text"),
    "bytes kept alive": ("version_files", "digest"),
    "lineage link": ("version_edges", "target"),
    "withdrawn source": ("sources", "doc"),
}


@pytest.mark.parametrize("what", ROWS)
def test_F11_a_row_changed_behind_the_back_is_always_noticed(what: str, past: Path) -> None:
    """What no checksum of a page could see: a valid write of another value, in each kind of row."""
    table, column = ROWS[what]
    rows = _rows(past, table, column)
    assert rows, f"the past has no {table}"
    for chosen in rows:
        root = past.with_name(f"{table}-{column}")
        shutil.copytree(past, root)
        _rewrite(root, table, column, chosen)
        assert noticed(root) != [], f"{what} {chosen!r:.80} was changed unnoticed"
        shutil.rmtree(root)


def _rows(root: Path, table: str, column: str) -> list[Any]:
    connection = driver().connect(root / DATABASE)
    try:
        found = connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 3"
        )
        return [row[0] for row in found]
    finally:
        connection.close()


def _rewrite(root: Path, table: str, column: str, value: Any) -> None:
    """The first row with that value gets another one of the same type."""
    other = value + 1000 if isinstance(value, int) else value[:-2] + chr(ord(value[-2]) ^ 1) + value[-1]
    connection = driver().connect(root / DATABASE)
    try:
        changed = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (other, value))
        assert changed.rowcount >= 1
        connection.commit()
    finally:
        connection.close()


def test_control_without_digests_of_rows_a_flipped_bit_goes_unnoticed(
    past: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_sqlite(self: sql.SqlMetadata) -> Sequence[str]:
        with self._connections.reading() as connection:
            return [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]

    monkeypatch.setattr(sql_records, "_checked", lambda *_: None)
    monkeypatch.setattr(sql.SqlMetadata, "check", only_sqlite)
    monkeypatch.setattr(ModelRegistry, "verify_audit", lambda self: type("Blind", (), {"breaks": ()}))
    with pytest.raises((AssertionError, ValueError, KeyError, TypeError)):
        never_silent(past, 60)


# --- F12: companions ----------------------------------------------------------------------------------------


def died(order: Order, root: Path, commits: int = 12, plan: str = "storm") -> Outcome:
    """A worker killed after some commits, whose log was never written back."""
    given = {"with": {"seed": 3}} if plan == "storm" else {}
    outcome = run(order(plan, root, failpoints=[("store", "commit", "after", commits)], **given))
    assert outcome.code == -9, outcome.errors
    assert (root / f"{DATABASE}-wal").stat().st_size > 0
    return outcome


def test_F12_without_its_shared_memory_the_log_is_replayed(order: Order, past: Path) -> None:
    outcome = died(order, past, 12)
    (past / f"{DATABASE}-shm").unlink()
    assert sound(past, outcome.said) == []


def test_F12_a_torn_end_of_the_log_loses_only_what_was_never_acknowledged(order: Order, past: Path) -> None:
    outcome = died(order, past, 12)
    log = past / f"{DATABASE}-wal"
    with log.open("ab") as end:
        end.write(os.urandom(3_000))
    assert sound(past, outcome.said) == []


def test_F12_without_its_log_the_database_is_whole_as_it_was_before_and_the_loss_shows_in_the_uploads(
    order: Order, past: Path
) -> None:
    before = told(past)
    died(order, past, 1, "register")
    _lose_the_log(past)
    assert noticed(past) == []
    assert told(past) == before
    with ModelRegistry(past, config=Settings()) as registry:
        unclaimed = registry.gc(dry_run=True, grace_days=0)
        assert len(unclaimed.blobs) >= 2, (
            "the bytes of the lost version are still there, and nobody claims them"
        )


def test_F12_without_its_log_a_collection_that_the_log_knew_of_is_noticed(order: Order, past: Path) -> None:
    died(order, past, 4, "gc")
    _lose_the_log(past)
    assert [line for line in noticed(past) if "is not in the store" in line] != []


def _lose_the_log(root: Path) -> None:
    for companion in ("-wal", "-shm"):
        (root / f"{DATABASE}{companion}").unlink()


def test_F12_a_flipped_bit_in_the_log_is_never_read_as_something_else(order: Order, past: Path) -> None:
    """The log ends, for SQLite, where its checksums end: what is read is a true earlier state."""
    died(order, past, 12)
    chance = random.Random(12)
    hashes = _hashes(past, past.with_name("all"))
    size = (past / f"{DATABASE}-wal").stat().st_size
    for number in range(12):
        root = shutil.copytree(past, past.with_name(f"flipped-{number}"))
        log = root / f"{DATABASE}-wal"
        data = bytearray(log.read_bytes())
        data[chance.randrange(size)] ^= 1 << chance.randrange(8)
        log.write_bytes(data)
        _an_earlier_state(root, hashes)
        shutil.rmtree(root)


def test_F12_a_log_of_another_registry_is_noticed(
    order: Order, past: Path, workshop: Path, room: Path
) -> None:
    stranger = Path(shutil.copytree(workshop / "elsewhere", room / "stranger"))
    died(order, stranger, 12)
    for companion in ("-wal", "-shm"):
        shutil.copy(stranger / f"{DATABASE}{companion}", past / f"{DATABASE}{companion}")
    assert noticed(past) != []


def test_F12_an_older_log_of_the_same_registry_is_noticed_or_replays_to_a_true_state(
    order: Order, past: Path, room: Path
) -> None:
    died(order, past, 12)
    older = Path(shutil.copytree(past, room / "older"))
    with ModelRegistry(past, config=Settings()) as registry:  # writes the log back
        registry.promote_model("fraud:1.2.0", "production", reason="later")
        registry.tag("fraud:1.2.0", late="yes")
    hashes = _hashes(past, room / "all")
    shutil.copy(older / f"{DATABASE}-wal", past / f"{DATABASE}-wal")
    _an_earlier_state(past, hashes)


def test_F12_a_copy_made_while_others_write_is_noticed_or_a_true_state(
    order: Order, past: Path, room: Path
) -> None:
    """``cp`` of the database and then its log, while two workers are at it."""
    workers = [start(order("storm", past, **{"with": {"seed": seed}})) for seed in (1, 2)]
    copies: list[Path] = []
    try:
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        for number in range(8):
            copy = room / f"copy-{number}"
            copy.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(past / f"{DATABASE}{suffix}", copy / f"{DATABASE}{suffix}")
            copies.append(copy)
    finally:
        for worker in workers:
            worker.kill()
            finish(worker)
    hashes = _hashes(past, room / "all")
    for copy in copies:
        root = shutil.copytree(past, room / "restored")
        for suffix in ("-wal", "-shm"):
            (root / f"{DATABASE}{suffix}").unlink(missing_ok=True)
        shutil.copytree(copy, root, dirs_exist_ok=True)
        _an_earlier_state(root, hashes)
        shutil.rmtree(root)


def _hashes(root: Path, scratch: Path) -> Mapping[str, Sequence[str]]:
    """Hashes of every chain, in order, read from a copy."""
    shutil.copytree(root, scratch)
    with ModelRegistry(scratch, config=Settings()) as registry:
        chains = ["", *registry.list_names()]
        return {chain: [e.hash for e in registry.history(chain, newest_first=False)] for chain in chains}


def _an_earlier_state(root: Path, hashes: Mapping[str, Sequence[str]]) -> None:
    """Every chain is a beginning of the true one, or there are complaints; bytes may be collected since."""
    if any("is not in the store" not in line for line in noticed(root)):
        return
    with ModelRegistry(root, config=Settings()) as registry:
        for chain in ["", *registry.list_names()]:
            found = [e.hash for e in registry.history(chain, newest_first=False)]
            assert found == list(hashes[chain][: len(found)]), f"the chain {chain!r} is another one"
