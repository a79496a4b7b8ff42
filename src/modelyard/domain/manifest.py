"""A version's frozen identity: an OCI image manifest and its config, as canonical bytes.

Media types and annotations: OCI Image Specification 1.1 (image-manifest, "artifactType"), CNCF ModelPack model-spec.
Nothing that may change later is inside: no stage, description, tag or metric. Both documents can be built again from
the version's frozen facts at any time, which is how ``fsck`` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from modelyard.domain.canonical import canonical, fingerprint, sha256, utc_text
from modelyard.domain.records import FileEntry, ModelVersion

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE: Final = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.cncf.model.config.v1+json"
LAYER_TYPES: Final = {
    "model": "application/vnd.cncf.model.weight.v1.raw",
    "artifact": "application/vnd.cncf.model.doc.v1.raw",
}
EMPTY_LAYER: Final = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Both documents and the version's ``digest`` (the sha256 of ``manifest``)."""

    manifest: bytes
    config: bytes
    digest: str


def content_digest(files: Iterable[FileEntry]) -> str:
    """Answers "same bytes under the same paths?": sha256 over the sorted list of [path, size, digest]."""
    return fingerprint(sorted([f.path, f.size, f.digest] for f in files))


def build(version: ModelVersion) -> Manifest:
    """Manifest and config of a version whose number and label are decided."""
    config = canonical(_config(version))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": sha256(config), "size": len(config)},
        "layers": [_layer(f) for f in version.files] or [EMPTY_LAYER],
    }
    manifest = canonical(document)
    return Manifest(manifest=manifest, config=config, digest=sha256(manifest))


def _layer(entry: FileEntry) -> dict[str, Any]:
    return {
        "mediaType": LAYER_TYPES.get(entry.role, LAYER_TYPES["artifact"]),
        "digest": entry.digest,
        "size": entry.size,
        "annotations": {
            "org.cncf.model.filepath": entry.path,
            "org.opencontainers.image.title": entry.path,
        },
    }


def _config(version: ModelVersion) -> dict[str, Any]:
    """ModelPack's three blocks, plus ours under one vendor key."""
    return {
        "descriptor": {
            "createdAt": utc_text(version.created_at),
            "authors": [version.created_by],
            "name": version.name,
            "version": version.version,
        },
        "config": {
            "architecture": version.algorithm,
            "format": version.flavor.name if version.flavor else "",
        },
        "modelfs": {"type": "layers", "diffIds": [f.digest for f in version.files]},
        "io.modelyard": {
            "model_id": version.model_id,
            "number": version.number,
            "framework": version.framework,
            "flavor": version.flavor,
            "hyperparams": version.hyperparams,
            "signature": version.signature,
            "environment": version.environment,
            "data_lineage": version.data_lineage,
            "lineage": version.lineage,
            "parent": version.parent,
        },
    }
