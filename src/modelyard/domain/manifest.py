"""A version's frozen identity: an OCI image manifest and its config, as canonical bytes.

Media types and annotations: OCI Image Specification 1.1 (image-manifest, "artifactType"), CNCF ModelPack model-spec.
Nothing that may change later is inside: no stage, description, tag or metric. Both documents can be built again from
the version's frozen facts at any time, which is how ``fsck`` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from modelyard.domain.canonical import canonical, composed, fingerprint, sha256, utc_text
from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import EMPTY, FileEntry, ModelVersion

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE: Final = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.cncf.model.config.v1+json"
LAYER_TYPES: Final = {
    "model": "application/vnd.cncf.model.weight.v1.raw",
    "artifact": "application/vnd.cncf.model.doc.v1.raw",
}
FACTS: Final = (
    "model_id",
    "number",
    "framework",
    "flavor",
    "hyperparams",
    "signature",
    "environment",
    "data_lineage",
    "lineage",
    "parent",
)
"""Fields of a version that our own block of the config has."""
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


def build(version: ModelVersion, ready: Mapping[str, bytes] = EMPTY) -> Manifest:
    """Manifest and config of a version whose number and label are decided.

    Args:
        version: All but its digests.
        ready: The canonical form of some of its ``FACTS``, by name: what was made before others had to wait.
    """
    config = _config(version, ready)
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


def _config(version: ModelVersion, ready: Mapping[str, bytes]) -> bytes:
    """ModelPack's three blocks, plus ours under one vendor key."""
    blocks = {
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
    }
    ours = {name: ready.get(name) or canonical(getattr(version, name)) for name in FACTS}
    return composed(
        {**{name: canonical(block) for name, block in blocks.items()}, "io.modelyard": composed(ours)}
    )
