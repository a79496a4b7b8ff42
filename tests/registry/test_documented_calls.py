"""The calls that people know from the documented interface, as they write them."""

import pytest

from modelyard import GateRefused, ModelRegistry, ModelStage, get_best_model, register_sklearn_model

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def trained():
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    rows, labels = make_classification(n_samples=100, n_features=10, random_state=42)
    return RandomForestClassifier(n_estimators=10, random_state=42).fit(rows, labels), rows


@pytest.fixture
def model(trained):
    return trained[0]


@pytest.fixture
def model_id(registry, model):
    return registry.register_model(
        model=model,
        name="spam",
        version="1.0.0",
        description="forest of ten",
        performance_metrics={"accuracy": 0.85, "f1_score": 0.82},
    )


def test_a_model_is_registered_by_keywords(model, capsys):
    registry = ModelRegistry("./model_registry")
    model_id = registry.register_model(
        model=model,
        name="spam",
        version="1.0.0",
        description="forest of ten",
        performance_metrics={"accuracy": 0.85, "f1_score": 0.82},
    )
    print(f"registered as {model_id}")
    assert capsys.readouterr().out == f"registered as {model_id}\n"
    assert isinstance(model_id, str)
    assert registry.get_model(model_id).performance_metrics == {"accuracy": 0.85, "f1_score": 0.82}
    registry.close()


def test_two_functions_do_without_a_registry_object(model):
    model_id = register_sklearn_model(
        model=model,
        name="by_function",
        registry_path="./model_registry",
        description="by function",
        performance_metrics={"accuracy": 0.90},
    )
    best_model_id = get_best_model(name="by_function", metric="accuracy", registry_path="./model_registry")
    assert best_model_id == model_id


def test_a_model_rises_stage_by_stage_and_predicts(registry, model_id, trained):
    unseen = trained[1][:5]
    registry.promote_model(model_id, ModelStage.STAGING, requirements={"min_accuracy": 0.80})
    registry.promote_model(
        model_id, ModelStage.PRODUCTION, requirements={"min_accuracy": 0.80, "min_f1": 0.75}
    )
    loaded_model = registry.load_model(model_id)
    predictions = loaded_model.predict(unseen)
    assert list(predictions) == list(trained[0].predict(unseen))
    assert registry.get_model(model_id).stage is ModelStage.PRODUCTION


def test_two_models_are_compared(registry, trained):
    from sklearn.linear_model import LogisticRegression

    model1, model2 = trained[0], LogisticRegression()
    id1 = registry.register_model(model1, name="model_a")
    id2 = registry.register_model(model2, name="model_b")
    comparison = registry.compare_models(id1, id2)
    assert f"winner {comparison.winner}" == "winner None"
    assert f"sure {comparison.confidence_score:.3f}" == "sure 0.500"
    for ref, accuracy in ((id1, 0.9), (id2, 0.8)):
        registry.update_model_metrics(ref, {"accuracy": accuracy, "f1_score": accuracy})
    comparison = registry.compare_models(id1, id2, metrics_to_compare=["accuracy", "f1_score"])
    assert comparison.winner == id1


def test_requirements_ask_for_validation_tests_and_documentation(registry, model):
    model_id = registry.register_model(model, name="spam", version="1.0.0")
    first = {"min_accuracy": 0.80, "validation_required": True}
    second = {"min_accuracy": 0.85, "min_f1": 0.80, "tests_passed": True, "documentation_complete": True}
    with pytest.raises(GateRefused):
        registry.promote_model(model_id, ModelStage.STAGING, requirements=first)
    registry.update_model_metrics(model_id, {"accuracy": 0.9, "f1_score": 0.85})
    registry.record_check(model_id, "validation")
    registry.promote_model(model_id, ModelStage.STAGING, requirements=first)
    with pytest.raises(GateRefused) as refusal:
        registry.promote_model(model_id, ModelStage.PRODUCTION, requirements=second)
    assert [r.split(" ")[0] for r in refusal.value.reasons] == ["tests_passed", "documentation_complete"]
    registry.record_check(model_id, "tests_passed")
    registry.update_card(
        model_id,
        {"description": "x", "intended_use": "x", "training_data": "x", "metrics": "x", "owner": "ann"},
    )
    registry.promote_model(model_id, ModelStage.PRODUCTION, requirements=second)
    assert registry.get_model("spam@production").model_id == model_id


def test_the_winner_of_two_is_promoted(registry, model):
    for name, accuracy in (("model_a", 0.8), ("model_b", 0.9)):
        registry.register_model(model, name=name, performance_metrics={"accuracy": accuracy})
    model_a_id = registry.get_latest_version("model_a")
    model_b_id = registry.get_latest_version("model_b")
    comparison = registry.compare_models(model_a_id, model_b_id)
    if comparison.winner == model_b_id:
        registry.promote_model(model_b_id, ModelStage.PRODUCTION)
    assert registry.get_latest_version("model_b", ModelStage.PRODUCTION) == model_b_id


def test_metrics_may_be_anything_and_may_be_updated(registry, model):
    measured = {"accuracy": 0.92, "precision": 0.89, "recall": 0.94, "f1_score": 0.91, "custom_metric": 0.87}
    model_id = registry.register_model(model, name="spam", performance_metrics=measured)
    assert registry.get_model(model_id).performance_metrics == measured
    new_metrics = {"accuracy": 0.94, "f1_score": 0.93}
    registry.update_model_metrics(model_id, new_metrics)
    assert registry.get_model(model_id).performance_metrics == measured | new_metrics


def test_a_lineage_is_walked(registry, model):
    model_id = None
    for accuracy in (0.7, 0.8, 0.9):
        model_id = registry.register_model(
            model, name="spam", performance_metrics={"accuracy": accuracy}, parent=model_id
        )
    lineage = registry.get_model_lineage(model_id)
    said = []
    for prev_model in lineage[:-1]:
        comparison = registry.compare_models(prev_model.model_id, model_id)
        said.append(f"gain {comparison.confidence_score:.3f}")
    assert len(said) == 2
    assert lineage[-1].model_id == model_id


def test_versions_may_be_left_to_the_registry(registry, model):
    model_id = registry.register_model(model, name="model")
    assert registry.get_model(model_id).version == "0.1.0"
    model_id = registry.register_model(model, name="model", version="1.0.0")
    assert registry.get_model(model_id).version == "1.0.0"


def test_a_registration_may_say_a_lot(registry, model):
    facts = {
        "tags": {"team": "loans", "data_type": "scans", "secrecy": "internal"},
        "data_lineage": {
            "dataset": "papers_2025",
            "training_date": "2025-06-30",
            "preprocessing": "deskewed",
        },
    }
    model_id = registry.register_model(
        model,
        name="loan papers",
        description="reads loan papers",
        hyperparams={"learning_rate": 0.001, "batch_size": 32},
        **facts,
    )
    metadata = registry.get_model(model_id)
    assert (metadata.tags, metadata.data_lineage) == (facts["tags"], facts["data_lineage"])
    assert metadata.hyperparams["batch_size"] == 32
    assert metadata.hyperparams["n_estimators"] == 10


def test_every_threshold_that_is_missed_is_named(registry, model_id):
    with pytest.raises(GateRefused) as refusal:
        registry.promote_model(
            model_id,
            ModelStage.PRODUCTION,
            requirements={"min_accuracy": 0.90, "min_f1": 0.85, "min_precision": 0.88, "min_recall": 0.87},
        )
    assert len(refusal.value.reasons) == 4


def test_the_artifact_is_a_file_on_this_disk(registry, model_id):
    metadata = registry.get_model(model_id)
    assert metadata.artifact_path
    with open(metadata.artifact_path, "rb") as file:
        assert len(file.read()) == metadata.size


def test_statistics_and_lists_are_printed(registry, model_id, capsys):
    stats = registry.get_registry_stats()
    print(f"models: {stats['total_models']}")
    models = registry.list_models(limit=10)
    for model in models:
        print(f"{model.name} v{model.version} - {model.stage.value}")
    assert capsys.readouterr().out == "models: 1\nspam v1.0.0 - development\n"


def test_stages_are_set_archived_and_rolled_back(registry, model, model_id):
    registry.update_model_stage(model_id, ModelStage.PRODUCTION)
    second = registry.register_model(model, name="spam", version="1.1.0")
    registry.promote_model(second, ModelStage.PRODUCTION)
    registry.rollback_model(second, "1.0.0")
    assert registry.get_model("spam@production").model_id == model_id
    registry.archive_model(second)
    assert registry.get_model(second).stage is ModelStage.ARCHIVED
    registry.delete_model(second)
    with pytest.raises(LookupError):
        registry.get_model(second)
    registry.delete_model(registry.register_model(model, name="other"), force=True)


def test_models_are_searched_and_exported(registry, model_id, tmp_path):
    assert [model.model_id for model in registry.search_models("spam")] == [model_id]
    registry.export_registry(str(tmp_path / "backup.json"))
    assert (tmp_path / "backup.json").stat().st_size > 0
