"""The class that people hold: what its short methods say and take."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import modelyard
from modelyard import (
    Conflict,
    InvalidInput,
    ModelRegistry,
    ModelyardError,
    Settings,
    StorageError,
    get_best_model,
    register_sklearn_model,
)


@pytest.fixture
def two(registry):
    """A registry whose second version is live."""
    for _ in range(2):
        registry.register_model(None, "fraud", stage="production")
    return registry


def test_the_location_is_the_argument_the_environment_or_the_usual_folder(tmp_path, monkeypatch):
    ModelRegistry().close()
    assert (tmp_path / "model_registry" / "registry.db").is_file()
    monkeypatch.setenv("MODELYARD_URL", str(tmp_path / "elsewhere"))
    with ModelRegistry() as registry:
        assert registry.location == str(tmp_path / "elsewhere")
    with ModelRegistry("here") as registry:
        assert registry.location == str(tmp_path / "here")


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be made"):
        ModelRegistry(tmp_path / "file" / "registry")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("storage:\n  backend: s3\n", "storage.s3.bucket"),
        ("database:\n  type: postgresql\n  url: postgresql://u:secret@127.0.0.1:1/r\n", "127.0.0.1"),
    ],
)
def test_a_store_that_cannot_be_reached_is_named_and_not_passed_over(tmp_path, text, told):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ModelyardError, match=told) as caught:
        ModelRegistry(tmp_path / "r", config=tmp_path / "c.yaml")
    assert "secret" not in str(caught.value)


def test_the_default_stage_comes_from_the_configuration(tmp_path):
    (tmp_path / "c.yaml").write_text("registry:\n  default_stage: staging\n")
    with ModelRegistry("memory://", config=tmp_path / "c.yaml") as registry:
        assert registry.get_model(registry.register_model(None, "fraud")).stage == "staging"
        assert registry.get_model(registry.register_model(None, "fraud", stage="Testing")).stage == "testing"
    with ModelRegistry("memory://", config=Settings()) as registry:
        assert registry.get_model(registry.register_model(None, "fraud")).stage == "development"


def test_what_was_live_a_moment_ago_is_known(two):
    moves = [event for event in two.history("fraud", newest_first=False) if "stage:production" in event.after]
    assert [two.as_of("fraud", event.at).number for event in moves] == [1, 2]
    assert two.as_of("fraud", moves[0].at - timedelta(microseconds=1)) is None
    local = datetime.now(UTC).astimezone().replace(tzinfo=None)
    assert two.as_of("fraud", local).number == 2


def test_a_history_may_be_cut_and_turned(two, monkeypatch):
    two.tag("fraud", a="b")
    assert [event.sequence for event in two.history("fraud")] == [3, 2, 1]
    assert [event.sequence for event in two.history("fraud", limit=2)] == [3, 2]
    assert [event.sequence for event in two.history("fraud", newest_first=False)] == [1, 2, 3]
    assert [event.sequence for event in two.history("fraud#1")] == [2, 1]  # and made room at 2


def test_a_policy_is_read_as_it_may_be_written(two):
    written = two.get_policy("fraud") | {
        "holders": {"production": 2},
        "gates": {"staging": {"tests_passed": True}},
    }
    two.set_policy("fraud", written, reason="two regions")
    again = two.get_policy("fraud")
    assert (again["holders"], again["gates"]) == (written["holders"], written["gates"])
    with pytest.raises(Conflict):
        two.set_policy("fraud", written, expected=0)


def test_expecting_nobody_is_said_with_none(registry):
    registry.register_model(None, "fraud")
    registry.register_model(None, "fraud")
    registry.promote_model("fraud#1", "production", expected=None)
    with pytest.raises(Conflict, match="not by nobody"):
        registry.promote_model("fraud#2", "production", expected=None)
    registry.set_alias("fraud", "champion", "#1", expected=None)
    with pytest.raises(Conflict):
        registry.set_alias("fraud", "champion", "#2", expected=None)


def test_the_displaced_version_is_archived_where_asked(two):
    two.promote_model(two.register_model(None, "fraud"), "production", archive_existing=True)
    assert [two.get_model(f"fraud#{number}").stage for number in (1, 2, 3)] == [
        "deprecated",
        "archived",
        "production",
    ]


def test_facts_are_changed_by_short_calls(two):
    two.tag("fraud", team="risk", old="x")
    assert two.tag("fraud", old=None).tags == {"team": "risk"}
    assert two.describe("fraud", "catches fraud").description == "catches fraud"
    assert two.update_card("fraud", {"owner": "ann"}).card == {"owner": "ann"}
    assert two.annotate("fraud", attributes={"a": [1]}, legal_hold="case").legal_hold == "case"
    model = two.describe_model("fraud", "all of them", {"team": "risk"})
    assert (model.description, model.tags) == ("all of them", {"team": "risk"})


def test_a_promotion_tells_its_verdict_and_a_dry_run_moves_nothing(registry):
    registry.register_model(None, "fraud", performance_metrics={"accuracy": 0.9})
    plan = registry.promote_model("fraud", "staging", {"min_accuracy": 0.95}, dry_run=True)
    assert (plan.moved, plan.verdict.passed, len(plan.verdict.reasons)) == (False, False, 1)
    assert registry.get_model("fraud").stage == "development"


def test_stages_may_be_written_in_any_case_and_slips_are_named(two):
    assert two.update_model_stage("fraud#2", "Deprecated").stage == "deprecated"
    with pytest.raises(InvalidInput, match="staging"):
        two.update_model_stage("fraud#1", "stagin")


def test_the_shortcuts_open_the_usual_folder(estimator, tmp_path):
    model_id = register_sklearn_model(
        estimator[0], "fraud", performance_metrics={"accuracy": 0.9}, tags={"a": "b"}
    )
    assert get_best_model("fraud", "accuracy", higher_is_better=True) == model_id
    assert Path("model_registry").is_dir()
    with pytest.raises(InvalidInput, match="not a scikit-learn estimator"):
        register_sklearn_model(object(), "fraud")


def test_a_registry_opened_twice_in_one_process_is_one_registry(registry, folder):
    with ModelRegistry(folder) as other:
        model_id = other.register_model(None, "fraud")
        assert registry.get_model(model_id).number == 1
        assert other.get_registry_stats() == registry.get_registry_stats()


def test_public_names_are_those_of_the_package():
    assert {"ModelRegistry", "ModelStage", "register_sklearn_model", "get_best_model"} <= set(
        modelyard.__all__
    )
