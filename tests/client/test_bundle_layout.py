"""A bundle is an OCI image layout that any tool can read: checked by hand, after the words of the specification."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.domain.canonical import sha256

from .forging import members

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
REF_NAME = re.compile(
    r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*"
)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"


@pytest.fixture
def bundle(registry: ModelRegistry, tmp_path: Path) -> dict[str, bytes]:
    for data in (b"one", b"two"):
        registry.register_model(io.BytesIO(data), "Team A/Fraud detector", alias="best")
    registry.register_model(None, "facts", "alpha..1")
    registry.register_model(io.BytesIO(b"gone"), "facts", "2.0.0")
    registry.delete_model("facts:2.0.0")
    return dict(members(registry.export_registry(tmp_path / "b.tar")))


def check_descriptor(descriptor: dict[str, Any], bundle: dict[str, bytes]) -> bytes:
    """Content descriptors: the three required properties, and what they point at is there."""
    assert MEDIA_TYPE.fullmatch(descriptor["mediaType"])
    assert DIGEST.fullmatch(descriptor["digest"])
    assert type(descriptor["size"]) is int
    assert all(type(v) is str for v in descriptor.get("annotations", {}).values())
    assert MEDIA_TYPE.fullmatch(descriptor.get("artifactType", "a/b"))
    data = bundle["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
    assert (sha256(data), len(data)) == (descriptor["digest"], descriptor["size"])
    return data


def manifests(bundle: dict[str, bytes]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each descriptor of the index with the manifest that it points at."""
    index = json.loads(bundle["index.json"])
    return [(d, json.loads(check_descriptor(d, bundle))) for d in index["manifests"]]


def test_the_marker_file_and_the_index_are_those_of_an_image_layout(bundle: dict[str, bytes]) -> None:
    assert json.loads(bundle["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(bundle["index.json"])
    assert (index["schemaVersion"], index["mediaType"]) == (2, INDEX)
    others = {name for name in bundle if name not in ("oci-layout", "index.json")}
    assert all(re.fullmatch(r"blobs/sha256/[0-9a-f]{64}", name) for name in others)


def test_every_manifest_and_all_that_it_names_is_inside(bundle: dict[str, bytes]) -> None:
    reached = {"oci-layout", "index.json"}
    for descriptor, manifest in manifests(bundle):
        assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, MANIFEST)
        assert manifest["mediaType"] == descriptor["mediaType"]
        assert MEDIA_TYPE.fullmatch(manifest["artifactType"])
        assert manifest["artifactType"] == descriptor["artifactType"]
        assert manifest["layers"]
        for part in (descriptor, manifest["config"], *manifest["layers"]):
            check_descriptor(part, bundle)
            reached.add("blobs/sha256/" + part["digest"].removeprefix("sha256:"))
    assert reached == set(bundle), "every blob is reached from the index"


def test_versions_are_found_by_model_and_label(bundle: dict[str, bytes]) -> None:
    names = [d.get("annotations", {}).get(NAME) for d, _ in manifests(bundle)]
    assert names == ["registry", "team-a/fraud-detector/0.1.0", "team-a/fraud-detector/0.1.1", None, None]
    assert all(REF_NAME.fullmatch(name) for name in names if name)
    titles = [layer["annotations"][TITLE] for layer in manifests(bundle)[1][1]["layers"]]
    assert [bundle_bytes(bundle, manifests(bundle)[1][1]["layers"][0])] == [b"one"]
    assert len(titles) == 1


def bundle_bytes(bundle: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    return bundle["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]


def test_the_records_of_a_model_are_the_export_of_that_model(
    bundle: dict[str, bytes], registry: ModelRegistry, tmp_path: Path
) -> None:
    (_, whole), *_ = manifests(bundle)
    chapters = {layer["annotations"]["io.modelyard.model"]: layer for layer in whole["layers"]}
    assert sorted(chapters) == ["Team A/Fraud detector", "facts"]
    assert chapters["facts"]["annotations"][TITLE] == "facts.json"
    for name, layer in chapters.items():
        alone = registry.export_registry(tmp_path / "one" / f"{name[-3:]}.json", names=[name])
        assert bundle_bytes(bundle, layer) == alone.read_bytes()
        assert layer["annotations"]["io.modelyard.head"] == registry.history(name, limit=1)[0].hash


def test_a_stock_tar_unpacks_it_to_a_layout_folder(
    registry: ModelRegistry, tmp_path: Path, bundle: dict[str, bytes]
) -> None:
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert archive.format in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
        archive.extractall(tmp_path / "layout", filter="data")
    for name, data in bundle.items():
        assert (tmp_path / "layout" / name).read_bytes() == data
