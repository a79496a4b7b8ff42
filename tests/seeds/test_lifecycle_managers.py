"""Managers for versions, artifacts, metadata and lifecycle, used the way their users use them."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.compat.managers import (
    MetadataManager,
    ModelArtifactManager,
    ModelLifecycleManager,
    ModelLifecycleState,
    ModelMetadata,
    ModelStage,
    ModelVersion,
    ModelVersionManager,
)

NAME = "sentiment_classifier"


class Guess:
    """A model of nobody's framework."""

    def __init__(self, accuracy):
        self.accuracy = accuracy

    def predict(self, data):
        return [0.8, 0.2]


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def versions():
    with ModelVersionManager() as manager:
        yield manager


def test_versions_are_created_promoted_and_remembered(versions):
    v1 = versions.create_version(
        NAME, ModelStage.DEVELOPMENT, {"accuracy": 0.85, "dataset": "train_v1", "algorithm": "bert"}
    )
    v2 = versions.create_version(
        NAME, ModelStage.DEVELOPMENT, {"accuracy": 0.87, "dataset": "train_v1", "optimized": True}
    )
    v3 = versions.promote_version(NAME, str(v2), ModelStage.STAGING)
    v4 = versions.promote_version(NAME, str(v3), ModelStage.PRODUCTION)
    assert [str(each) for each in (v1, v2, v3, v4)] == [
        "1.0.0-development",
        "1.0.1-development",
        "1.0.0-staging",
        "1.0.0-production",
    ]
    assert v1.metadata == {"accuracy": 0.85, "dataset": "train_v1", "algorithm": "bert"}
    history = versions.get_version_history(NAME)
    assert [(str(each), each.stage.value) for each in history] == [
        ("1.0.0-production", "production"),
        ("1.0.0-staging", "staging"),
        ("1.0.1-development", "development"),
        ("1.0.0-development", "development"),
    ]


@pytest.mark.parametrize(
    ("stage", "third"),
    [
        (ModelStage.DEVELOPMENT, "1.0.2-development"),
        (ModelStage.STAGING, "1.2.0-staging"),
        (ModelStage.PRODUCTION, "3.0.0-production"),
    ],
)
def test_each_stage_counts_in_its_own_steps(versions, stage, third):
    for _ in range(2):
        versions.create_version(NAME, stage, {})
    assert str(versions.create_version(NAME, stage, {})) == third


def test_a_number_is_never_given_twice_even_if_its_version_is_gone(versions):
    gone = versions.create_version(NAME, ModelStage.STAGING, {})
    versions.registry.delete_model(f"{NAME}:{gone}")
    assert str(versions.create_version(NAME, ModelStage.STAGING, {})) == "1.1.0-staging"


def test_a_promoted_version_says_where_it_came_from(versions):
    source = versions.create_version(NAME, ModelStage.DEVELOPMENT, {"accuracy": 0.87, "dataset": "d"})
    promoted = versions.promote_version(NAME, str(source), ModelStage.STAGING)
    assert promoted.metadata["promoted_from"] == "1.0.0-development"
    assert datetime.fromisoformat(promoted.metadata["promoted_at"]).tzinfo is not None
    assert promoted.metadata.items() >= source.metadata.items()
    [link] = versions.registry.get_model(f"{NAME}:{promoted}").lineage
    assert (link.kind, link.target) == (
        "promoted_from",
        versions.registry.get_model(f"{NAME}:{source}").model_id,
    )


def test_a_promoted_version_has_the_same_bytes_stored_once(versions, model, rows):
    versions.registry.register_model(model, NAME, "1.0.0-development")
    promoted = versions.promote_version(NAME, "1.0.0-development", ModelStage.PRODUCTION)
    before, after = (
        versions.registry.get_model(f"{NAME}:{label}") for label in ("1.0.0-development", promoted)
    )
    assert before.content_digest == after.content_digest
    assert before.artifact_path == after.artifact_path
    assert list(versions.registry.load_model(f"{NAME}@production").predict(rows)) == list(model.predict(rows))


def test_the_latest_version_of_a_model_or_of_a_stage(versions):
    versions.create_version(NAME, ModelStage.STAGING, {})
    latest = versions.create_version(NAME, ModelStage.DEVELOPMENT, {})
    assert versions.get_latest_version(NAME, ModelStage.DEVELOPMENT) == latest
    assert str(versions.get_latest_version(NAME, ModelStage.STAGING)) == "1.0.0-staging"
    assert versions.get_latest_version(NAME, ModelStage.ARCHIVED) is None
    assert versions.get_latest_version("unknown") is None
    assert versions.get_version_history("unknown") == []
    assert versions.get_latest_version(NAME).order == (1, 0, 0)


def test_a_free_label_is_no_numbered_version(versions):
    versions.registry.register_model(None, NAME, "alpha-1")
    versions.registry.register_model(None, NAME, "2.5.0")
    assert [str(each) for each in versions.get_version_history(NAME)] == ["2.5.0"]
    assert str(versions.create_version(NAME, ModelStage.STAGING, {})) == "1.0.0-staging"


def test_promoting_what_is_not_there_is_a_value_error(versions):
    with pytest.raises(ValueError, match="unknown"):
        versions.promote_version("unknown", "1.0.0-development", ModelStage.STAGING)


def test_promotion_goes_through_the_gates(versions):
    source = versions.create_version(NAME, ModelStage.DEVELOPMENT, {"accuracy": 0.5})
    versions.registry.set_policy(NAME, {"gates": {"staging": {"min_accuracy": 0.9}}})
    with pytest.raises(ValueError, match="min_accuracy"):
        versions.promote_version(NAME, str(source), ModelStage.STAGING)
    with pytest.raises(ValueError, match="short cut"):
        versions.promote_version(NAME, str(source), ModelStage.PRODUCTION)
    assert len(versions.get_version_history(NAME)) == 1


def test_a_version_has_a_json_form(versions):
    version = versions.create_version(NAME, ModelStage.STAGING, {"accuracy": 0.85})
    assert version.to_dict() == {
        "version": "1.0.0-staging",
        "major": 1,
        "minor": 0,
        "patch": 0,
        "stage": "staging",
        "created_at": version.created_at.isoformat(),
        "model_id": NAME,
        "metadata": {"accuracy": 0.85},
    }


def test_a_version_can_be_made_by_hand():
    version = ModelVersion(
        major=1,
        minor=2,
        patch=3,
        stage=ModelStage.STAGING,
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
        model_id=NAME,
        metadata={},
    )
    assert str(version) == "1.2.3-staging"


# --- artifacts -------------------------------------------------------------------------------------------------------

FACTS = {
    "accuracy": 0.85,
    "dataset": "train_v1",
    "algorithm": "random_forest",
    "created_at": "2024-01-01T00:00:00Z",
}


@pytest.fixture
def artifacts():
    with ModelArtifactManager() as manager:
        yield manager


def test_a_model_of_any_class_is_stored_and_loaded(artifacts):
    path = artifacts.store_model(NAME, "1.0.0", Guess(0.85), FACTS)
    assert Path(path).is_relative_to(Path("model_registry").absolute())
    loaded_model, loaded_metadata = artifacts.load_model(NAME, "1.0.0")
    assert (loaded_model.accuracy, loaded_model.predict([1])) == (0.85, [0.8, 0.2])
    assert loaded_metadata == FACTS


def test_a_changed_file_is_refused_before_it_is_opened(artifacts):
    path = artifacts.store_model(NAME, "1.0.0", Guess(0.85), FACTS)
    os.chmod(path, 0o644)
    damaged = bytearray(Path(path).read_bytes())
    damaged[-3] ^= 1
    Path(path).write_bytes(damaged)
    with pytest.raises(ValueError, match="sha256"):
        artifacts.load_model(NAME, "1.0.0")


def test_loading_what_is_not_there_is_a_value_error(artifacts):
    with pytest.raises(ValueError, match=NAME):
        artifacts.load_model(NAME, "1.0.0")


def test_models_are_listed_with_versions_and_metadata(artifacts, model):
    artifacts.store_model(NAME, "1.10.0", Guess(0.9), {})
    artifacts.store_model(NAME, "1.9.0", Guess(0.85), FACTS)
    artifacts.store_model("another", "1.0.0", model, {})
    assert artifacts.list_models() == [
        {"model_id": "another", "versions": [{"version": "1.0.0", "metadata": {}}]},
        {
            "model_id": NAME,
            "versions": [{"version": "1.9.0", "metadata": FACTS}, {"version": "1.10.0", "metadata": {}}],
        },
    ]


def test_one_version_is_deleted_or_all_of_them(artifacts):
    for label in ("1.0.0", "1.1.0", "1.2.0"):
        artifacts.store_model(NAME, label, Guess(0.85), {})
    artifacts.delete_model(NAME, "1.1.0")
    [listed] = artifacts.list_models()
    assert [each["version"] for each in listed["versions"]] == ["1.0.0", "1.2.0"]
    artifacts.delete_model(NAME)
    assert artifacts.list_models() == []
    artifacts.delete_model(NAME, "9.9.9")
    artifacts.delete_model("unknown")


def test_what_is_in_production_is_not_deleted_by_the_way(artifacts):
    artifacts.store_model(NAME, "1.0.0", Guess(0.85), {})
    artifacts.registry.promote_model(NAME, "production")
    with pytest.raises(ValueError, match="production"):
        artifacts.delete_model(NAME)


def test_a_stored_version_is_not_overwritten(artifacts):
    artifacts.store_model(NAME, "1.0.0", Guess(0.85), {})
    with pytest.raises(ValueError, match=r"1\.0\.0"):
        artifacts.store_model(NAME, "1.0.0", Guess(0.99), {})
    assert artifacts.load_model(NAME, "1.0.0")[0].accuracy == 0.85


# --- metadata --------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts():
    with MetadataManager() as manager:
        yield manager


def described(**other):
    given = {
        "model_id": NAME,
        "version": "1.0.0",
        "name": "Sentiment",
        "description": "tells moods apart",
        "algorithm": "BERT",
        "framework": "PyTorch",
        "language": "Python",
        "dependencies": ["torch", "numpy"],
        "accuracy": 0.85,
        "precision": 0.83,
        "recall": 0.87,
        "f1_score": 0.85,
        "training_dataset": "train_v1",
        "validation_dataset": "val_v1",
        "dataset_size": 10000,
        "training_start_time": datetime(2024, 1, 1, 10),  # noqa: DTZ001 - people give such, and get such back
        "training_end_time": datetime(2024, 1, 1, 12, tzinfo=UTC),
        "training_duration": 7200,
        "hyperparameters": {"learning_rate": 0.001, "epochs": 10},
        "model_size": 500.0,
        "input_shape": [512],
        "output_shape": [2],
        "num_parameters": 110000000,
        "custom_metadata": {"team": "ML Team", "impact": "high", "name": "called like a field", "rounds": 3},
    }
    return ModelMetadata(**(given | other))


def test_metadata_is_stored_and_loaded_whole(facts, place):
    facts.store_metadata(described())
    assert facts.load_metadata(NAME, "1.0.0") == described()
    assert facts.load_metadata(NAME, "2.0.0") is None
    assert (place / "metadata_storage").is_dir()


def test_metadata_can_be_asked_for_by_the_main_interface(facts):
    facts.store_metadata(described())
    version = facts.registry.get_model(NAME)
    assert version.performance_metrics["f1_score"] == 0.85
    assert version.hyperparams == {"learning_rate": 0.001, "epochs": 10}
    found = facts.registry.search_models("attributes.team = 'ML Team' and metrics.recall > 0.8")
    assert [each.model_id for each in found] == [version.model_id]


def test_metadata_is_updated_field_by_field(facts):
    facts.store_metadata(described())
    now = datetime.now(UTC)
    facts.update_metadata(
        NAME,
        "1.0.0",
        {
            "deployment_status": "deployed",
            "deployment_time": now,
            "accuracy": 0.9,
            "description": "new",
            "owner": "ann",
            "rounds": 4,
        },
    )
    custom = {**described().custom_metadata, "owner": "ann", "rounds": 4}
    assert facts.load_metadata(NAME, "1.0.0") == described(
        deployment_status="deployed",
        deployment_time=now,
        accuracy=0.9,
        description="new",
        custom_metadata=custom,
    )
    assert [m.value for m in facts.registry.get_model(NAME).metrics if m.name == "accuracy"][-1] == 0.9


def test_updating_what_is_not_there_is_a_value_error(facts):
    with pytest.raises(ValueError, match=NAME):
        facts.update_metadata(NAME, "1.0.0", {"accuracy": 1.0})


def test_versions_are_found_by_criteria_that_all_hold(facts):
    facts.store_metadata(described())
    facts.store_metadata(described(version="1.1.0", custom_metadata={"team": "Other"}))
    found = [
        [each.version for each in facts.search_models(criteria)]
        for criteria in (
            {"team": "ML Team"},
            {"algorithm": "BERT"},
            {"team": "ML Team", "algorithm": "CNN"},
            {"unheard_of": 1},
            {"name": "called like a field"},
            {"name": "Sentiment"},
        )
    ]
    assert found == [["1.0.0"], ["1.1.0", "1.0.0"], [], [], ["1.0.0"], ["1.1.0"]]


def test_metadata_may_be_given_to_a_model_that_is_there(model):
    with ModelRegistry("./metadata_storage") as registry:
        registry.register_model(model, NAME, "1.0.0", performance_metrics={"loss": 0.3}, tags={"a": "b"})
        size = registry.get_model(NAME).size
    with MetadataManager() as facts:
        captured = facts.load_metadata(NAME, "1.0.0")
        assert (captured.algorithm, captured.framework) == ("LogisticRegression", "scikit-learn")
        assert captured.model_size == size / 1e6
        assert captured.hyperparameters["max_iter"] == 500
        assert captured.custom_metadata == {"loss": 0.3}
        facts.store_metadata(described(custom_metadata={"loss": 0.2}))
        assert facts.registry.get_model(NAME).performance_metrics["loss"] == 0.2
        assert facts.registry.get_model(NAME).tags == {"a": "b"}
        assert type(facts.registry.load_model(NAME)) is type(model)


def test_metadata_has_a_dictionary_form_and_comes_back_from_it():
    document = described().to_dict()
    assert document["training_start_time"] == "2024-01-01T10:00:00"
    assert ModelMetadata.from_dict(document) == described()
    assert document["training_start_time"] == "2024-01-01T10:00:00"


# --- lifecycle -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lifecycle():
    with ModelLifecycleManager() as manager:
        yield manager


def test_a_model_goes_through_its_life(lifecycle):
    info = lifecycle.create_model(NAME, "1.0.0")
    assert (info["model_id"], info["version"], info["state"].value) == (NAME, "1.0.0", "development")
    assert info["created_at"] <= info["updated_at"]
    for state, reason in (
        (ModelLifecycleState.TESTING, "ready"),
        (ModelLifecycleState.STAGING, "passed"),
        (ModelLifecycleState.PRODUCTION, "went well"),
    ):
        assert lifecycle.transition_model(NAME, "1.0.0", state, reason) is True
        assert lifecycle.get_model_state(NAME, "1.0.0") is state
    history = lifecycle.get_model_history(NAME, "1.0.0")
    assert [(entry["action"], entry["state"].value, entry["reason"]) for entry in history] == [
        ("created", "development", ""),
        ("transitioned", "testing", "ready"),
        ("transitioned", "staging", "passed"),
        ("transitioned", "production", "went well"),
    ]
    moments = [entry["timestamp"] for entry in history]
    assert moments == sorted(moments)


ALLOWED = {
    "development": {"testing", "archived"},
    "testing": {"development", "staging", "archived"},
    "staging": {"testing", "production", "archived"},
    "production": {"staging", "deprecated"},
    "deprecated": {"archived"},
    "archived": set(),
}
WAYS = {
    "development": (),
    "testing": ("testing",),
    "staging": ("testing", "staging"),
    "production": ("testing", "staging", "production"),
    "deprecated": ("testing", "staging", "production", "deprecated"),
    "archived": ("archived",),
}


@pytest.mark.parametrize("start", ALLOWED)
def test_only_the_moves_of_the_table_are_allowed(lifecycle, start):
    for target in ALLOWED:
        label = f"1.0.0-{target}"
        lifecycle.create_model(NAME, label)
        for step in WAYS[start]:
            lifecycle.transition_model(NAME, label, ModelLifecycleState(step))
        if target in ALLOWED[start]:
            assert lifecycle.transition_model(NAME, label, ModelLifecycleState(target))
        else:
            with pytest.raises(ValueError, match=target):
                lifecycle.transition_model(NAME, label, ModelLifecycleState(target))
            assert lifecycle.get_model_state(NAME, label) == start


def test_what_is_said_about_a_move_is_kept_with_it(lifecycle):
    lifecycle.create_model(NAME, "1.0.0")
    for state, metadata in (
        ("testing", {"ticket": 7}),
        ("development", None),
        ("testing", {"ticket": 7, "at": datetime(2024, 1, 1, tzinfo=UTC)}),
    ):
        lifecycle.transition_model(NAME, "1.0.0", ModelLifecycleState(state), "because", metadata)
    told = [entry["metadata"] for entry in lifecycle.get_model_history(NAME, "1.0.0")]
    assert told == [{}, {"ticket": 7}, {}, {"ticket": 7, "at": "2024-01-01T00:00:00+00:00"}]


def test_what_does_not_exist_has_no_state_no_history_and_no_move(lifecycle):
    assert lifecycle.get_model_state(NAME, "1.0.0") is None
    assert lifecycle.get_model_history(NAME, "1.0.0") == []
    with pytest.raises(ValueError, match=NAME):
        lifecycle.transition_model(NAME, "1.0.0", ModelLifecycleState.TESTING)


def test_models_are_listed_by_state(lifecycle):
    for label in ("1.0.0", "1.1.0", "1.2.0"):
        lifecycle.create_model(NAME, label)
    lifecycle.transition_model(NAME, "1.1.0", ModelLifecycleState.TESTING)
    [found] = lifecycle.get_models_by_state(ModelLifecycleState.TESTING)
    assert (found["version"], found["state"]) == ("1.1.0", ModelLifecycleState.TESTING)
    assert [entry["action"] for entry in found["history"]] == ["created", "transitioned"]
    assert len(lifecycle.get_models_by_state(ModelLifecycleState.DEVELOPMENT)) == 2


def test_a_life_may_begin_elsewhere(lifecycle):
    info = lifecycle.create_model(NAME, "1.0.0", ModelLifecycleState.TESTING)
    assert info["state"] is ModelLifecycleState.TESTING
    assert [entry["action"] for entry in info["history"]] == ["created"]


def test_no_life_begins_at_its_end(lifecycle):
    with pytest.raises(ValueError, match="deprecated"):
        lifecycle.create_model(NAME, "1.0.0", ModelLifecycleState.DEPRECATED)
    assert lifecycle.get_model_state(NAME, "1.0.0") is None


def test_a_version_that_is_there_is_taken_as_it_stands(lifecycle, model):
    lifecycle.registry.register_model(model, NAME, "1.0.0", stage="staging")
    info = lifecycle.create_model(NAME, "1.0.0", ModelLifecycleState.STAGING)
    assert info["state"] is ModelLifecycleState.STAGING
    assert lifecycle.registry.get_policy(NAME).get("lifecycle") != "strict"
    with pytest.raises(ValueError, match="staging"):
        lifecycle.create_model(NAME, "1.0.0")


def test_a_successor_in_production_is_seen_in_the_history_of_its_predecessor(lifecycle):
    for label in ("1.0.0", "1.1.0"):
        lifecycle.create_model(NAME, label)
        for step in WAYS["production"]:
            lifecycle.transition_model(NAME, label, ModelLifecycleState(step))
    assert lifecycle.get_model_state(NAME, "1.0.0") is ModelLifecycleState.DEPRECATED
    assert lifecycle.get_model_history(NAME, "1.0.0")[-1]["state"] is ModelLifecycleState.DEPRECATED


def test_a_condition_moves_a_model_on_or_not(lifecycle):
    lifecycle.create_model(NAME, "1.0.0")

    def move(condition):
        return asyncio.run(
            lifecycle.auto_transition(
                NAME, "1.0.0", ModelLifecycleState.DEVELOPMENT, ModelLifecycleState.TESTING, condition
            )
        )

    assert move(lambda: False) is False
    assert lifecycle.get_model_state(NAME, "1.0.0") is ModelLifecycleState.DEVELOPMENT
    assert move(lambda: True) is True
    assert lifecycle.get_model_history(NAME, "1.0.0")[-1]["reason"] == "auto_transition"
    assert move(lambda: True) is False


def test_cleaning_up_counts_what_was_archived_long_enough(lifecycle):
    for label in ("1.0.0", "1.1.0"):
        lifecycle.create_model(NAME, label)
    lifecycle.transition_model(NAME, "1.0.0", ModelLifecycleState.ARCHIVED)
    assert lifecycle.cleanup_archived_models(older_than_days=30) == 0
    assert lifecycle.cleanup_archived_models() == 0
    assert lifecycle.cleanup_archived_models(older_than_days=0) == 1
    assert lifecycle.get_model_state(NAME, "1.0.0") is None
    assert lifecycle.get_model_state(NAME, "1.1.0") is ModelLifecycleState.DEVELOPMENT


def test_the_managers_see_each_others_work(artifacts, lifecycle, versions):
    artifacts.store_model(NAME, "1.0.0", Guess(0.85), FACTS)
    lifecycle.create_model(NAME, "1.0.0")
    lifecycle.transition_model(NAME, "1.0.0", ModelLifecycleState.STAGING)
    staged = versions.promote_version(NAME, "1.0.0", ModelStage.PRODUCTION)
    loaded, metadata = artifacts.load_model(NAME, str(staged))
    assert loaded.accuracy == 0.85
    assert metadata["promoted_from"] == "1.0.0"
    assert lifecycle.get_model_state(NAME, str(staged)) is ModelLifecycleState.PRODUCTION


# --- slips of the hand -----------------------------------------------------------------------------------------------


def test_stages_may_be_words(versions):
    made = versions.create_version(NAME, "Staging", {"accuracy": 0.9})
    assert (str(made), made.stage) == ("1.0.0-staging", ModelStage.STAGING)
    assert str(versions.get_latest_version(NAME, "staging")) == "1.0.0-staging"
    assert str(versions.promote_version(NAME, str(made), "production")) == "1.0.0-production"


def test_what_is_of_another_type_is_a_value_error(versions):
    for call in (
        lambda: versions.create_version(NAME, "nowhere", {}),
        lambda: versions.create_version(NAME, None, {}),
        lambda: versions.create_version(NAME, ModelStage.STAGING, None),
        lambda: versions.create_version(NAME, ModelStage.STAGING, [("accuracy", 1)]),
        lambda: versions.get_latest_version(NAME, 7),
        lambda: versions.promote_version(NAME, "1.0.0-staging", 7),
    ):
        with pytest.raises(ValueError, match=r"stage|metadata|no model"):
            call()
    assert versions.get_version_history(NAME) == []


def test_a_condition_may_be_a_coroutine():
    async def never():
        return False

    async def always():
        return True

    with ModelLifecycleManager() as manager:
        manager.create_model("m", "1.0.0")
        state, target = ModelStage.DEVELOPMENT, ModelStage.TESTING
        assert not asyncio.run(manager.auto_transition("m", "1.0.0", state, target, never))
        assert manager.get_model_state("m", "1.0.0") is state
        assert asyncio.run(manager.auto_transition("m", "1.0.0", state, target, always))
        assert manager.get_model_state("m", "1.0.0") is target
