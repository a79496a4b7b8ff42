"""Saving and loading estimators by name and version: the classes, the command lines, the configuration file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.compat.persistence import ModelMetadata, ModelPersistence, ModelPersistenceManager

numpy = pytest.importorskip("numpy")
linear = pytest.importorskip("sklearn.linear_model")

CONFIG = """\
logging:
  level: INFO
  file: logs/app.log

persistence:
  models_dir: models
  registry_path: null
  serialization_format: joblib
  compress: true
"""


@pytest.fixture
def regression():
    inputs = numpy.random.default_rng(7).normal(size=(100, 5))
    return linear.LinearRegression().fit(inputs, inputs.sum(axis=1))


@pytest.fixture
def persistence():
    with ModelPersistence(models_dir="models") as persistence:
        yield persistence


@pytest.fixture
def several(persistence, regression):
    """``my_model`` in three versions that text order would sort wrongly."""
    for version, accuracy in (("1.9.0", 0.93), ("1.10.0", 0.95), ("1.0.0", 0.90)):
        persistence.save(
            regression, "my_model", version, accuracy=accuracy, f1_score=accuracy - 0.03, dataset_version="v2"
        )
    return persistence


# --- the class -------------------------------------------------------------------------------------------------------


def test_a_model_is_saved_with_metadata_and_loaded(persistence, regression):
    model_path = persistence.save(
        regression,
        model_name="regression_model",
        version="1.0.0",
        accuracy=0.95,
        training_samples=100,
        features=["feature1", "feature2", "feature3"],
    )
    assert Path(model_path).is_file()
    assert Path(model_path).is_relative_to(Path("models").absolute())
    loaded_model = persistence.load("regression_model", "1.0.0")
    assert numpy.array_equal(loaded_model.coef_, regression.coef_)


def test_any_metadata_comes_back(persistence, regression):
    given = {
        "accuracy": 0.95,
        "f1_score": 0.92,
        "precision": 0.94,
        "recall": 0.91,
        "training_date": "2024-01-01",
        "dataset_version": "v2.1",
        "hyperparameters": {"n_estimators": 100, "max_depth": 10},
        "trained_at": datetime(2024, 1, 1, 12, tzinfo=UTC),
        "tuned": True,
    }
    persistence.save(regression, model_name="my_model", version="1.0.0", **given)
    model, metadata = persistence.load("my_model", version="1.0.0", return_metadata=True)
    assert type(model) is linear.LinearRegression
    assert (metadata.model_name, metadata.version) == ("my_model", "1.0.0")
    assert metadata.metadata["accuracy"] == 0.95
    assert datetime.fromisoformat(metadata.created_at).utcoffset() is not None
    told = {name: metadata.metadata[name] for name in given}
    assert told == given | {"trained_at": "2024-01-01T12:00:00+00:00"}


def test_numbers_are_metrics_that_a_gate_can_look_at(persistence, regression):
    persistence.save(regression, "my_model", "1.0.0", accuracy=0.95, training_samples=100)
    version = persistence.registry.get_model("my_model:1.0.0")
    assert version.performance_metrics == {"accuracy": 0.95, "training_samples": 100}
    persistence.registry.promote_model("my_model", "production", {"min_accuracy": 0.9})


def test_without_a_version_the_highest_release_is_loaded(several):
    _, metadata = several.load("my_model", return_metadata=True)
    assert metadata.version == "1.10.0"
    assert type(several.load("my_model")) is linear.LinearRegression


def test_models_and_versions_are_listed_by_meaning_not_by_spelling(several, regression):
    several.save(regression, "another", "1.0.0")
    assert several.list_models() == ["another", "my_model"]
    assert several.list_versions("my_model") == ["1.0.0", "1.9.0", "1.10.0"]
    assert several.list_versions("unknown") == []


def test_metadata_is_captured_from_the_model(several, regression):
    metadata = several.get_metadata("my_model", "1.0.0")
    assert metadata.model_type == "LinearRegression"
    assert metadata.metadata.get("model_params")["fit_intercept"] is True
    assert several.get_metadata("my_model", "9.9.9") is None
    assert several.get_metadata("unknown", "1.0.0") is None


def test_metadata_has_a_flat_json_form(several):
    document = several.get_metadata("my_model", "1.9.0").to_dict()
    assert json.loads(json.dumps(document)) == document
    expected = {"model_name": "my_model", "model_type": "LinearRegression", "version": "1.9.0"}
    assert expected.items() <= document.items()
    assert {"created_at", "updated_at", "model_params", "accuracy", "dataset_version"} <= document.keys()


def test_versions_are_compared_in_a_table(several):
    pytest.importorskip("pandas")
    comparison = several.compare_versions("my_model")
    table = comparison[["version", "accuracy", "f1_score", "created_at"]]
    assert list(table["version"]) == ["1.10.0", "1.9.0", "1.0.0"]
    assert list(table["accuracy"]) == [0.95, 0.93, 0.90]
    assert list(comparison["dataset_version"]) == ["v2"] * 3
    with pytest.raises(ValueError, match="unknown"):
        several.compare_versions("unknown")


@pytest.mark.parametrize(
    ("form", "compress", "file"),
    [
        ("pickle", True, "model.pkl.gz"),
        ("pickle", False, "model.pkl"),
        ("joblib", True, "model.joblib"),
        ("joblib", False, "model.joblib"),
    ],
)
def test_a_format_can_be_chosen_and_compressed(regression, form, compress, file):
    with ModelPersistence(models_dir="models", serialization_format=form, compress=compress) as persistence:
        persistence.save(regression, "my_model", "1.0.0")
        version = persistence.registry.get_model("my_model:1.0.0")
        assert (version.flavor.name, version.files[0].path) == (form, file)
        assert bool(version.flavor.options["compress"]) is compress
        assert numpy.array_equal(persistence.load("my_model").coef_, regression.coef_)


@pytest.mark.parametrize("label", ["1.0.0", "v1.2.3", "alpha-1", "production-v1"])
def test_a_version_may_be_called_much(persistence, regression, label):
    persistence.save(regression, "my_model", label)
    assert persistence.list_versions("my_model") == [label]
    assert persistence.get_metadata("my_model", label).version == label
    assert persistence.load("my_model").get_params() == regression.get_params()


def test_a_release_outranks_words(persistence, regression):
    for label in ("0.9.0", "production-v1", "alpha-1"):
        persistence.save(regression, "my_model", label)
    assert persistence.load("my_model", return_metadata=True)[1].version == "0.9.0"


def test_what_is_no_estimator_is_refused(persistence):
    with pytest.raises(ValueError, match="estimator"):
        persistence.save({"weights": [1, 2]}, "my_model", "1.0.0")
    assert persistence.list_models() == []


def test_what_is_missing_is_said_in_two_ways(persistence, regression):
    with pytest.raises(ValueError, match="my_model"):
        persistence.load("my_model")
    persistence.save(regression, "my_model", "1.0.0")
    with pytest.raises(FileNotFoundError, match=r"1\.1\.0"):
        persistence.load("my_model", "1.1.0")


def test_a_version_is_written_once(persistence, regression, model):
    first = persistence.save(regression, "my_model", "1.0.0")
    assert persistence.save(regression, "my_model", "1.0.0") == first
    with pytest.raises(FileExistsError):
        persistence.save(model, "my_model", "1.0.0")


def test_the_index_of_all_models_is_exported_as_json(several, place):
    several.registry.export_registry(place / "registry.json")
    document = (place / "registry.json").read_text("utf-8")
    assert json.loads(document)
    for label in several.list_versions("my_model"):
        assert f'"{label}"' in document


def test_a_folder_of_its_own_goes_before_the_folder_of_models(regression, place):
    with ModelPersistence(models_dir="models", registry_path="elsewhere") as persistence:
        persistence.save(regression, "my_model", "1.0.0")
    with ModelRegistry("elsewhere") as registry:
        assert registry.list_names() == ["my_model"]
    assert not (place / "models").exists()


# --- the manager and its configuration -------------------------------------------------------------------------------


@pytest.fixture
def config(place):
    path = place / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_a_manager_reads_its_configuration(config, regression):
    with ModelPersistenceManager(config_path=config) as manager:
        model_path = manager.save_model(regression, "my_model", "1.0.0", accuracy=0.95)
        assert Path(model_path).is_relative_to(Path("models").absolute())
        assert manager.registry.get_model("my_model").flavor.options["compress"] == 3
        loaded_model = manager.load_model("my_model", "1.0.0")
        assert numpy.array_equal(loaded_model.coef_, regression.coef_)
        metadata = manager.get_model_metadata("my_model", "1.0.0")
        assert isinstance(metadata, ModelMetadata)
        assert metadata.metadata["accuracy"] == 0.95
        assert manager.list_versions("my_model") == ["1.0.0"]


def test_a_manager_writes_the_configured_format(config, regression):
    config.write_text(CONFIG.replace("joblib", "pickle"))
    with ModelPersistenceManager(config) as manager:
        manager.save_model(regression, "my_model", "1.0.0")
        assert manager.registry.get_model("my_model").files[0].path == "model.pkl.gz"


def test_a_manager_without_configuration_uses_the_usual_place(regression, place):
    with ModelPersistenceManager() as manager:
        manager.save_model(regression, "my_model", "1.0.0")
    assert (place / "model_registry").is_dir()


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(run, place, regression, config):
    """``my_model`` 1.0.0, saved by its command line."""
    import joblib

    joblib.dump(regression, place / "model.pkl")
    (place / "metadata.json").write_text(
        json.dumps({"accuracy": 0.95, "features": ["a", "b"], "tuned": True})
    )
    run(
        "save --model-name my_model --version 1.0.0 --model-file model.pkl --metadata metadata.json "
        "--config config.yaml"
    )
    return run


def test_the_configured_log_file_tells_what_was_done(saved, place):
    assert "my_model" in (place / "logs" / "app.log").read_text("utf-8")


def test_save_and_load_give_the_same_bytes(saved, place):
    saved("load --model-name my_model --version 1.0.0 --output loaded_model.pkl --config config.yaml")
    assert (place / "loaded_model.pkl").read_bytes() == (place / "model.pkl").read_bytes()


def test_list_shows_what_was_saved(saved):
    assert "my_model" in saved("list --config config.yaml").out


def test_info_shows_metrics_and_attributes(saved):
    version = saved("info --model-name my_model --version 1.0.0 --config config.yaml --json").json
    assert version["performance_metrics"] == {"accuracy": 0.95}
    assert version["attributes"] == {"features": ["a", "b"], "tuned": True}


def test_compare_shows_a_line_for_each_version(saved):
    table = saved("compare --model-name my_model --config config.yaml").out
    assert "1.0.0" in table
    assert "0.95" in table


def test_delete_removes_one_version(saved):
    saved("delete --model-name my_model --version 1.0.0 --config config.yaml")
    saved("info --model-name my_model --version 1.0.0 --config config.yaml", code=3)


def test_the_command_line_and_the_class_see_the_same_models(saved):
    with ModelPersistence(models_dir="models") as persistence:
        metadata = persistence.get_metadata("my_model", "1.0.0")
        assert metadata.metadata["features"] == ["a", "b"]
        assert persistence.load("my_model", "1.0.0").fit_intercept is True
