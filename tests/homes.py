"""A registry in a fresh folder, away from the user's own configuration, keys and cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from modelyard import ModelRegistry

RAM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the user's is read or written, and the working directory is the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("MODELYARD_URL", "MODELYARD_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: what is tried here are rules and locks, not the disk."""
    with TemporaryDirectory(prefix="modelyard-", dir=RAM if RAM.is_dir() else None) as name:
        yield Path(name) / "model_registry"


@pytest.fixture
def registry(folder: Path) -> Iterator[ModelRegistry]:
    with ModelRegistry(folder) as registry:
        yield registry
