"""``modelyard migrate``, and registries named by the address of a database."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.adapters.metadata.statements_sqlite import SCHEMA_VERSION
from modelyard.cli import exits
from modelyard.ports.metadata import RegistryKey

from .conftest import Cli

THERE = ("--registry", "./there")


def listed(cli: Cli, *where: str) -> list[dict[str, Any]]:
    """All versions, without where their files are."""
    found = cli("list", "--json", *where).json["versions"]
    return [{name: value for name, value in each.items() if name != "artifact_path"} for each in found]


def test_a_registry_is_moved_and_the_new_place_is_used(fraud: Cli) -> None:
    ran = fraud("migrate", "--from", "model_registry", "--to", "there")
    assert "there is whole: 1 model, 3 versions" in ran.out
    assert "Now let everybody use" in ran.err
    assert listed(fraud, *THERE) == listed(fraud)
    assert fraud("history", "fraud", "--json", *THERE).out == fraud("history", "fraud", "--json").out
    assert fraud("audit", "verify", *THERE).out == fraud("audit", "verify").out
    fraud("fsck", "--deep", *THERE)


def test_a_dry_run_says_what_there_is_to_do_and_makes_nothing(fraud: Cli, place: Path) -> None:
    ran = fraud("migrate", "--from", "model_registry", "--to", "there", "--dry-run")
    assert "nothing was written" in ran.out
    assert not (place / "there").exists()
    told = fraud("migrate", "--from", "model_registry", "--to", "there", "--dry-run", "--json").json
    done = fraud("migrate", "--from", "model_registry", "--to", "there", "--deep", "--json").json
    assert (told["done"], done["done"]) == (False, True)
    assert told["missing"] == done["missing"] == sum(done["records"].values())
    assert told["copied"] == done["copied"]
    assert done["read_again"] == done["blobs"]
    again = fraud("migrate", "--from", "model_registry", "--to", "there", "--dry-run", "--json").json
    assert (again["missing"], again["copied"], again["target"]) == (0, 0, str(place / "there"))


def test_ended_migrations_may_be_ended_again(fraud: Cli) -> None:
    fraud("migrate", "--from", "model_registry", "--to", "there", "--quiet")
    again = fraud("migrate", "--from", "model_registry", "--to", "there", "--json").json
    assert (again["done"], again["resumed"], again["missing"]) == (True, True, 0)


def test_records_may_go_to_one_place_and_bytes_to_another(fraud: Cli, place: Path) -> None:
    to = f"sqlite:///{place}/records/all.db?storage={place}/bytes"
    ran = fraud("migrate", "--from", "model_registry", "--to", to)
    assert to in ran.out
    assert not (place / "bytes" / "registry.db").exists()
    assert (
        "no registry at"
        in fraud("status", "fraud", "--registry", to.replace("all.db", "none.db"), code=3).err.lower()
    )
    assert listed(fraud, "--registry", to) == listed(fraud)
    fraud("fsck", "--deep", "--registry", to)
    with ModelRegistry(f"sqlite:///{place}/records/all.db", storage="bytes") as registry:
        assert registry.verify_audit().ok
        assert repr(registry) == f"ModelRegistry({str(place / 'bytes')!r})"


def test_each_end_may_have_a_configuration_of_its_own(fraud: Cli, place: Path) -> None:
    (place / "there.yaml").write_text(f"database: {{type: sqlite, url: 'sqlite:///{place}/elsewhere.db'}}\n")
    fraud("migrate", "--from", "model_registry", "--to", "there", "--to-config", "there.yaml")
    assert (place / "elsewhere.db").exists()
    assert not (place / "there" / "registry.db").exists()
    assert listed(fraud, *THERE, "--config", "there.yaml") == listed(fraud)


def test_a_folder_is_a_folder_whatever_database_and_bucket_are_configured(
    fraud: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a configuration of its own takes an end elsewhere."""
    (place / "production.yaml").write_text(
        f"registry: {{path: {place}/production}}\n"
        f"database: {{type: sqlite, url: 'sqlite:///{place}/production.db'}}\n"
        "storage: {backend: s3, s3: {bucket: production}, buckets: ['risk/* -> s3://risk']}\n"
    )
    monkeypatch.setenv("MODELYARD_URL", f"sqlite:///{place}/session.db?storage=session")
    configured = ("--config", "production.yaml")
    fraud(*configured, "migrate", "--from", "model_registry", "--to", "there")
    file = f"sqlite:///{place}/file/registry.db"
    fraud(*configured, "--registry", "elsewhere", "migrate", "--from", "there", "--to", file)
    (place / "own.yaml").write_text("versioning: {enforce: refuse}\n")
    monkeypatch.setenv("MODELYARD_DATABASE_URL", f"sqlite:///{place}/environment.db")
    monkeypatch.setenv("MODELYARD_STORAGE_BACKEND", "s3")
    fraud("migrate", "--from", "there", "--to", "last", "--to-config", "own.yaml")
    for name in ("URL", "DATABASE_URL", "STORAGE_BACKEND"):
        monkeypatch.delenv(f"MODELYARD_{name}")
    fraud("fsck", "--deep", "--registry", "last")
    assert listed(fraud, *THERE) == listed(fraud, "--registry", "file") == listed(fraud)
    fraud("fsck", "--deep", "--registry", "file")
    assert not list(place.glob("production/*")) + list(place.glob("*.db")) + list(place.glob("elsewhere*"))


@pytest.mark.parametrize("further", [(), ("--dry-run",)])
def test_one_place_under_two_names_is_refused(fraud: Cli, place: Path, further: tuple[str, ...]) -> None:
    (place / "link").symlink_to("model_registry")
    (place / "same.yaml").write_text(
        f"database: {{type: sqlite, url: 'sqlite:///{place}/model_registry/registry.db'}}\n"
    )
    for target in (
        ("link",),
        ("model_registry/../link",),
        (f"sqlite:///{place}/link/registry.db?storage=there",),
        ("there", "--to-config", "same.yaml"),
    ):
        ran = fraud("migrate", "--from", "model_registry", "--to", *target, *further, code=exits.USAGE)
        assert "named twice" in ran.err
    assert not (place / "there").exists()


def test_a_registry_of_an_older_version_is_not_upgraded_by_being_moved_or_looked_at(
    fraud: Cli, place: Path
) -> None:
    def version(number: int) -> None:
        connection = driver().connect(str(place / "model_registry" / "registry.db"))
        connection.execute(f"PRAGMA user_version = {number}")
        connection.close()

    fraud("migrate", "--from", "model_registry", "--to", "there", "--quiet")
    version(1)
    before = (place / "model_registry" / "registry.db").read_bytes()
    for ends in (
        ("model_registry", "new"),
        ("model_registry", "new", "--dry-run"),
        ("there", "model_registry", "--dry-run"),
    ):
        ran = fraud("migrate", "--from", ends[0], "--to", *ends[1:], code=exits.USAGE)
        assert "open it once with this version first" in " ".join(ran.err.split())
    assert (place / "model_registry" / "registry.db").read_bytes() == before
    assert not (place / "new").exists()
    version(SCHEMA_VERSION)
    fraud("migrate", "--from", "model_registry", "--to", "new")


def test_one_server_under_two_users_is_refused(fraud: Cli) -> None:
    for one, other in (
        ("postgresql://a:geheim@127.0.0.1:1/d", "postgresql+psycopg://b@127.0.0.1:1/d"),
        ("mongodb://127.0.0.1:1/d", "mongodb://a:geheim@127.0.0.1:1/d"),
    ):
        ends = ("--from", f"{one}?storage=here", "--to", f"{other}?storage=there")
        assert "named twice" in fraud("migrate", *ends, code=exits.USAGE).err


@pytest.mark.parametrize(
    ("source", "target", "code", "says"),
    [
        ("nowhere", "there", exits.NOT_FOUND, "no registry at"),
        ("model_registry", "./model_registry", exits.USAGE, "named twice"),
        ("model_registry", "https://registry.example", exits.USAGE, "is a server"),
        ("memory://", "there", exits.USAGE, "ends with this process"),
        ("model_registry", "postgresql://u:geheim@h/d", exits.USAGE, "say where"),
        ("model_registry", "redis://u:geheim@h/d", exits.USAGE, "expected a folder"),
    ],
)
def test_what_cannot_be_moved_is_refused(
    fraud: Cli, place: Path, source: str, target: str, code: int, says: str
) -> None:
    for further in ((), ("--dry-run",)):
        ran = fraud("migrate", "--from", source, "--to", target, *further, code=code)
        assert says in ran.err
        assert "geheim" not in ran.err + ran.out
    assert not (place / "nowhere").exists()
    assert not (place / "there").exists()


def test_a_place_with_a_registry_of_its_own_is_left_alone(fraud: Cli, weights: Path) -> None:
    fraud("register", "--model-path", weights.name, "--name", "theirs", *THERE)
    before = fraud("history", "--json", *THERE).out
    for further in ((), ("--dry-run",)):
        ran = fraud("migrate", "--from", "model_registry", "--to", "there", *further, code=exits.CONFLICT)
        assert "of its own" in ran.err
    assert fraud("history", "--json", *THERE).out == before


def test_nobody_opens_a_registry_that_is_half_there(fraud: Cli, place: Path) -> None:
    """Cut short by an event of the source that its own store refuses to read."""
    source = SqlMetadata(place / "model_registry" / "registry.db")
    connection = source._connections.reading().__enter__()
    connection.execute("UPDATE events SET doc = doc || ' ' WHERE position = 3")
    source.close()
    fraud("migrate", "--from", "model_registry", "--to", "there", code=exits.INTEGRITY)
    for verb in (("list",), ("status", "fraud")):
        ran = fraud(*verb, *THERE, code=exits.REFUSED)
        assert "has not ended" in ran.err
        assert "model_registry" in ran.err


def test_a_registry_of_a_newer_format_is_not_opened(fraud: Cli, place: Path) -> None:
    from dataclasses import replace

    from modelyard.ports.metadata import Changes, Put

    store = SqlMetadata(place / "model_registry" / "registry.db")
    registry = store.get(RegistryKey())
    newer = replace(registry, format=2, revision=registry.revision + 1)
    store.commit(Changes(puts=(Put(record=newer, expected=registry.revision),)))
    store.close()
    assert "newer modelyard" in fraud("list", code=exits.USAGE).err


def test_hints_and_refusals_do_not_repeat_a_password(fraud: Cli) -> None:
    url = "postgresql://u:geheim@127.0.0.1:1/d?connect_timeout=1&storage=bytes"
    ran = fraud("list", "--registry", url, code=exits.STORAGE)
    assert "geheim" not in ran.out + ran.err


SIZES = (1, 100_000, 400_000, 900_000, 1_300_000)
"""Bytes that a target has at the next death."""


def killed(command: list[str], place: Path, size: int) -> bool:
    """Whether a run died when its target had grown to that; a quick one, or one looked at too late, ends by itself."""
    target = place / "there" / "registry.db"

    def written() -> int:
        return sum(p.stat().st_size for p in (target, Path(f"{target}-wal")) if p.exists())

    enough = max(size, written() + 1)
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if written() >= enough:
            process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    return process.returncode == -signal.SIGKILL


@pytest.mark.long
def test_killed_again_and_again_it_comes_to_its_end(fraud: Cli, place: Path) -> None:
    """SIGKILL whenever the target has grown by some more events; the last run is let alone."""
    with ModelRegistry("model_registry") as registry:
        for number in range(600):
            registry.register_model(None, f"m{number % 40}", performance_metrics={"accuracy": number / 600})
    wanted = fraud("audit", "verify", "--json").json
    command = [sys.executable, "-m", "modelyard", "migrate", "--from", "model_registry", "--to", "there"]
    while sum(killed(command, place, size) for size in SIZES) < 2:
        shutil.rmtree(place / "there")
    fraud("migrate", "--from", "model_registry", "--to", "there", "--deep")
    assert fraud("audit", "verify", "--json", *THERE).json == wanted
    fraud("fsck", "--deep", *THERE)
