"""What works while the server is away, and what must not."""

from __future__ import annotations

import io

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import ModelyardWarning, Unreachable
from modelyard.remote import patience, transport


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)


@pytest.fixture
def registry(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    with ModelRegistry(server.url, token="ann") as registry:
        registry.register_model(io.BytesIO(b"weights"), "fraud", "1.0.0", alias="champion")
        yield registry


def test_what_was_loaded_loads_again_without_the_server_by_its_fixed_names(server, registry, tmp_path):
    version = registry.get_model("fraud@champion")
    registry.download("fraud@champion", tmp_path / "first")
    server.stop()
    try:
        for number, ref in enumerate((version.model_id, "fraud#1", "FRAUD#1")):
            with pytest.warns(ModelyardWarning, match="as it was last seen"):
                path = registry.download(ref, tmp_path / f"copy{number}")
            assert (path / "model.bin").read_bytes() == b"weights"
        with ModelRegistry(server.url, token="ann") as another, pytest.warns(ModelyardWarning):
            assert another.get_model("fraud#1").model_id == version.model_id
    finally:
        server.start()


@pytest.mark.parametrize(
    "ref", ["fraud", "fraud:1.0.0", "fraud:^1", "fraud@champion", "fraud@production", "fraud#2"]
)
def test_a_name_that_could_have_moved_is_never_answered_from_here(server, registry, tmp_path, ref):
    registry.download("fraud@champion", tmp_path / "first")
    server.stop()
    try:
        with pytest.raises(Unreachable):
            registry.get_model(ref)
    finally:
        server.start()


def test_bytes_that_were_never_here_need_the_server(server, registry, tmp_path):
    registry.get_model("fraud#1")
    server.stop()
    try:
        with pytest.warns(ModelyardWarning), pytest.raises(Unreachable):
            registry.download("fraud#1", tmp_path / "copy")
    finally:
        server.start()


def test_records_that_were_damaged_on_this_side_are_not_answered(server, registry, tmp_path):
    registry.get_model("fraud#1")
    for record in (tmp_path / "cache" / "notes" / "versions").iterdir():
        record.write_text("{}")
    server.stop()
    try:
        with pytest.raises(Unreachable):
            registry.get_model("fraud#1")
    finally:
        server.start()


def test_a_registry_that_cannot_write_its_cache_still_answers(server, registry, tmp_path):
    notes = tmp_path / "cache" / "notes"
    notes.mkdir(parents=True, exist_ok=True)
    for name in ("versions",):
        for record in (notes / name).glob("*"):
            record.unlink()
        if (notes / name).exists():
            (notes / name).rmdir()
        (notes / name).write_text("a file where a folder should be")
    assert registry.get_model("fraud#1").number == 1
