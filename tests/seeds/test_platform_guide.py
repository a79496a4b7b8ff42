"""What people do with a registry behind a tracking platform, in this registry's own calls.

Their programs log a model and then look it up; here one call registers it with everything that is known of it.
"""

import json

import pytest

from modelyard import (
    InvalidInput,
    ModelABTest,
    ModelRegistry,
    ModelStage,
    Protected,
    TransitionNotAllowed,
    infer_signature,
)

numpy = pytest.importorskip("numpy")

NAME = "fraud_detection"


@pytest.fixture
def five(registry, model):
    """Versions 1 to 5 of one model."""
    for number in range(1, 6):
        registry.register_model(model, NAME, performance_metrics={"accuracy": 0.85 + number / 100})
    return registry


# --- components ------------------------------------------------------------------------------------------------------


def test_an_artifact_is_stored_under_a_registered_name(registry, model):
    model_id = registry.register_model(model, NAME)
    assert registry.list_names() == [NAME]
    assert registry.get_model(model_id).framework == "scikit-learn"


def test_params_metrics_and_tags_are_kept(registry, model):
    params = {"n_estimators": 100, "max_depth": 10, "min_samples_split": 5}
    metrics = {"accuracy": 0.92, "precision": 0.89, "recall": 0.85, "f1_score": 0.87}
    tags = {"model_type": "forest", "use_case": "fraud", "team": "risk", "data_version": "v2023-06"}
    registry.register_model(model, NAME, hyperparams=params, performance_metrics=metrics, tags=tags)
    version = registry.get_model(NAME)
    assert version.hyperparams.items() >= params.items()
    assert (version.performance_metrics, version.tags) == (metrics, tags)


def test_files_of_the_training_travel_along(registry, model, place):
    names = ["feature_importance.png", "confusion_matrix.png", "training_config.yaml", "feature_schema.json"]
    for name in names:
        (place / name).write_text(f"content of {name}")
    registry.register_model(model, NAME, artifacts={name: place / name for name in names})
    folder = registry.download(NAME, place / "downloaded")
    assert {(folder / name).read_text() for name in names} == {f"content of {name}" for name in names}


def test_a_signature_is_inferred_from_data_and_stored(registry, model, rows):
    signature = infer_signature(rows, model.predict(rows))
    registry.register_model(model, NAME, signature=signature)
    stored = registry.get_model(NAME).signature
    assert stored == signature.to_mapping()
    assert stored["inputs"]
    assert stored["outputs"]


def test_columns_have_names_and_types(registry, model):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"feature_1": [0.5], "feature_2": [3]})
    signature = infer_signature(table, numpy.array([1]))
    assert [(f.name, f.type) for f in signature.inputs] == [("feature_1", "float64"), ("feature_2", "int64")]
    assert [f.type for f in signature.outputs] == ["int64"]


# --- stages ----------------------------------------------------------------------------------------------------------


def test_a_new_version_is_in_no_stage_yet_which_is_called_development(registry, model):
    assert registry.get_model(registry.register_model(model, NAME)).stage is ModelStage.DEVELOPMENT


def test_stages_are_given_by_number_in_any_case(five):
    five.update_model_stage(f"{NAME}#5", "Staging")
    assert five.get_model(f"{NAME}#5").stage is ModelStage.STAGING
    five.update_model_stage(f"{NAME}#3", "Archived")
    assert five.get_model(f"{NAME}#3").stage is ModelStage.ARCHIVED


def test_promotion_archives_the_present_holder_if_asked(five):
    five.promote_model(f"{NAME}#4", "Production")
    five.promote_model(f"{NAME}#5", "Production", archive_existing=True)
    stages = {version.number: version.stage.value for version in five.list_models(name=NAME)}
    assert (stages[4], stages[5]) == ("archived", "production")


def test_an_archived_version_can_be_restored_but_not_promoted(five):
    five.archive_model(f"{NAME}#3")
    with pytest.raises(TransitionNotAllowed):
        five.promote_model(f"{NAME}#3", "Production")
    five.update_model_stage(f"{NAME}#3", "development")


def test_the_primary_version_is_protected(five):
    five.promote_model(f"{NAME}#5", "Production")
    with pytest.raises(Protected):
        five.delete_model(f"{NAME}#5")


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        (f"models:/{NAME}/Production", 4),
        (f"models:/{NAME}/Staging", 5),
        (f"models:/{NAME}/3", 3),
        (f"models:/{NAME}@champion", 2),
    ],
)
def test_models_are_loaded_by_the_platforms_addresses(five, rows, model, ref, number):
    five.promote_model(f"{NAME}#4", "Production")
    five.promote_model(f"{NAME}#5", "Staging")
    five.set_alias(NAME, "champion", f"{NAME}#2")
    loaded, version = five.load_model(ref, return_metadata=True)
    assert version.number == number
    assert list(loaded.predict(rows)) == list(model.predict(rows))


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change_type", "expected"), [("major", "2.0.0"), ("minor", "1.1.0"), ("patch", "1.0.1")]
)
def test_the_kind_of_change_decides_the_number(registry, model, change_type, expected):
    registry.register_model(model, NAME, "1.0.0")
    model_id = registry.register_model(model, NAME, bump=change_type)
    assert registry.get_model(model_id).version == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": [1.0], "b": [2.0]}, "1.0.1"),
        ({"a": [1.0]}, "2.0.0"),
        ({"a": ["x"], "b": [2.0]}, "2.0.0"),
    ],
)
def test_without_a_word_the_schema_decides_the_number(registry, model, columns, expected):
    registry.register_model(model, NAME, "1.0.0", input_example={"a": [1.0], "b": [2.0]})
    model_id = registry.register_model(model, NAME, input_example=columns)
    assert registry.get_model(model_id).version == expected


def test_the_commit_is_recorded_and_whether_the_tree_was_clean(git, place, registry, model):
    clean = registry.get_model(registry.register_model(model, NAME)).environment["git"]
    assert (clean["commit"], clean["branch"], clean["dirty"]) == (git("rev-parse", "HEAD"), "main", False)
    (place / "train.py").write_text("print('changed')\n")
    assert registry.get_model(registry.register_model(model, NAME)).environment["git"]["dirty"] is True


# --- lineage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tuned(git, five, model):
    """A version made from the third, with everything that is known of its origin."""
    return five.register_model(
        model,
        NAME,
        parent=f"models:/{NAME}/3",
        data_lineage={"version": "v2023-06", "path": "s3://ml-data/train_v2023-06.parquet"},
        lineage=[("feature_store", "feature-store-v1.2"), ("code", "def456")],
        performance_metrics={"accuracy": 0.95},
    )


def test_everything_a_version_came_from_is_recorded(five, tuned, git):
    version = five.get_model(tuned)
    edges = {(edge.kind, edge.target) for edge in version.edges}
    assert edges >= {
        ("parent", five.get_model(f"{NAME}#3").model_id),
        ("feature_store", "feature-store-v1.2"),
        ("code", "def456"),
    }
    assert version.data_lineage["path"] == "s3://ml-data/train_v2023-06.parquet"
    assert version.environment["git"]["commit"] == git("rev-parse", "HEAD")
    assert version.created_at.tzinfo is not None


def test_lineage_is_asked_for_from_the_root_and_as_a_graph(five, tuned):
    assert [version.number for version in five.get_model_lineage(f"{NAME}#6")] == [3, 6]
    graph = json.dumps(five.lineage_graph(tuned, "up").to_json())
    assert "feature-store-v1.2" in graph


# --- a complete registration, and a look at all versions -------------------------------------------------------------


def test_one_call_registers_everything(git, registry, model, rows):
    metrics = {"accuracy": 0.93, "precision": 0.9, "recall": 0.88}
    model_id = registry.register_model(
        model,
        NAME,
        hyperparams={"n_estimators": 100, "max_depth": 10},
        performance_metrics=metrics,
        data_lineage={"path": "s3://ml-data/train.parquet", "samples": len(rows)},
        input_example=rows,
        output_example=model.predict(rows),
        description=f"{len(rows)} samples, accuracy {metrics['accuracy']:.3f}",
        tags={"validated": "true"},
    )
    version = registry.get_model(model_id)
    assert version.description == "60 samples, accuracy 0.930"
    assert version.tags == {"validated": "true"}
    assert version.signature["inputs"]
    assert version.environment["git"]["commit"] == git("rev-parse", "HEAD")
    registry.describe(model_id, "checked")
    registry.tag(model_id, validated="twice")
    version = registry.get_model(model_id)
    assert (version.description, version.tags["validated"]) == ("checked", "twice")


def test_all_versions_stand_in_one_table(five):
    pytest.importorskip("pandas")
    five.update_model_metrics(f"{NAME}#5", {"precision": 0.89, "recall": 0.85})
    five.promote_model(f"{NAME}#5", "production")
    comparison = five.compare_versions(NAME)
    table = comparison[["number", "stage", "accuracy", "precision", "recall", "created_at", "description"]]
    assert list(table["number"]) == [5, 4, 3, 2, 1]
    assert table.iloc[0]["stage"] == "production"
    assert table.iloc[0]["precision"] == 0.89
    assert numpy.isnan(table.iloc[1]["precision"])


# --- an A/B test -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ab_test(five):
    with ModelABTest(
        model_name=NAME, variant_a_version="4", variant_b_version="5", split=0.5, registry=five
    ) as test:
        yield test


def test_a_user_always_gets_the_same_variant(ab_test, rows, model):
    prediction, variant = ab_test.predict(rows[0:1], user_id="user_12345")
    assert variant in ("A", "B")
    assert list(prediction) == list(model.predict(rows[0:1]))
    assert {str(ab_test.predict(rows[0:1], user_id="user_12345")[1]) for _ in range(5)} == {str(variant)}


def test_the_split_is_kept(five):
    with ModelABTest(NAME, "4", "5", split=0.8, registry=five) as test:
        share = sum(test.assign(f"user {each}") == "A" for each in range(5000)) / 5000
    assert share == pytest.approx(0.8, abs=0.03)


def test_outcomes_are_counted_for_each_variant(ab_test, rows):
    variants = [ab_test.predict(rows[0:1], user_id=f"user {each}")[1] for each in range(20)]
    for place, variant in enumerate(variants):
        ab_test.record_outcome(variant, correct=place % 2 == 0)
    results = ab_test.get_results()
    assert results["variant_a"]["predictions"] + results["variant_b"]["predictions"] == 20
    for name in ("A", "B"):
        mine = [place % 2 == 0 for place, variant in enumerate(variants) if variant == name]
        assert results[f"variant_{name.lower()}"]["accuracy"] == pytest.approx(sum(mine) / len(mine))


def test_without_outcomes_nobody_wins(ab_test):
    assert ab_test.get_results()["winner"] is None


def test_a_clear_difference_has_a_winner(ab_test):
    for name, share in (("A", 0.2), ("B", 0.9)):
        ab_test.record_outcomes({"variant": name, "correct": each < share * 400} for each in range(400))
    assert ab_test.get_results()["winner"] == "B"


def test_a_split_outside_nought_and_one_is_refused(five):
    with pytest.raises(InvalidInput, match="split"):
        ModelABTest(NAME, "4", "5", split=1.5, registry=five)


def test_the_test_finds_the_registry_that_is_configured(five):
    with ModelABTest(model_name=NAME, variant_a_version="4", variant_b_version="5") as test:
        assert test.split == 0.5
        assert isinstance(test.registry, ModelRegistry)
