"""Warnings that are recorded with a version reach whoever registers it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from modelyard import GateRefused, ModelRegistry, ModelyardWarning, Protected
from modelyard.compat.managers import ModelVersionManager


@pytest.fixture
def registry(tmp_path: Path) -> Any:
    with ModelRegistry(tmp_path / "registry") as registry:
        registry.register_model(None, "p", "1.0.0", lineage=[("dataset", "d1")])
        yield registry


def test_whoever_registers_what_is_made_of_something_withdrawn_is_warned(registry: ModelRegistry) -> None:
    registry.withdraw("p:1.0.0", "it leaks")
    with pytest.warns(ModelyardWarning, match="q:1.0.0: parent p:1.0.0 was withdrawn: it leaks") as caught:
        model_id = registry.register_model(None, "q", "1.0.0", parent="p:1.0.0")
    assert [warning.filename for warning in caught] == [__file__]
    assert registry.get_model(model_id).warnings == ("parent p:1.0.0 was withdrawn: it leaks",)


def test_whoever_copies_what_was_withdrawn_is_warned_too(registry: ModelRegistry) -> None:
    registry.withdraw("d1", "consent expired", kind="dataset")
    said = "p:1.1.0: dataset d1 was withdrawn: consent expired"
    with pytest.warns(ModelyardWarning, match=said) as caught:
        registry.copy_version("p:1.0.0", "1.1.0")
    assert [warning.filename for warning in caught] == [__file__]


def test_a_label_that_is_too_small_a_step_is_warned_of(registry: ModelRegistry) -> None:
    registry.register_model(None, "s", "1.0.0", input_example={"a": [1.0]})
    with pytest.warns(ModelyardWarning, match="s:1.0.1: .*patch step"):
        registry.register_model(None, "s", "1.0.1", input_example={"b": [1.0]})


def test_without_anything_to_see_nothing_is_said(registry: ModelRegistry) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.register_model(None, "q", "1.0.0", parent="p:1.0.0")


def test_a_copy_of_what_was_withdrawn_reaches_neither_production_nor_an_alias(
    registry: ModelRegistry,
) -> None:
    registry.withdraw("p:1.0.0", "it leaks")
    with pytest.raises(GateRefused, match="may not go to production"):
        registry.copy_version("p:1.0.0", "2.0.0", stage="production")
    with pytest.raises(Protected, match="cannot be given alias 'champion'"):
        registry.copy_version("p:1.0.0", "2.0.0", alias="champion")
    assert [version.version for version in registry.list_models(name="p")] == ["1.0.0"]
    with pytest.warns(ModelyardWarning):
        copy = registry.copy_version("p:1.0.0", "2.0.0")
    with pytest.raises(GateRefused):
        registry.promote_model(copy, "production")
    assert registry.promote_model(copy, "production", force=True, reason="the last one standing").moved


def test_a_facade_opens_no_side_door(registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.withdraw("p:1.0.0", "it leaks")
    monkeypatch.setenv("MODELYARD_URL", registry.location)
    with ModelVersionManager() as manager:
        for stage in ("production", "Production"):
            with pytest.raises(ValueError, match="withdrawn: it leaks"):
                manager.promote_version("p", "1.0.0", stage)  # type: ignore[arg-type]
