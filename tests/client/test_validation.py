"""Validators are found as installed packages are: by entry points, here of a package made in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard import ModelRegistry, NotSupported

PLUGIN = """
def small(model, version):
    return len(model) < 10, {"length": len(model)}

def named(model, version):
    return version.name == "lists"

def broken(model, version):
    raise RuntimeError("the reference data is gone")
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *validators: str) -> None:
    """A package with these validators, as an installer would leave it."""
    (folder / "plugin_of_a_team.py").write_text(PLUGIN)
    info = folder / "plugin_of_a_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-a-team\nVersion: 1.0\n")
    lines = [f"{name} = plugin_of_a_team:{name}" for name in validators]
    (info / "entry_points.txt").write_text("\n".join(["[modelyard.validators]", *lines]))
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    found = ModelRegistry(tmp_path / "registry")
    found.register_model([1, 2, 3], "lists")
    return found


def test_a_validation_passes_when_every_validator_does(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "small", "named")
    check = registry.validate_model("lists").checks["validation"]
    assert check.passed
    assert check.evidence == {"small": {"passed": True, "evidence": {"length": 3}}, "named": {"passed": True}}
    promoted = registry.promote_model("lists", "staging", {"validation_required": True})
    assert promoted.moved


def test_a_validator_that_breaks_has_failed_and_says_why(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "named", "broken")
    check = registry.validate_model("lists").checks["validation"]
    assert not check.passed
    assert check.evidence["broken"] == {"passed": False, "error": "RuntimeError: the reference data is gone"}


def test_without_validators_nothing_is_recorded_and_the_way_is_told(registry: ModelRegistry) -> None:
    with pytest.raises(NotSupported, match=r"modelyard\.validators"):
        registry.validate_model("lists")
    assert registry.get_model("lists").checks == {}
