"""The same files as another version: under another label, or another model's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelyard import AlreadyExists, GateRefused, ModelRegistry, VersionNotFound
from modelyard.client import copies


@pytest.fixture
def source(registry: ModelRegistry, tmp_path: Path) -> str:
    """A version with everything that comes along, and some that does not."""
    (tmp_path / "weights.bin").write_bytes(b"weights")
    (tmp_path / "plot.png").write_bytes(b"plot")
    model_id = registry.register_model(
        tmp_path / "weights.bin",
        "fraud",
        "1.0.0",
        description="finds fraud",
        performance_metrics={"accuracy": {"value": 0.9, "n": 100, "split": "test"}},
        hyperparams={"depth": 3},
        tags={"team": "risk"},
        attributes={"note": [1, 2]},
        data_lineage={"dataset": "d1"},
        input_example={"a": [1.0]},
        artifacts={"plot.png": tmp_path / "plot.png"},
        card={"owner": "ann"},
        alias="champion",
    )
    registry.record_check(model_id, "tests_passed")
    return model_id


def test_content_and_what_is_said_come_along(registry: ModelRegistry, source: str) -> None:
    old = registry.get_model(source)
    new = registry.get_model(registry.copy_version(source, "1.0.0-rc", attributes={"why": "trial"}))
    for fact in (
        "files",
        "flavor",
        "hyperparams",
        "signature",
        "data_lineage",
        "tags",
        "card",
        "description",
    ):
        assert getattr(new, fact) == getattr(old, fact), fact
    assert new.content_digest == old.content_digest
    assert new.attributes == {"note": [1, 2], "why": "trial"}
    [metric] = new.metrics
    assert (metric.name, metric.value, metric.n, metric.split) == ("accuracy", 0.9, 100, "test")
    assert registry.get_registry_stats()["stored_bytes"] == len(b"weights") + len(b"plot")


def test_what_was_decided_stays_behind(registry: ModelRegistry, source: str) -> None:
    new = registry.get_model(registry.copy_version(source))
    assert (new.version, new.number, new.aliases, new.checks) == ("1.0.1", 2, (), {})
    assert registry.get_model("fraud@champion").model_id == source


def test_the_copy_names_what_it_was_made_from(registry: ModelRegistry, source: str) -> None:
    copy = registry.get_model(registry.copy_version("fraud@champion", name="fraud-eu"))
    assert (copy.name, copy.version) == ("fraud-eu", "0.1.0")
    assert ("promoted_from", source) in {(edge.kind, edge.target) for edge in copy.lineage}


def test_a_repetition_gives_the_same_copy(registry: ModelRegistry, source: str) -> None:
    first = registry.copy_version(source, "2.0.0")
    assert registry.copy_version(source, "2.0.0") == first


def test_a_label_that_is_taken_is_refused(registry: ModelRegistry, source: str) -> None:
    registry.register_model(None, "fraud", "2.0.0")
    with pytest.raises(AlreadyExists):
        registry.copy_version(source, "2.0.0")
    with pytest.raises(AlreadyExists, match="promoted_from"):
        registry.copy_version(source, "1.0.0")


def test_a_stage_is_entered_through_its_gates(registry: ModelRegistry, source: str) -> None:
    registry.set_policy("fraud", {"gates": {"staging": {"min_accuracy": 0.95}}})
    with pytest.raises(GateRefused):
        registry.copy_version(source, "2.0.0", stage="staging")
    with pytest.raises(VersionNotFound):
        registry.get_model("fraud:2.0.0")


def test_a_version_without_files_is_copied_too(registry: ModelRegistry) -> None:
    source = registry.register_model(None, "facts", performance_metrics={"auc": 0.5})
    copy = registry.get_model(registry.copy_version(source, alias="best"))
    assert (copy.files, copy.aliases) == ((), ("best",))
    assert copy.performance_metrics == {"auc": 0.5}


def test_a_metric_that_is_not_a_number_stays_behind(registry: ModelRegistry, source: str) -> None:
    """Stores hold such values from before they were refused."""
    old = registry.get_model(source)
    odd = replace(old.metrics[0], name="auc", value=float("nan"))
    assert [m["name"] for m in copies.request(replace(old, metrics=(*old.metrics, odd))).metrics] == [
        "accuracy"
    ]
