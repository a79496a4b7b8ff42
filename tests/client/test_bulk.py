"""Registering many models by one call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.client.bulk import Batch
from modelyard.domain.errors import AlreadyExists, BlobNotFound, InvalidInput
from modelyard.domain.records import FileEntry, FlavorRecord
from modelyard.settings import Settings


@pytest.fixture
def registry():
    settings = Settings()
    git = replace(settings.versioning.git, enabled=False)
    with ModelRegistry(
        "memory://", config=replace(settings, versioning=replace(settings.versioning, git=git))
    ) as registry:
        yield registry


def weights(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(name.encode())
    return path


def test_many_models_are_stored_in_their_order(registry, tmp_path):
    entries = [
        {"model": weights(tmp_path, f"{n}.bin"), "name": "fraud", "tags": {"place": str(n)}} for n in range(5)
    ]
    ids = registry.register_models(entries, batch=2)
    found = [registry.get_model(model_id) for model_id in ids]
    assert [version.number for version in found] == [1, 2, 3, 4, 5]
    assert [version.tags["place"] for version in found] == list("01234")
    assert registry.download(ids[3], tmp_path / "out").joinpath("3.bin").read_bytes() == b"3.bin"
    assert registry.verify_audit().ok


def test_a_live_object_is_stored_as_alone(registry):
    (one,) = registry.register_models([{"model": {"weights": [1, 2]}, "name": "fraud"}])
    other = registry.register_model({"weights": [1, 2]}, "churn")
    assert registry.load_model(one) == registry.load_model(other) == {"weights": [1, 2]}
    assert registry.get_model(one).flavor.name == registry.get_model(other).flavor.name
    assert registry.get_model(one).environment == registry.get_model(other).environment


def test_known_bytes_need_no_file(registry, tmp_path):
    first = registry.get_model(registry.register_model(weights(tmp_path, "m.bin"), "fraud"))
    file, flavor = first.files[0], first.flavor
    given = {"path": file.path, "digest": file.digest}
    ids = registry.register_models(
        [
            {"files": first.files, "flavor": flavor, "environment": first.environment, "name": "same"},
            {"files": [given], "name": "plain"},
            {"files": [given, {**given, "path": "b/n.bin"}], "name": "folder"},
            {
                "files": [given],
                "flavor": {"name": "file", "entry": "m.bin", "globals": ["a.B"]},
                "name": "told",
            },
        ]
    )
    same, plain, folder, told = (registry.get_model(model_id) for model_id in ids)
    assert (same.files, same.flavor, same.environment) == (first.files, first.flavor, first.environment)
    assert plain.flavor == FlavorRecord(name="file", entry="m.bin")
    assert (folder.flavor.name, len(folder.files)) == ("directory", 2)
    assert told.flavor.globals == ("a.B",)


def test_a_refusal_names_the_entry_and_keeps_the_batches_before(registry, tmp_path):
    path = weights(tmp_path, "m.bin")
    registry.register_model(path, "fraud", "1.0.0")
    good = {"model": path, "name": "churn"}
    wrong = {"model": weights(tmp_path, "n.bin"), "name": "fraud", "version": "1.0.0"}
    for bad, kind in (
        (wrong, AlreadyExists),
        ({"name": "fraud"}, InvalidInput),
        ({"model": path}, InvalidInput),
        ({**good, "taggs": {}}, InvalidInput),
        ({"files": [{"path": "m", "digest": f"sha256:{'0' * 64}"}], "name": "x"}, BlobNotFound),
    ):
        before = len(registry.list_models(name="churn")) if "churn" in registry.list_names() else 0
        with pytest.raises(kind) as caught:
            registry.register_models([good, good, good, bad], batch=2)
        assert caught.value.data["entry"] == 4
        assert kind is not AlreadyExists or caught.value.detail.startswith("entry 4 (fraud 1.0.0): ")
        assert len(registry.list_models(name="churn")) == before + 2
    with pytest.raises(InvalidInput, match="batch"):
        registry.register_models([good], batch=0)
    assert registry.register_models([]) == []


def test_bytes_that_were_collected_meanwhile_are_sent_again(registry, tmp_path):
    service = registry.service
    with Batch(service, registry.settings, registry.location) as batch:
        ready = [batch.add({"model": weights(tmp_path, f"{n}.bin"), "name": "fraud"}) for n in range(2)]
        service.blobs.delete(ready[1].request.files[0].digest)
        assert [one.new for one in batch.send(ready)] == [True, True]
        known = batch.add({"files": list(ready[0].request.files), "name": "fraud"})
    service.blobs.delete(known.request.files[0].digest)
    with pytest.raises(BlobNotFound):
        batch.send([known])


def test_a_size_may_be_said_and_is_held_against_the_bytes(registry, tmp_path):
    file = registry.get_model(registry.register_model(weights(tmp_path, "m.bin"), "fraud")).files[0]
    wrong = FileEntry(path="m.bin", digest=file.digest, size=file.size + 1)
    with pytest.raises(Exception, match="the manifest says 6 bytes"):
        registry.register_models([{"files": [wrong], "name": "fraud"}])


def test_the_work_tree_is_looked_at_once(tmp_path, monkeypatch):
    from modelyard.adapters import git

    asked = []

    def look(folder=None):
        asked.append(folder)
        return git.Lookup(failure="no git here")

    monkeypatch.setattr(git.Lookup, "start", staticmethod(look))
    with ModelRegistry("memory://", config=Settings()) as registry:
        ids = registry.register_models(
            [{"model": weights(tmp_path, f"{n}.bin"), "name": "fraud"} for n in range(3)]
        )
        assert len(asked) == 1
        assert {registry.get_model(one).environment["git"]["unknown"] for one in ids} == {"no git here"}
