"""A disk that fails, fills up or may not be written: a clear error, nothing lost, nothing broken, and on we go."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import StorageError, StorageFull
from modelyard.settings import Settings

from .conftest import Order
from .tracing import Outcome, Point, finish, run, start, sweep
from .verdict import sound

WRITING = "write,pwrite64"
SYNCING = "fsync,fdatasync"
NAMING = "rename,renameat,renameat2,unlink,unlinkat,ftruncate,copy_file_range,mkdirat"
OPENING = "openat"
FAULTS = {
    "EIO": (f"{WRITING},{SYNCING},{NAMING}", 5),
    "ENOSPC": (f"{WRITING},{NAMING}", 5),
    "EDQUOT": (WRITING, 10),
    "EMFILE": (OPENING, 15),
}
"""Errors, the calls that may give them, and of those that come in long rows, every how many-th does."""


def withstood(point: Point, root: Path, outcome: Outcome) -> Iterator[str]:
    """The worker lived, its first try was refused cleanly or true, its second succeeded; and the registry is sound."""
    if not outcome.survived:
        yield f"did not go on: exit code {outcome.code}: {outcome.errors[-2000:]} {outcome.said}"
    for line in outcome.said:
        if (
            "refused" in line
            and line["attempt"] == "first"
            and line["refused"] not in ("storage", "storage_full")
        ):
            yield f"unclear refusal: {line}"
    yield from sound(root, outcome.said)


def failing(
    order: Order,
    plan: str,
    template: Path,
    room: Path,
    fault: str,
    calls: str,
    every: int,
    broken: str = "",
) -> list[str]:
    """Complaints of a sweep in which one call fails and all others work."""
    told = order("try", **{"with": {"plan": plan}}, broken=broken)
    verdicts = sweep(
        told, template, room, withstood, inject=f"error={fault}", calls=calls, every=every, answers=False
    )
    assert verdicts
    return [f"{point}: {line}" for point, found in verdicts.items() for line in found]


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_F4_a_disk_error_at_each_kind_of_step_of_a_registration(
    order: Order, workshop: Path, room: Path
) -> None:
    calls, _ = FAULTS["EIO"]
    assert failing(order, "register", workshop / "template", room, "EIO", calls, 15) == []


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("plan", ["register", "promote", "rollback", "gc", "import"])
def test_F4_every_error_at_every_kind_of_step(
    plan: str, fault: str, order: Order, workshop: Path, room: Path
) -> None:
    assert failing(order, plan, workshop / "template", room, fault, *FAULTS[fault]) == []


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_control_the_sweep_catches_a_store_that_takes_a_failed_commit_for_a_done_one(
    order: Order, workshop: Path, room: Path
) -> None:
    complaints = failing(
        order,
        "register",
        workshop / "template",
        room,
        "EIO",
        "fsync",
        1,
        broken="acknowledge_in_spite",
    )
    assert any("VersionNotFound" in line or "not in the history" in line for line in complaints), complaints


# --- F5: full -----------------------------------------------------------------------------------------------


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def fill(disk: Path, leave: int = 0) -> Path:
    """Somebody else's file takes all but ``leave`` bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as target, contextlib.suppress(OSError):
        while (left := free(disk) - leave) > 0:
            target.write(b"x" * min(left, 1 << 16))
    return filler


@pytest.fixture
def crowded(small_disk: Path, tmp_path: Path) -> Iterator[ModelRegistry]:
    """Two versions on a disk of 8 MiB, the registry open."""
    registry = ModelRegistry(small_disk / "registry", config=Settings())
    for number in range(2):
        registry.register_model(model(tmp_path, f"{number}.bin", 1_200_000), "fraud")
    registry.close()  # writes the log back
    registry = ModelRegistry(small_disk / "registry", config=Settings())
    yield registry
    registry.close()


def model(place: Path, name: str, size: int) -> Path:
    source = place / name
    source.write_bytes(os.urandom(size))
    return source


def answers(registry: ModelRegistry, scratch: Path) -> None:
    """Every kind of reading works."""
    assert [v.number for v in registry.list_models(name="fraud")] == [2, 1]
    assert registry.get_model("fraud#1").number == 1
    assert registry.search_models("fraud")
    assert registry.status("fraud").versions >= 2
    assert registry.history("fraud")
    assert registry.download("fraud#1", scratch / "copy").is_dir()
    shutil.rmtree(scratch / "copy")
    assert registry.verify_audit().ok
    assert registry.fsck(deep=True).ok


def test_F5_a_model_too_large_for_the_disk_is_refused_and_leaves_nothing(
    crowded: ModelRegistry, small_disk: Path, tmp_path: Path
) -> None:
    before = free(small_disk)
    for _ in range(3):
        with pytest.raises(StorageFull, match="space"):
            crowded.register_model(model(tmp_path, "large.bin", 7_500_000), "fraud")
    assert before - free(small_disk) < 100_000
    answers(crowded, tmp_path)
    crowded.promote_model("fraud#2", "production")
    crowded.delete_model("fraud#1", reason="to make room")
    assert crowded.gc(dry_run=False, grace_days=0).freed == 1_200_000
    assert sound(small_disk / "registry", ()) == []


def test_F5_on_a_full_disk_reading_goes_on_and_writing_resumes_without_opening_anew(
    crowded: ModelRegistry, small_disk: Path, tmp_path: Path
) -> None:
    for attempt in range(3):
        fill(small_disk).rename(small_disk / f"filler-{attempt}")  # whatever came free since is taken too
        with pytest.raises(StorageFull, match="space"):
            crowded.register_model(model(tmp_path, "more.bin", 1_000_000), "fraud")
        answers(crowded, tmp_path)
    for filler in small_disk.glob("filler-*"):
        filler.unlink()
    crowded.promote_model("fraud#2", "production")
    crowded.register_model(model(tmp_path, "more.bin", 1_000_000), "fraud")
    assert sound(small_disk / "registry", ()) == []


def test_F5_a_registry_that_cannot_be_opened_on_a_full_disk_says_why(
    crowded: ModelRegistry, small_disk: Path
) -> None:
    crowded.close()
    fill(small_disk)
    with pytest.raises(StorageFull, match="free some space"):
        ModelRegistry(small_disk / "registry", config=Settings()).list_models()


def test_F5_a_pointer_that_cannot_be_moved_stays(
    crowded: ModelRegistry, small_disk: Path, tmp_path: Path
) -> None:
    crowded.set_alias("fraud", "champion", "fraud#1")
    fill(small_disk)
    with pytest.raises(StorageFull, match="space"):
        back_and_forth(crowded, 500)
    last = crowded.history("fraud", limit=1)[0]
    assert crowded.get_model("fraud@champion").number == last.after["alias:champion"]
    assert sum(1 for _ in crowded.history("fraud")) == last.sequence
    assert crowded.verify_audit().ok


def back_and_forth(registry: ModelRegistry, times: int) -> None:
    for number in range(times):
        registry.set_alias("fraud", "champion", f"fraud#{number % 2 + 1}", reason="back and forth")


def test_F5_on_a_full_disk_deleting_and_collecting_make_room(
    crowded: ModelRegistry, small_disk: Path, tmp_path: Path
) -> None:
    """Room is set aside for this: freeing space must not need free space."""
    fill(small_disk)
    with pytest.raises(StorageFull):
        crowded.register_model(model(tmp_path, "more.bin", 1_000_000), "fraud")
    fill(small_disk).rename(small_disk / "rest")
    crowded.delete_model("fraud#1", reason="to make room")
    assert crowded.gc(dry_run=False, grace_days=0).freed == 1_200_000
    assert free(small_disk) > 1_000_000
    assert sound(small_disk / "registry", ()) == []


def test_F5_the_room_for_freeing_is_set_aside_again_once_there_is_some(
    workshop: Path, small_disk: Path
) -> None:
    root = Path(shutil.copytree(workshop / "template", small_disk / "registry"))
    (root / "registry.db-reserve").unlink()
    filler = fill(small_disk, leave=200_000)
    with ModelRegistry(root, config=Settings()) as registry:
        assert registry.list_models()
    assert not (root / "registry.db-reserve").exists(), (
        "half a reserve is none, and takes what little there is"
    )
    filler.unlink()
    ModelRegistry(root, config=Settings()).close()
    assert (root / "registry.db-reserve").stat().st_blocks * 512 >= 1 << 19


# --- F6: read-only ------------------------------------------------------------------------------------------


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


@pytest.mark.parametrize("log", ["written back", "left by a killed worker"])
def test_F6_on_a_read_only_disk_reading_works_and_writing_says_why(
    log: str, order: Order, workshop: Path, small_disk: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(workshop / "template", small_disk / "registry"))
    if log != "written back":
        killed = run(order("register", root, failpoints=[("store", "commit", "after", 1)]))
        assert killed.code == -9, killed.errors
    remount(small_disk, "ro")
    with ModelRegistry(root, config=Settings()) as registry:
        reads(registry, tmp_path)
        for write in (
            lambda: registry.register_model(model(tmp_path, "new.bin", 10), "fraud"),
            lambda: registry.promote_model("fraud:1.2.0", "production"),
            lambda: registry.delete_model("fraud:1.2.0", reason="x"),
            lambda: registry.set_alias("fraud", "champion", "fraud:1.2.0"),
        ):
            with pytest.raises(StorageError, match=r"(?i)read-?only"):
                write()
        reads(registry, tmp_path)
    remount(small_disk, "rw")
    assert sound(root, ()) == []


def reads(registry: ModelRegistry, scratch: Path) -> None:
    live = registry.status("fraud").live
    assert live is not None
    assert live.version == "1.1.0"
    assert registry.get_model("fraud:1.0.0").number == 1
    assert len(registry.list_models(name="fraud")) >= 3
    assert registry.download("fraud@champion", scratch / "copy").is_dir()
    shutil.rmtree(scratch / "copy")
    assert registry.fsck(deep=True).ok
    assert registry.verify_audit().ok
    assert registry.gc().versions == ()


def test_F6_who_may_not_write_may_read_and_is_told_so(order: Order, past: Path, room: Path) -> None:
    """The files belong to root; the worker is nobody."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become nobody, with setpriv")
    for place in (room.parent, room, past, *past.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)
    outcome = finish(
        start(order("visit", past), prefix=["setpriv", "--reuid", "65534", "--clear-groups", "--"])
    )
    assert outcome.survived, outcome.errors
    assert [line["refused"] for line in outcome.said if "refused" in line] == ["storage"]
    assert sound(past, ()) == []
