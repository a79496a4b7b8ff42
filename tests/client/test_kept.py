"""Raw files that ``load_model`` hands out: kept in the user's cache, verified each time, never multiplied."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard import ModelRegistry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rules.txt").write_text("if amount > 1000: look")
    found = ModelRegistry(tmp_path / "registry")
    found.register_model(tmp_path / "rules.txt", "rules")
    return found


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "modelyard" / "files").iterdir())


def test_loading_raw_files_again_hands_out_the_same_copy(registry: ModelRegistry, tmp_path: Path) -> None:
    first = registry.load_model("rules")
    assert first.read_text() == "if amount > 1000: look"
    assert registry.load_model("rules") == first
    assert len(copies(tmp_path)) == 1


def test_a_changed_copy_is_left_alone_and_a_good_one_is_made(registry: ModelRegistry, tmp_path: Path) -> None:
    first = registry.load_model("rules")
    first.write_text("if amount > 9999: look")
    second = registry.load_model("rules")
    assert second != first
    assert second.read_text() == "if amount > 1000: look"
    assert first.read_text() == "if amount > 9999: look"


def test_a_file_added_to_a_copy_makes_it_another_thing(registry: ModelRegistry, tmp_path: Path) -> None:
    first = registry.load_model("rules")
    (first.parent / "more.txt").write_text("x")
    assert registry.load_model("rules").parent != first.parent
