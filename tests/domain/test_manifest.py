"""The frozen identity of a version: what it covers, and what it leaves out."""

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import manifest
from modelyard.domain.canonical import canonical
from modelyard.domain.records import (
    Check,
    FileEntry,
    FlavorRecord,
    LineageEdge,
    Metric,
    ModelStage,
    ModelVersion,
    ScanReport,
    Withdrawal,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
ENTRY = FileEntry(path="model.txt", size=3, digest=DIGEST)
VERSION = ModelVersion(
    model_id="01j9zzzzzzzzzzzzzzzzzzzzzz",
    name="fraud",
    number=1,
    version="1.0.0",
    created_at=NOW,
    created_by="ann",
    files=(ENTRY,),
)

FROZEN = {
    "model_id": "01j9zzzzzzzzzzzzzzzzzzzzz0",
    "name": "other",
    "number": 2,
    "version": "1.0.1",
    "created_at": NOW.replace(hour=13),
    "created_by": "bob",
    "files": (replace(ENTRY, digest="sha256:" + "b" * 64),),
    "flavor": FlavorRecord(name="pickle"),
    "framework": "xgboost",
    "algorithm": "XGBClassifier",
    "hyperparams": {"c": 1},
    "signature": {"inputs": []},
    "environment": {"python": "3.12"},
    "data_lineage": {"dataset": "cards"},
    "lineage": (LineageEdge(kind="parent", target="x"),),
    "parent": "x",
}
CHANGING = {
    "links": (LineageEdge(kind="run", target="r1"),),
    "withdrawn": Withdrawal(reason="x", at=NOW),
    "override_reason": "x",
    "warnings": ("x",),
    "digest": DIGEST,
    "content_digest": DIGEST,
    "stage": ModelStage.PRODUCTION,
    "description": "x",
    "tags": {"a": "b"},
    "attributes": {"a": 1},
    "metrics": (Metric(name="accuracy", value=0.9, at=NOW),),
    "checks": {"ok": Check(name="ok", passed=True, at=NOW, by="ann")},
    "card": {"owner": "ann"},
    "card_version": 1,
    "aliases": ("champion",),
    "scans": {"model.txt": ScanReport(verdict="clean")},
    "successor": "x",
    "rolled_back_at": NOW,
    "staged_at": NOW,
    "load_check": {"ok": True},
    "legal_hold": "x",
    "deleted_at": NOW,
    "collected_at": NOW,
    "updated_at": NOW,
    "revision": 7,
    "artifact_path": "/x",
}
FILES = st.lists(
    st.builds(FileEntry, path=st.sampled_from("abcdef"), size=st.integers(0, 9), digest=st.just(DIGEST)),
    max_size=5,
    unique_by=lambda entry: entry.path,
)


def test_every_fact_of_a_version_is_said_to_be_frozen_or_not():
    assert FROZEN.keys() | CHANGING.keys() == {f.name for f in fields(ModelVersion)}
    assert not FROZEN.keys() & CHANGING.keys()


@pytest.mark.parametrize("fact", FROZEN)
def test_another_frozen_fact_is_another_digest(fact):
    assert manifest.build(replace(VERSION, **{fact: FROZEN[fact]})).digest != manifest.build(VERSION).digest


@pytest.mark.parametrize("fact", CHANGING)
def test_what_may_change_later_is_not_in_the_digest(fact):
    assert manifest.build(replace(VERSION, **{fact: CHANGING[fact]})) == manifest.build(VERSION)


@pytest.mark.parametrize("change", [{"path": "b"}, {"size": 4}, {"digest": "sha256:" + "b" * 64}], ids=str)
def test_another_file_is_another_content(change):
    assert manifest.content_digest([replace(ENTRY, **change)]) != manifest.content_digest([ENTRY])


@given(FILES, st.randoms())
def test_the_order_in_which_files_are_named_does_not_matter(files, chance):
    shuffled = chance.sample(files, len(files))
    assert manifest.content_digest(shuffled) == manifest.content_digest(files)


def test_facts_made_ready_before_change_nothing():
    version = replace(VERSION, **FROZEN)
    ready = {fact: canonical(getattr(version, fact)) for fact in ("flavor", "hyperparams", "signature")}
    assert manifest.build(version, ready) == manifest.build(version)


def test_the_documents_are_an_oci_manifest_and_its_config():
    frozen = manifest.build(VERSION)
    document, config = json.loads(frozen.manifest), json.loads(frozen.config)
    assert frozen.digest == "sha256:" + hashlib.sha256(frozen.manifest).hexdigest()
    assert document["schemaVersion"] == 2
    assert document["config"]["digest"] == "sha256:" + hashlib.sha256(frozen.config).hexdigest()
    assert document["config"]["size"] == len(frozen.config)
    (layer,) = document["layers"]
    assert (layer["digest"], layer["size"]) == (DIGEST, 3)
    assert layer["annotations"]["org.opencontainers.image.title"] == "model.txt"
    assert config["descriptor"]["version"] == "1.0.0"
    assert config["io.modelyard"]["model_id"] == VERSION.model_id


def test_files_that_travel_along_are_documents_and_not_weights():
    version = replace(VERSION, files=(ENTRY, replace(ENTRY, path="plot.png", role="artifact")))
    kinds = [layer["mediaType"] for layer in json.loads(manifest.build(version).manifest)["layers"]]
    assert [kind.split(".")[-3:] for kind in kinds] == [["weight", "v1", "raw"], ["doc", "v1", "raw"]]


def test_a_version_without_files_has_the_empty_layer():
    (layer,) = json.loads(manifest.build(replace(VERSION, files=())).manifest)["layers"]
    assert layer["digest"] == "sha256:" + hashlib.sha256(b"{}").hexdigest()
    assert layer["size"] == 2
