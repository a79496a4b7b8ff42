"""A change that was made is not told as a failure because a question after it failed."""

from __future__ import annotations

import pytest

from modelyard import ModelRegistry
from modelyard.compat.managers import (
    ModelArtifactManager,
    ModelLifecycleManager,
    ModelStage,
    ModelVersionManager,
)
from modelyard.compat.persistence import ModelPersistence
from modelyard.compat.rest_client import ModelMetadata, ModelRegistryClient
from modelyard.domain.errors import InvalidInput, StorageError, VersionNotFound
from modelyard.domain.request_types import FACT_LIMIT


def test_facts_are_recorded_although_the_disk_does_not_say_where_the_bytes_are(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with ModelRegistry(tmp_path / "registry") as registry:
        made = registry.register_model(tmp_path / "weights.bin", "fraud")
        store = tmp_path / "registry" / "blobs" / "sha256"
        store.rename(tmp_path / "aside")
        store.write_bytes(b"a file where a folder belongs")
        assert registry.tag(made, team="risk").tags == {"team": "risk"}
        assert registry.set_alias("fraud", "champion", made).artifact_path == ""
        assert registry.delete_model(made, True, reason="tidy").deleted
        with pytest.raises(StorageError):
            registry.get_model(registry.undelete_model(made).model_id)


@pytest.fixture
def deleted_meanwhile(monkeypatch):
    """Deletes each version right after it was made, before anybody asks for it."""

    def arrange(method):
        real = getattr(ModelRegistry, method)

        def landed(registry, *given, **how):
            model_id = real(registry, *given, **how)
            registry.delete_model(model_id, True, reason="meanwhile")
            return model_id

        monkeypatch.setattr(ModelRegistry, method, landed)

    return arrange


def refused(kind, call):
    with pytest.raises(kind, match="the version is registered, with the model_id") as caught:
        call()
    assert "stays so, but what follows failed: fraud:" in str(caught.value)


def test_the_other_interfaces_say_that_a_version_is_registered(
    tmp_path, monkeypatch, deleted_meanwhile, estimator
):
    model, _ = estimator
    monkeypatch.chdir(tmp_path)
    deleted_meanwhile("register_model")
    with ModelVersionManager() as versions:
        refused(ValueError, lambda: versions.create_version("fraud", ModelStage.DEVELOPMENT, {}))
    with ModelArtifactManager(tmp_path / "artifacts") as artifacts:
        refused(ValueError, lambda: artifacts.store_model("fraud", "1.0.0", model, {}))
    with ModelPersistence(tmp_path / "models") as models:
        refused(VersionNotFound, lambda: models.save(model, "fraud", "1.0.0"))
    with (
        ModelRegistryClient(str(tmp_path / "client")) as client,
        (tmp_path / "model.bin").open("w+b") as buffer,
    ):
        facts = ModelMetadata(id="x", name="fraud", version="1.0.0")
        refused(VersionNotFound, lambda: client.upload_model(buffer, facts))
    with ModelLifecycleManager(tmp_path / "lifecycle") as lifecycle:
        refused(ValueError, lambda: lifecycle.create_model("fraud", "1.0.0"))


def test_a_transition_with_metadata_that_cannot_be_stored_moves_nothing(tmp_path):
    with ModelLifecycleManager(tmp_path) as lifecycle:
        lifecycle.create_model("fraud", "1.0.0")
        just_too_much = {"what": "x" * (FACT_LIMIT - len('{"what":""}'))}
        for wrong in ({"what": object()}, ["no", "mapping"], {"what": "x" * 2_000_000}, just_too_much):
            with pytest.raises(InvalidInput, match="metadata"):
                lifecycle.transition_model("fraud", "1.0.0", ModelStage.TESTING, metadata=wrong)
        assert lifecycle.get_model_state("fraud", "1.0.0") is ModelStage.DEVELOPMENT


def test_a_transition_that_was_made_is_told_although_nothing_could_be_said_of_it(tmp_path, monkeypatch):
    with ModelLifecycleManager(tmp_path) as lifecycle:
        lifecycle.create_model("fraud", "1.0.0")
        real = ModelRegistry.update_model_stage

        def deleted(registry, *given, **how):
            moved = real(registry, *given, **how)
            registry.delete_model(moved.model_id, True, reason="meanwhile")
            return moved

        monkeypatch.setattr(ModelRegistry, "update_model_stage", deleted)
        with pytest.raises(ValueError, match="is in testing and stays so, but what follows failed"):
            lifecycle.transition_model("fraud", "1.0.0", ModelStage.TESTING, metadata={"by": "ann"})
