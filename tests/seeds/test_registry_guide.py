"""The registry class, its two functions, the version tracker, every command and the configuration file."""

import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from modelyard import (
    GateRefused,
    ModelRegistry,
    ModelStage,
    Settings,
    VersionTracker,
    get_best_model,
    register_sklearn_model,
)
from modelyard.settings import load, rows

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model_id(registry, model):
    return registry.register_model(
        model=model,
        name="my_model",
        version="1.0.0",
        description="the first of them",
        performance_metrics={"accuracy": 0.85, "f1_score": 0.82},
    )


# --- registering and loading -----------------------------------------------------------------------------------------


def test_a_model_is_registered_and_its_id_is_text(registry, model_id):
    assert isinstance(model_id, str)
    metadata = registry.get_model(model_id)
    assert (metadata.name, metadata.version, metadata.description) == (
        "my_model",
        "1.0.0",
        "the first of them",
    )
    assert metadata.performance_metrics == {"accuracy": 0.85, "f1_score": 0.82}


def test_two_functions_need_no_registry_object(model):
    model_id = register_sklearn_model(
        model=model,
        name="sklearn_model",
        registry_path="./model_registry",
        description="by function",
        performance_metrics={"accuracy": 0.90},
    )
    worse = register_sklearn_model(model=model, name="sklearn_model", performance_metrics={"accuracy": 0.80})
    best = get_best_model(name="sklearn_model", metric="accuracy", registry_path="./model_registry")
    assert best == model_id != worse


def test_without_a_version_the_first_is_0_1_0(registry, model):
    assert registry.get_model(registry.register_model(model, name="model")).version == "0.1.0"


def test_tags_hyperparameters_and_data_lineage_are_kept(registry, model):
    tags = {"domain": "healthcare", "data_type": "images", "confidentiality": "phi"}
    data_lineage = {"dataset": "images_v2", "training_date": "2024-01-15", "preprocessing": "normalized"}
    model_id = registry.register_model(
        model,
        name="medical_diagnosis",
        description="reads images",
        tags=tags,
        hyperparams={"learning_rate": 0.001, "batch_size": 32},
        data_lineage=data_lineage,
    )
    metadata = registry.get_model(model_id)
    assert (metadata.tags, metadata.data_lineage) == (tags, data_lineage)
    assert metadata.hyperparams.items() >= {"learning_rate": 0.001, "batch_size": 32}.items()


def test_any_metric_may_be_recorded_and_updated(registry, model):
    given = {"accuracy": 0.92, "precision": 0.89, "recall": 0.94, "f1_score": 0.91, "custom_metric": 0.87}
    model_id = registry.register_model(model, name="my_model", performance_metrics=given)
    new_metrics = {"accuracy": 0.94, "f1_score": 0.93}
    registry.update_model_metrics(model_id, new_metrics)
    assert registry.get_model(model_id).performance_metrics == given | new_metrics


def test_a_loaded_model_predicts(registry, model_id, model, rows):
    loaded_model = registry.load_model(model_id)
    assert list(loaded_model.predict(rows)) == list(model.predict(rows))


def test_the_artifact_path_is_a_file(registry, model_id):
    metadata = registry.get_model(model_id)
    assert metadata.artifact_path
    assert os.path.getsize(metadata.artifact_path) == metadata.size


# --- stages ----------------------------------------------------------------------------------------------------------


def test_a_model_is_promoted_with_requirements(registry, model_id):
    registry.promote_model(model_id, ModelStage.STAGING, requirements={"min_accuracy": 0.80})
    assert registry.get_model(model_id).stage is ModelStage.STAGING
    registry.promote_model(
        model_id, ModelStage.PRODUCTION, requirements={"min_accuracy": 0.80, "min_f1": 0.75}
    )
    assert registry.get_latest_version("my_model", ModelStage.PRODUCTION) == model_id


@pytest.mark.parametrize(
    ("requirements", "missed"),
    [
        ({"min_accuracy": 0.80, "validation_required": True}, ["validation_required"]),
        (
            {
                "min_accuracy": 0.85,
                "min_f1": 0.80,
                "tests_passed": True,
                "documentation_complete": True,
            },
            ["tests_passed", "documentation_complete"],
        ),
        (
            {"min_accuracy": 0.90, "min_f1": 0.85, "min_precision": 0.88, "min_recall": 0.87},
            ["min_accuracy", "min_f1", "min_precision", "min_recall"],
        ),
    ],
)
def test_every_requirement_that_is_not_met_is_named(registry, model_id, requirements, missed):
    with pytest.raises(GateRefused) as refusal:
        registry.promote_model(model_id, ModelStage.PRODUCTION, requirements=requirements)
    assert [reason.partition(" ")[0] for reason in refusal.value.reasons] == missed
    assert registry.get_model(model_id).stage is ModelStage.DEVELOPMENT


def test_what_was_recorded_satisfies_requirements(registry, model_id):
    registry.record_check(model_id, "validation")
    registry.record_check(model_id, "tests_passed")
    fields = ("description", "intended_use", "training_data", "metrics", "owner")
    registry.update_card(model_id, dict.fromkeys(fields, "written"))
    registry.promote_model(
        model_id,
        ModelStage.PRODUCTION,
        requirements={"validation_required": True, "tests_passed": True, "documentation_complete": True},
    )
    assert registry.get_model(model_id).stage is ModelStage.PRODUCTION


def test_a_rollback_brings_an_earlier_version_back(registry, model, model_id):
    registry.update_model_stage(model_id, ModelStage.PRODUCTION)
    second = registry.register_model(model, name="my_model", version="1.1.0")
    registry.promote_model(second, ModelStage.PRODUCTION)
    registry.rollback_model(second, "1.0.0")
    assert registry.get_model("my_model@production").model_id == model_id


def test_models_are_archived_and_deleted(registry, model_id, model):
    registry.archive_model(model_id)
    assert registry.get_model(model_id).stage is ModelStage.ARCHIVED
    registry.delete_model(model_id, force=True)
    with pytest.raises(LookupError):
        registry.get_model(model_id)


# --- comparing and looking -------------------------------------------------------------------------------------------


@pytest.fixture
def pair(registry, model):
    """Two models of which the second is better."""
    return [
        registry.register_model(
            model, name=name, performance_metrics={"accuracy": accuracy, "f1_score": accuracy}
        )
        for name, accuracy in (("model_a", 0.80), ("model_b", 0.90))
    ]


def test_two_models_are_compared(registry, pair):
    id1, id2 = pair
    comparison = registry.compare_models(id1, id2)
    assert comparison.winner == id2
    assert 0.5 < float(f"{comparison.confidence_score:.3f}") <= 1.0
    comparison = registry.compare_models(id1, id2, metrics_to_compare=["accuracy", "f1_score"])
    assert [metric.name for metric in comparison.metrics] == ["accuracy", "f1_score"]


def test_two_models_without_metrics_are_compared_without_a_winner(registry, model):
    id1, id2 = (registry.register_model(model, name=name) for name in ("model_a", "model_b"))
    assert registry.compare_models(id1, id2).winner is None
    comparison = registry.compare_models(id1, id2, metrics_to_compare=["accuracy", "f1_score"])
    assert (comparison.winner, f"{comparison.confidence_score:.3f}") == (None, "0.500")


def test_the_winner_of_two_is_promoted(registry, pair):
    model_a_id = registry.get_latest_version("model_a")
    model_b_id = registry.get_latest_version("model_b")
    comparison = registry.compare_models(model_a_id, model_b_id)
    assert comparison.winner == model_b_id == pair[1]
    registry.promote_model(model_b_id, ModelStage.PRODUCTION)
    assert registry.get_model("model_b@production").model_id == model_b_id


def test_a_lineage_runs_from_the_first_ancestor(registry, model):
    model_id = None
    for accuracy in (0.7, 0.8, 0.9):
        model_id = registry.register_model(
            model, name="my_model", performance_metrics={"accuracy": accuracy}, parent=model_id
        )
    lineage = registry.get_model_lineage(model_id)
    assert [entry.version for entry in lineage] == ["0.1.0", "0.1.1", "0.1.2"]
    for prev_model in lineage[:-1]:
        assert registry.compare_models(prev_model.model_id, model_id).winner == model_id


def test_models_are_listed_searched_and_counted(registry, model_id, pair):
    models = registry.list_models(limit=10)
    assert [f"{m.name} v{m.version} - {m.stage.value}" for m in models] == [
        "model_b v0.1.0 - development",
        "model_a v0.1.0 - development",
        "my_model v1.0.0 - development",
    ]
    assert [m.model_id for m in registry.list_models(stage=ModelStage.DEVELOPMENT, name="my_model")] == [
        model_id
    ]
    assert [m.name for m in registry.search_models("first")] == ["my_model"]
    assert registry.get_registry_stats()["total_models"] == 3


def test_the_registry_is_exported(registry, model_id, place):
    registry.export_registry("./registry_export.json")
    assert model_id in (place / "registry_export.json").read_text("utf-8")


def test_the_database_can_be_looked_into_and_not_written(registry, model_id):
    with registry._get_db_connection() as conn:
        tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables
        with pytest.raises(Exception, match="readonly"):
            conn.execute("CREATE TABLE planted (x)")


def test_a_debug_log_says_what_is_done(registry, model, caplog):
    with caplog.at_level(logging.DEBUG, logger="modelyard"):
        registry.register_model(model, name="my_model")
    assert "my_model" in caplog.text


def test_a_folder_that_others_may_enter_still_works(registry, model, place):
    (place / "model_registry").chmod(0o755)
    registry.register_model(model, name="my_model")
    assert stat.S_IMODE((place / "model_registry").stat().st_mode) == 0o755


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def file(model, place):
    """``model.joblib`` here."""
    import joblib

    joblib.dump(model, place / "model.joblib")
    return place / "model.joblib"


@pytest.fixture
def detector(run, file):
    """``model_id`` of ``fraud_detector`` 1.0.0, in staging."""
    found = run(
        "register --model-path ./model.joblib --name fraud_detector --version 1.0.0 --stage development "
        "--description 'Finds fraud' --json",
        metrics={"accuracy": 0.92, "f1_score": 0.89},
    ).json
    run(f"promote {found['model_id']} --target-stage staging")
    return found["model_id"]


def test_register_takes_every_flag(run, detector):
    version = run(f"info {detector} --json").json
    expected = {"name": "fraud_detector", "version": "1.0.0", "description": "Finds fraud"}
    assert expected.items() <= version.items()
    assert version["performance_metrics"] == {"accuracy": 0.92, "f1_score": 0.89}


def test_list_shows_everything_or_a_stage(run, detector):
    assert "fraud_detector" in run("list").out
    assert "fraud_detector" not in run("list --stage production").out
    assert "fraud_detector" in run("list --stage staging").out


def test_search_finds_a_word(run, detector):
    assert "fraud_detector" in run('search "fraud"').out
    assert "fraud_detector" not in run('search "weather"').out


def test_export_writes_the_named_file(run, detector, place):
    run("export ./registry_export.json")
    run(f"export backup_{date(2026, 3, 1):%Y%m%d}.json")
    for name in ("registry_export.json", "backup_20260301.json"):
        assert detector in (place / name).read_text("utf-8")


def test_promote_reads_requirements_from_a_file(run, detector, place):
    requirements = place / "requirements.json"
    requirements.write_text(json.dumps({"min_accuracy": 0.99}))
    line = f"promote {detector} --target-stage production --requirements ./requirements.json"
    assert "min_accuracy" in run(line, code=4).err
    requirements.write_text(json.dumps({"min_accuracy": 0.9, "min_f1": 0.85}))
    run(line)
    assert run(f"info {detector} --json").json["stage"] == "production"


def test_compare_names_the_better_one(run, detector):
    other = run("register --model-path model.joblib --name other --json", metrics={"accuracy": 0.95}).json
    assert "other" in run(f"compare {detector} {other['model_id']}").out


def test_rollback_needs_no_more_than_an_id(run, detector, file):
    run(f"promote {detector} --target-stage production")
    newer = run("register --model-path model.joblib --name fraud_detector --version 1.1.0 --json").json[
        "model_id"
    ]
    run(f"promote {newer} --target-stage production")
    run(f"rollback {newer}")
    assert run("info fraud_detector@production --json").json["model_id"] == detector


def test_bulk_register_reads_a_file_of_models(run, file, place):
    entries = [{"name": f"m{n}", "version": "1.0.0", "model_path": "model.joblib"} for n in range(3)]
    (place / "models_config.json").write_text(json.dumps(entries))
    run("bulk-register ./models_config.json")
    with ModelRegistry("./model_registry") as registry:
        assert registry.list_names() == ["m0", "m1", "m2"]


def test_stats_count_models(run, detector):
    assert run("stats --json").json["total_models"] == 1


def test_monitor_looks_until_it_is_stopped(run, detector, place):
    words = [sys.executable, "-m", "modelyard", "monitor", "--interval", "1"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, text=True) as watching:
        seen = ""
        while "1 staging" not in seen:
            line = watching.stdout.readline()
            assert line, f"monitor ended: {seen}"
            seen += line
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
        assert watching.wait(20) in (0, 130)


@pytest.mark.parametrize("interval", [30, 60])
def test_monitor_takes_an_interval(run, detector, interval):
    assert "1 staging" in run(f"monitor --interval {interval} --once").out


# --- the configuration -----------------------------------------------------------------------------------------------

CONFIG = """\
registry:
  path: "./my_registry"
  default_stage: "testing"

storage:
  backend: "local"
  local:
    compression: true

versioning:
  strategy: "semantic"
  git:
    enabled: true

mlflow:
  enabled: true
  tracking_uri: "sqlite:///mlflow.db"

wandb:
  enabled: true
  project: "my-ml-registry"
"""


@pytest.fixture
def config(place):
    path = place / "configs" / "registry_config.yaml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    return path


def test_the_configuration_file_is_found_and_obeyed(config, place, model):
    with ModelRegistry() as registry:
        metadata = registry.get_model(registry.register_model(model, name="my_model"))
        assert metadata.stage is ModelStage.TESTING
        assert metadata.flavor.options["compress"] == 3
    assert (place / "my_registry").is_dir()
    assert not (place / "mlflow.db").exists()


def test_every_key_of_the_configuration_is_known(config):
    settings = load()
    told = {row.key: row.value for row in rows(settings) if row.source.startswith("configs/")}
    assert told == {
        "registry.path": "./my_registry",
        "registry.default_stage": "testing",
        "storage.backend": "local",
        "storage.local.compression": True,
        "versioning.strategy": "semantic",
        "versioning.git.enabled": True,
        "mlflow.enabled": True,
        "mlflow.tracking_uri": "sqlite:///mlflow.db",
        "wandb.enabled": True,
        "wandb.project": "my-ml-registry",
    }


def test_mirrors_that_cannot_run_are_said_once_and_stop_nothing(config, model, caplog):
    with ModelRegistry() as registry:
        registry.register_model(model, name="mlflow_model", version="1.0.0")
        registry.register_model(model, name="wandb_model", version="1.0.0")
        assert registry.list_names() == ["mlflow_model", "wandb_model"]
    assert "mlflow.enabled" in caplog.text


def test_the_complete_configuration_can_be_copied_and_edited(place, run):
    shutil.copy(ROOT / "configs" / "registry_config.yaml", place / "my_registry_config.yaml")
    edited = place / "my_registry_config.yaml"
    edited.write_text(edited.read_text("utf-8").replace('"./model_registry"', '"./mine"'))
    changed = [row.key for row in rows(load(edited)) if row.value != default_of(row.key)]
    assert changed == ["registry.path"]
    assert "registry.path" in run("--config my_registry_config.yaml config show").out


def default_of(key):
    return next(row.value for row in rows(Settings()) if row.key == key)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_every_kind_of_database_can_be_named(place, kind):
    (place / "my.yaml").write_text(f"database:\n  type: {kind}\n")
    assert load("my.yaml").database.type == kind


@pytest.mark.parametrize("backend", ["local", "s3", "gcs", "azure"])
def test_every_kind_of_storage_can_be_named(place, backend):
    (place / "my.yaml").write_text(f"storage:\n  backend: {backend}\n")
    assert load("my.yaml").storage.backend == backend


@pytest.mark.parametrize("section", ["security", "notification", "monitoring"])
def test_every_other_section_is_known(section):
    assert any(row.key.startswith(f"{section}.") for row in rows(load()))


# --- versions --------------------------------------------------------------------------------------------------------


def test_versions_are_parsed_and_ordered():
    tracker = VersionTracker()
    v1 = tracker.parse_version("1.2.3")
    v2 = tracker.parse_version("1.2.4")
    assert v1 < v2
    assert tracker.compare_versions("1.9.0", "1.10.0") < 0
    assert tracker.compare_versions("1.9.0", "1.9.0") == 0
    assert tracker.sort_versions(["1.10.0", "1.9.0", "1.2.0"]) == ["1.2.0", "1.9.0", "1.10.0"]


@pytest.mark.parametrize(("step", "expected"), [("patch", "1.2.4"), ("minor", "1.3.0"), ("major", "2.0.0")])
def test_versions_are_raised(step, expected):
    assert VersionTracker().increment_version("1.2.3", step) == expected


def test_the_next_version_is_made_from_the_work_tree(git):
    git("tag", "v1.2.3")
    version = VersionTracker().generate_version_from_git("patch")
    commit = git("rev-parse", "HEAD")
    base, _, build = version.partition("+")
    assert base == "1.2.4"
    assert build.endswith(".dev")
    assert commit.startswith(build.removesuffix(".dev"))


def test_a_version_is_tagged_and_pushed(git, tmp_path):
    git("init", "--bare", str(tmp_path / "remote.git"))
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    VersionTracker().create_version_tag("model-v1.2.3", push=True)
    assert git("tag", "--list") == "model-v1.2.3"
    assert "refs/tags/model-v1.2.3" in git("ls-remote", "origin")


# --- what a developer types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["demo", "test", "test-long", "bench"])
def test_tests_and_the_example_are_run_by_make(target):
    assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")
