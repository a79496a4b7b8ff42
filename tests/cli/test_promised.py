"""Command lines that people already type, word for word after the program's name."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def model_id(cli: Any, model: Path) -> str:
    """``fraud_detector 1.0.0`` in staging."""
    ran = cli(
        *("register", "--model-path", "./model.joblib", "--name", "fraud_detector", "--version", "1.0.0"),
        *("--stage", "development", "--description", "Model for detecting fraudulent transactions"),
        *("--metrics", '{"accuracy": 0.92, "f1_score": 0.89}', "--json"),
    )
    cli("promote", ran.json["model_id"], "--target-stage", "staging")
    return str(ran.json["model_id"])


def test_register_with_every_flag_of_the_guide(cli: Any, model: Path) -> None:
    ran = cli(
        *("register", "--model-path", "./model.joblib", "--name", "fraud_detector", "--version", "1.0.0"),
        *("--stage", "development", "--description", "Model for detecting fraudulent transactions"),
        *("--metrics", '{"accuracy": 0.92, "f1_score": 0.89}'),
    )
    assert ran.out.startswith("registered fraud_detector:1.0.0 (#1) in development, id ")
    version = cli("info", "fraud_detector", "--json").json
    assert version["performance_metrics"] == {"accuracy": 0.92, "f1_score": 0.89}
    assert version["description"] == "Model for detecting fraudulent transactions"


def test_list_and_list_by_stage_and_search(cli: Any, model_id: str) -> None:
    assert "fraud_detector" in cli("list").out
    assert "Nothing matches." in cli("list", "--stage", "production").out
    assert "fraud_detector" in cli("list", "--stage", "staging").out
    assert "fraud_detector" in cli("search", "fraud").out


def test_export_to_a_file(cli: Any, model_id: str, place: Path) -> None:
    cli("export", "./registry_export.json")
    assert model_id in (place / "registry_export.json").read_text()
    cli("export", f"backup_{date(2026, 3, 1):%Y%m%d}.json")
    assert (place / "backup_20260301.json").exists()


def test_promote_with_a_file_of_requirements(cli: Any, model_id: str, place: Path) -> None:
    (place / "requirements.json").write_text('{"min_accuracy": 0.9, "min_f1": 0.85}')
    cli("promote", model_id, "--target-stage", "production", "--requirements", "./requirements.json")
    assert cli("info", model_id, "--json").json["stage"] == "production"


def test_promote_is_refused_with_the_reasons(cli: Any, model_id: str, place: Path) -> None:
    (place / "requirements.json").write_text('{"min_accuracy": 0.99, "tests_passed": true}')
    words = ("promote", model_id, "--target-stage", "production", "--requirements", "./requirements.json")
    ran = cli(*words, code=4)
    assert "0.92" in ran.err
    assert "tests_passed" in ran.err
    assert cli("info", model_id, "--json").json["stage"] == "staging"


def test_compare_two(cli: Any, model_id: str) -> None:
    other = cli(
        *("register", "--model-path", "model.joblib", "--name", "other"),
        *("--metrics", '{"accuracy": 0.95, "f1_score": 0.93}', "--json"),
    ).json["model_id"]
    ran = cli("compare", model_id, other)
    assert "B is better: other:0.1.0" in ran.out
    assert "accuracy" in ran.out


def test_rollback_by_model_id(cli: Any, model_id: str) -> None:
    cli("promote", model_id, "--target-stage", "production")
    words = ("--model-path", "model.joblib", "--name", "fraud_detector", "--version", "1.1.0", "--quiet")
    newer = cli("register", *words).out.strip()
    cli("promote", newer, "--target-stage", "staging")
    cli("promote", newer, "--target-stage", "production")
    ran = cli("rollback", newer)
    assert "rolled back" in ran.out
    assert cli("info", "fraud_detector@production", "--json").json["model_id"] == model_id


def test_bulk_register(cli: Any, model: Path, place: Path) -> None:
    entries = [{"name": f"m{index}", "version": "1.0.0", "model_path": "model.joblib"} for index in range(3)]
    (place / "models_config.json").write_text(json.dumps(entries))
    ran = cli("bulk-register", "./models_config.json")
    assert "3 entries: 3 registered" in ran.out


def test_stats_and_one_look_of_monitor(cli: Any, model_id: str) -> None:
    assert "1 model, 1 version" in cli("stats").out
    assert "1 staging" in cli("monitor", "--interval", "30", "--once").out


def test_save_load_list_info_compare_delete(cli: Any, model: Path, place: Path) -> None:
    model.rename(place / "model.pkl")
    metadata = {"accuracy": 0.95, "training_samples": 100, "features": ["a", "b"], "tuned": True}
    (place / "metadata.json").write_text(json.dumps(metadata))
    name = ("--model-name", "my_model", "--version", "1.0.0")

    cli("save", *name, "--model-file", "model.pkl", "--metadata", "metadata.json")
    version = cli("info", *name, "--json").json
    assert version["performance_metrics"] == {"accuracy": 0.95, "training_samples": 100}
    assert version["attributes"]["features"] == ["a", "b"]
    assert version["attributes"]["tuned"] is True

    cli("load", *name, "--output", "loaded_model.pkl")
    digests = {
        hashlib.sha256((place / file).read_bytes()).hexdigest() for file in ("model.pkl", "loaded_model.pkl")
    }
    assert len(digests) == 1

    assert "my_model" in cli("list").out
    assert "my_model 1.0.0" in cli("info", *name).out
    table = cli("compare", "--model-name", "my_model").out
    assert "accuracy" in table
    assert "0.95" in table
    assert "deleted my_model:1.0.0" in cli("delete", *name).out
    cli("info", *name, code=3)
