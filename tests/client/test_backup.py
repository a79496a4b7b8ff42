"""Backups of a registry that is in use, and what comes back from them."""

from __future__ import annotations

import itertools
import threading

import pytest

from modelyard import ModelRegistry
from modelyard.client import backup
from modelyard.client.backup import back_up, restore
from modelyard.domain.errors import AlreadyExists, Conflict, IntegrityError, InvalidInput, NotFound


@pytest.fixture
def home(tmp_path):
    """A registry with two versions."""
    with ModelRegistry(tmp_path / "registry") as registry:
        for n in range(2):
            register(registry, n)
    return tmp_path / "registry"


def register(registry: ModelRegistry, n: int) -> str:
    return registry.register_model({"w": n}, "fraud", serialization_format="pickle")


def events(folder) -> list[str]:
    """Hashes of one chain, oldest first: each holds all before it."""
    with ModelRegistry(folder) as registry:
        return [event.hash for event in registry.history("fraud", newest_first=False)]


def test_a_backup_opens_like_any_registry(home, tmp_path) -> None:
    made = back_up(home, tmp_path / "copy")
    assert made.blobs == 2
    assert made.copied == made.size
    assert events(tmp_path / "copy") == events(home)


def test_a_second_backup_brings_only_what_is_new(home, tmp_path) -> None:
    first = back_up(home, tmp_path / "copy")
    with ModelRegistry(home) as registry:
        register(registry, 2)
    second = back_up(home, tmp_path / "copy")
    assert second.blobs == 3
    assert 0 < second.copied < first.copied + second.size - first.size
    assert events(tmp_path / "copy") == events(home)


def test_a_restored_registry_is_checked_to_the_last_byte(home, tmp_path) -> None:
    back_up(home, tmp_path / "copy")
    found = restore(tmp_path / "copy", tmp_path / "back")
    assert (found.fsck.ok, found.fsck.deep, found.fsck.versions) == (True, True, 2)
    assert events(tmp_path / "back") == events(home)


def test_a_damaged_backup_is_not_passed_off_as_good(home, tmp_path) -> None:
    back_up(home, tmp_path / "copy")
    victim = next(path for path in (tmp_path / "copy/blobs").rglob("*") if path.is_file())
    victim.chmod(0o600)
    data = bytearray(victim.read_bytes())
    data[0] ^= 1
    victim.write_bytes(data)
    with pytest.raises(IntegrityError):
        restore(tmp_path / "copy", tmp_path / "back")


def test_nothing_is_overwritten(home, tmp_path) -> None:
    other = tmp_path / "other"
    with ModelRegistry(other) as registry:
        register(registry, 9)
    with pytest.raises(AlreadyExists, match="another registry"):
        back_up(home, other)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.doc").touch()
    with pytest.raises(AlreadyExists, match="something else"):
        back_up(home, full)
    with pytest.raises(AlreadyExists, match="not empty"):
        restore(home, full)
    assert [path.name for path in full.iterdir()] == ["thesis.doc"]


def test_a_backup_lies_elsewhere_and_is_of_something(home, tmp_path) -> None:
    for target in (home, home / "copy", tmp_path):
        with pytest.raises(InvalidInput, match="lie in one another"):
            back_up(home, target)
    with pytest.raises(NotFound):
        back_up(tmp_path / "nothing", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_bytes_that_are_collected_meanwhile_make_it_begin_again(home, tmp_path, monkeypatch) -> None:
    """The first state names bytes that are gone when their turn comes; the second does not name them any more."""
    real, rounds = backup.hot_copy, []

    def copy_then_collect(source, target):
        real(source, target)
        rounds.append(target)
        if len(rounds) == 1:
            with ModelRegistry(home) as registry:
                registry.delete_model("fraud:0.1.0", reason="test")
                registry.delete_model("fraud:0.1.1", reason="test")
                for path in (home / "blobs").rglob("*"):
                    if path.is_file():
                        path.unlink()
        if len(rounds) == 2:
            for path in (tmp_path / "spare").rglob("*"):
                if path.is_file():
                    path.rename(home / path.relative_to(tmp_path / "spare"))

    back_up(home, tmp_path / "spare")
    monkeypatch.setattr(backup, "hot_copy", copy_then_collect)
    assert back_up(home, tmp_path / "copy").blobs == 2
    assert len(rounds) == 2


def test_it_gives_up_where_collection_is_always_faster(home, tmp_path) -> None:
    for path in (home / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(Conflict, match="gc"):
        back_up(home, tmp_path / "copy")


def test_an_interrupted_backup_is_continued(home, tmp_path, monkeypatch) -> None:
    target = tmp_path / "copy"
    with monkeypatch.context() as patched:
        patched.setattr(backup, "_put_in_place", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            back_up(home, target)
    made = back_up(home, target)
    assert (made.blobs, made.copied) == (2, 0)
    assert not (target / "arriving").exists()


EACH_ROUND = 20
"""Versions registered during one round; without a limit, each round would have more to check than the one before."""


def drill(home, tmp_path, rounds: int) -> None:
    """Back up and restore while two writers work: what comes back is whole, and a state that there once was."""
    stop, numbers, work = threading.Event(), itertools.count(100), threading.Semaphore(0)

    def write() -> None:
        with ModelRegistry(home) as registry:
            while work.acquire() and not stop.is_set():
                register(registry, next(numbers))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for n in range(rounds):
            work.release(EACH_ROUND)
            back_up(home, tmp_path / "copy")
            assert restore(tmp_path / "copy", tmp_path / f"back{n}").fsck.ok
            then, now = events(tmp_path / f"back{n}"), events(home)
            assert then == now[: len(then)]
            assert len(then) >= 2
    finally:
        stop.set()
        work.release(len(writers))
        for writer in writers:
            writer.join()


def test_backups_during_load_come_back_whole(home, tmp_path) -> None:
    drill(home, tmp_path, 2)


@pytest.mark.long
def test_twenty_backups_during_load_come_back_whole(home, tmp_path) -> None:
    drill(home, tmp_path, 20)
