"""A registry with a past, made once, and what the workers register."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.settings import Settings

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def fast_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory if there is room: death and errors are injected above the disk, so its syncs only cost time."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < 2 << 30:
        yield tmp_path_factory.mktemp("faults")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="modelyard-faults-") as place:
        yield Path(place)


@pytest.fixture
def room(fast_disk: Path) -> Iterator[Path]:
    """A folder of the test's own; what a failed test leaves is copied nowhere, its message says enough."""
    with tempfile.TemporaryDirectory(dir=fast_disk) as place:
        yield Path(place)


@pytest.fixture(scope="session")
def workshop(fast_disk: Path) -> Path:
    """``inputs``: bytes to register; ``template``: a registry with a past; ``nothing`` is not there."""
    place = fast_disk / "workshop"
    chance = random.Random(7)
    new = place / "inputs" / "new"
    new.mkdir(parents=True)
    # One above and one below the size up to which bytes are hashed before the disk is touched.
    (new / "weights.bin").write_bytes(chance.randbytes(1_300_000))
    (new / "config.txt").write_bytes(b"layers: 3\n")
    _with_a_past(place / "template", place, chance)
    _bundle(place, chance)
    return place


def _with_a_past(root: Path, place: Path, chance: random.Random) -> None:
    """Two versions that were in production, one waiting, one deleted, and bytes whose registration never came."""
    shared, files = chance.randbytes(1_200_000), place / "past"
    with ModelRegistry(root, config=Settings()) as registry:
        for number, label in enumerate(("1.0.0", "1.1.0", "1.2.0", "1.3.0")):
            folder = files / label
            folder.mkdir(parents=True)
            (folder / "shared.bin").write_bytes(shared)
            (folder / "own.bin").write_bytes(chance.randbytes(3_000 + number))
            registry.register_model(
                folder,
                "fraud",
                label,
                performance_metrics={"accuracy": 0.9},
                tags={"team": "risk"},
                lineage=[("dataset", "s3://cards" if label != "1.3.0" else "s3://expired")],
            )
        registry.promote_model("fraud:1.0.0", "production")
        registry.promote_model("fraud:1.1.0", "production")
        registry.set_alias("fraud", "champion", "fraud:1.1.0")
        registry.withdraw("s3://expired", "consent expired", kind="dataset")
        registry.delete_model("fraud:1.3.0", reason="a mistake")
        registry._service.put_blob([b"an upload that nobody registered"])


def _bundle(place: Path, chance: random.Random) -> None:
    with ModelRegistry(place / "elsewhere", config=Settings()) as registry:
        for number in range(2):
            source = place / f"other-{number}.bin"
            source.write_bytes(chance.randbytes(2_000))
            registry.register_model(source, "other", alias="best")
        registry.export_registry(place / "inputs" / "bundle.tar")


@pytest.fixture(autouse=True)
def copies(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the verified copies that loading raw files hands out."""
    place = tmp_path_factory.mktemp("copies")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place


@pytest.fixture
def past(workshop: Path, room: Path) -> Path:
    """A private copy of the registry with a past."""
    return Path(shutil.copytree(workshop / "template", room / "registry"))


@pytest.fixture
def order(workshop: Path, room: Path) -> Callable[..., dict[str, Any]]:
    """Makes what a worker is told; inputs are private, because storms write theirs."""
    inputs = Path(shutil.copytree(workshop / "inputs", room / "inputs"))

    def make(plan: str, root: Path | None = None, **more: Any) -> dict[str, Any]:
        return {"root": str(root or room / "registry"), "inputs": str(inputs), "plan": plan, **more}

    return make


@pytest.fixture
def strace() -> None:
    """Skips where strace is not there or may not trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is missing: it injects failing and interrupted system calls")
    if subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False).returncode:
        pytest.skip("strace may not trace processes here")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that this needs")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting the small disk that this needs is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


Order = Callable[..., Mapping[str, Any]]
