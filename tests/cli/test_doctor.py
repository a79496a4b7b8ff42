"""Trouble is named before it bites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelyard.cli import diagnosis, session
from modelyard.cli.session import Session


def topics(ran: Any) -> dict[str, str]:
    return {line["topic"]: line["level"] for line in ran.json["lines"]}


def test_a_sound_registry_gets_a_line_for_every_question(fraud: Any) -> None:
    ran = fraud("doctor", "--json")
    assert set(topics(ran)) == {
        *("python", "sqlite", "folder", "file system", "rights", "space", "database", "clock", "packages")
    }
    assert topics(ran)["database"] == "ok"
    assert topics(ran)["rights"] == "ok"
    assert ran.json["ok"] is True
    assert "synchronous FULL" in fraud("doctor").out


def test_a_folder_that_anybody_may_write_fails(fraud: Any, place: Path) -> None:
    (place / "model_registry").chmod(0o777)
    ran = fraud("doctor", "--json", code=7)
    assert topics(ran)["rights"] == "fail"
    assert "chmod o-w" in fraud("doctor", code=7).out


def test_a_parent_that_anybody_may_write_fails(fraud: Any, place: Path) -> None:
    place.chmod(0o777)
    assert topics(fraud("doctor", "--json", code=7))["rights"] == "fail"


def test_without_a_registry_it_says_so_and_makes_none(cli: Any, place: Path) -> None:
    assert topics(cli("doctor", "--json"))["folder"] == "warn"
    assert list(place.iterdir()) == []


def test_a_broken_database_is_a_line_and_no_crash(fraud: Any, place: Path) -> None:
    for name in ("registry.db-wal", "registry.db-shm"):
        (place / "model_registry" / name).unlink(missing_ok=True)
    (place / "model_registry" / "registry.db").write_bytes(b"no database at all" * 500)
    ran = fraud("doctor", "--json", code=7)
    assert topics(ran)["database"] == "fail"
    assert topics(ran)["packages"] == "ok"


@pytest.mark.parametrize(
    ("kind", "level"),
    [("ext4", "ok"), ("nfs4", "warn"), ("cifs", "warn"), ("fuse.sshfs", "warn"), ("tmpfs", "warn")],
)
def test_the_file_system_is_found_by_the_longest_mount_point(
    kind: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime - xfs /dev/sda1 rw\n"
        f"40 22 0:50 / {tmp_path} rw shared:1 - {kind} server:/x rw\n"
        f"41 22 0:51 / {tmp_path}else rw - btrfs /dev/sdb rw\n"
    )
    assert diagnosis.file_system(tmp_path / "registry", mounts) == kind
    original = diagnosis.file_system
    monkeypatch.setattr(diagnosis, "file_system", lambda path, _: original(path, mounts))
    (line,) = diagnosis._file_system(Session(location=str(tmp_path / "registry")))
    assert line.level == level


def test_the_database_has_the_name_that_the_registry_gives_it() -> None:
    from modelyard import wiring

    assert session.DATABASE == wiring.DATABASE
