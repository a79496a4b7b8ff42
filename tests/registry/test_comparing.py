"""Comparing through the public class, as the documentation shows it."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard import InvalidInput, MissingDependency, ModelNotFound, ModelRegistry


@pytest.fixture
def results(tmp_path: Path) -> Any:
    """Writes a file of per-example results and says where it is."""

    def write(name: str, share: float, seed: int) -> Path:
        hard = random.Random(0)
        draw = random.Random(seed)
        rows = [
            {"example_id": i, "correct": hard.random() * 0.9 + draw.random() * 0.1 < share}
            for i in range(500)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return path

    return write


def test_attached_results_decide_what_bare_numbers_only_suggest(
    registry: ModelRegistry, results: Any
) -> None:
    old, new = (
        registry.register_model(
            None,
            "fraud",
            performance_metrics={"f1": f1},
            artifacts={"results/test.jsonl": results(name, share, seed)},
        )
        for name, share, seed, f1 in (("a", 0.8, 1, 0.70), ("b", 0.84, 2, 0.71))
    )
    found = registry.compare_models(old, new)
    tests = {metric.name: metric.test for metric in found.metrics}
    assert tests == {"accuracy[test]": "McNemar exact", "f1": ""}
    assert (found.winner, found.confidence_kind) == (new, "statistical")
    assert registry.compare_models(old, new, ["f1"]).confidence_kind == "heuristic"
    assert list(found.to_frame().index) == ["accuracy[test]", "f1"]


def test_without_scipy_the_comparison_is_a_heuristic_that_names_the_extra(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    a, b = (
        registry.register_model(None, "fraud", performance_metrics={"accuracy": {"value": value, "n": 1000}})
        for value in (0.8, 0.9)
    )
    found = registry.compare_models(a, b)
    assert (found.winner, found.confidence_kind) == (b, "heuristic")
    assert any("modelyard[stats]" in note for note in found.notes)


def test_all_versions_of_a_model_are_one_frame(registry: ModelRegistry) -> None:
    for label, accuracy, f1 in (("1.0.0", 0.9, 0.8), ("1.10.0", 0.92, 0.81), ("1.9.0", 0.91, None)):
        metrics = {"accuracy": accuracy} | ({"f1_score": f1} if f1 else {})
        registry.register_model(None, "my_model", label, performance_metrics=metrics)
    registry.register_model(None, "my_model_2", performance_metrics={"accuracy": 0.1})
    frame = registry.compare_versions("my_model")
    chosen = frame[["version", "accuracy", "f1_score", "created_at"]]
    assert list(chosen["version"]) == ["1.10.0", "1.9.0", "1.0.0"]
    assert list(chosen["accuracy"]) == [0.92, 0.91, 0.9]
    assert list(chosen["f1_score"].isna()) == [False, True, False]
    assert str(frame["created_at"].dtype).startswith("datetime64")
    assert list(registry.compare_versions("my_model", ["f1_score"]).columns[:4]) == [
        "version",
        "number",
        "stage",
        "f1_score",
    ]


def test_a_metric_that_is_called_like_a_fact_hides_nothing(registry: ModelRegistry) -> None:
    registry.register_model(None, "fraud", "1.0.0", performance_metrics={"version": 3.0, "size": 4.0})
    frame = registry.compare_versions("fraud")
    assert frame.loc[0, "version"] == "1.0.0"
    assert (frame.loc[0, "metrics.version"], frame.loc[0, "metrics.size"]) == (3.0, 4.0)


def test_the_frame_refuses_what_is_not_there(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register_model(None, "fraud", performance_metrics={"accuracy": 0.9})
    with pytest.raises(ModelNotFound):
        registry.compare_versions("nobody")
    with pytest.raises(InvalidInput, match="measured in no version"):
        registry.compare_versions("fraud", ["recall"])
    with pytest.raises(InvalidInput, match="metrics"):
        registry.compare_versions("fraud", "accuracy")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependency, match="compare_versions needs pandas"):
        registry.compare_versions("fraud")


def test_a_difference_names_params_files_and_card(registry: ModelRegistry, tmp_path: Path) -> None:
    ids = []
    for value in ("a", "b"):
        path = tmp_path / "model.bin"
        path.write_text(value)
        ids.append(registry.register_model(path, "fraud", hyperparams={"C": value}, card={"owner": value}))
    found = registry.diff(*ids)
    assert found.params == {"C": {"a": "a", "b": "b"}}
    assert found.card == {"owner": {"a": "a", "b": "b"}}
    assert list(found.files) == ["model.bin"]
    assert registry.diff(ids[0], ids[0]).empty
