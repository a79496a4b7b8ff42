"""``modelyard migrate``, and registries named by the address of a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.adapters.metadata.sql import SqlMetadata
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


@pytest.mark.long
def test_killed_again_and_again_it_comes_to_its_end(fraud: Cli, place: Path) -> None:
    """SIGKILL whenever the target has grown by some more events; the last run is let alone."""
    with ModelRegistry("model_registry") as registry:
        for number in range(600):
            registry.register_model(None, f"m{number % 40}", performance_metrics={"accuracy": number / 600})
    wanted = fraud("audit", "verify", "--json").json
    command = [sys.executable, "-m", "modelyard", "migrate", "--from", "model_registry", "--to", "there"]
    target, kills = place / "there" / "registry.db", 0
    for size in (1, 100_000, 400_000, 900_000, 1_300_000):
        process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            written = sum(p.stat().st_size for p in (target, Path(f"{target}-wal")) if p.exists())
            if written >= size:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.wait()
    assert kills >= 2
    fraud("migrate", "--from", "model_registry", "--to", "there", "--deep")
    assert fraud("audit", "verify", "--json", *THERE).json == wanted
    fraud("fsck", "--deep", *THERE)
