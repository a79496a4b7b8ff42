"""A registry as one OCI image layout: which documents it has, and what they say.

The layout holds one manifest for the registry as a whole, the *bundle manifest*, whose layers are *chapters* (the
records and the history of one model each) and whose config is the *table of contents*; and, for stock tools, the
frozen manifest of every version that has its bytes. ``index.json`` follows from the rest byte for byte, so a reader
builds it again and compares: nothing in it can be changed unseen, although no digest covers it.

Media types, annotations and ``oci-layout``: OCI Image Specification 1.1 (image-layout, image-index, image-manifest,
annotations).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any, Final

from modelyard.domain import manifest
from modelyard.domain.canonical import SAFE_INTEGER, canonical, sha256
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.names import check_digest
from modelyard.domain.records import Model, ModelVersion

FORMAT: Final = 1
LAYOUT_FILE: Final = "oci-layout"
LAYOUT: Final = canonical({"imageLayoutVersion": "1.0.0"})
INDEX_FILE: Final = "index.json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
BUNDLE_TYPE: Final = "application/vnd.modelyard.bundle.v1+json"
CONTENTS_TYPE: Final = "application/vnd.modelyard.contents.v1+json"
CHAPTER_TYPE: Final = "application/vnd.modelyard.records.v1+json"
REF_NAME: Final = "org.opencontainers.image.ref.name"
TITLE: Final = "org.opencontainers.image.title"
BUNDLE_REF: Final = "registry"

_REF_PART = re.compile(r"[A-Za-z0-9]+(?:(?:[-._@+]|--)[A-Za-z0-9]+)*", re.ASCII)
"""One component of a reference name in the OCI image layout, without the colon, at which tools split a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Bytes by digest, with their number."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Where the records of one model are (``model=""``: those of the registry as a whole), and up to which event."""

    model: str
    slug: str
    sequence: int
    head: str
    records: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The table of contents: every blob of the state that the bundle stands for.

    Attributes:
        base: Digest of the bundle manifest that this one continues; empty if it stands alone.
        carried: Digest -> size of what is inside, besides the bundle manifest and this table.
        covered: The same of what the base has; a reader needs to have it already.
        models: Model -> (number, hash) of the last event, also of models of which only the base has the records.
    """

    base: str = ""
    carried: Mapping[str, int] = field(default_factory=dict)
    covered: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The three documents that hold a bundle together, as bytes."""

    index: bytes
    manifest: bytes
    contents: bytes


def frame(contents: Contents, chapters: Iterable[Chapter], versions: Iterable[ModelVersion]) -> Frame:
    """Index, bundle manifest and table of contents.

    Args:
        contents: What the bundle carries and what it leaves to its base.
        chapters: Those it carries.
        versions: The versions in those chapters; listed are those whose manifest is carried.
    """
    parts = sorted(chapters, key=lambda chapter: chapter.model)
    table = canonical(
        {
            "format": FORMAT,
            "base": contents.base,
            "carried": _rows(contents.carried),
            "covered": _rows(contents.covered),
            "models": {name: list(last) for name, last in contents.models.items()},
        }
    )
    whole = canonical(
        {
            "schemaVersion": 2,
            "mediaType": manifest.MANIFEST_TYPE,
            "artifactType": BUNDLE_TYPE,
            "config": _descriptor(CONTENTS_TYPE, sha256(table), len(table)),
            "layers": [_layer(chapter) for chapter in parts] or [manifest.EMPTY_LAYER],
        }
    )
    slugs = {chapter.model: chapter.slug for chapter in parts}
    index = canonical(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [
                _descriptor(manifest.MANIFEST_TYPE, sha256(whole), len(whole))
                | {"artifactType": BUNDLE_TYPE, "annotations": {REF_NAME: BUNDLE_REF}},
                *_listed(contents, versions, slugs),
            ],
        }
    )
    return Frame(index=index, manifest=whole, contents=table)


def frozen(version: ModelVersion) -> dict[str, bytes]:
    """Digest -> bytes of the documents that a version brings along; none once its files were collected."""
    if version.collected_at is not None:
        return {}
    built = manifest.build(version)
    documents = {built.digest: built.manifest, sha256(built.config): built.config}
    return documents if version.files else documents | EMPTY_BLOB


def blob_path(digest: str) -> str:
    """Where an OCI layout keeps the bytes with a digest."""
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


EMPTY_BLOB: Final[dict[str, bytes]] = {str(manifest.EMPTY_LAYER["digest"]): b"{}"}
"""What stands for "no layers" in an OCI manifest."""


def files(version: ModelVersion) -> dict[str, int]:
    """Digest -> size of a version's own files, as long as it has them."""
    return {f.digest: f.size for f in version.files} if version.collected_at is None else {}


def chapter_of(model: Model | None, digest: str, size: int) -> Chapter:
    """A chapter's entry: everything but the address follows from the model's record."""
    address = Address(digest=digest, size=size)
    if model is None:
        return Chapter(model="", slug="", sequence=0, head="", records=address)
    return Chapter(
        model=model.name, slug=model.slug, sequence=model.sequence, head=model.head, records=address
    )


def _rows(blobs: Mapping[str, int]) -> list[list[Any]]:
    return [[digest, size] for digest, size in sorted(blobs.items())]


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _layer(chapter: Chapter) -> dict[str, Any]:
    """A chapter as a layer, under a title by which tools write it to a file."""
    says = {TITLE: f"{chapter.slug or BUNDLE_REF}.json"}
    if chapter.model:
        says |= {
            "io.modelyard.model": chapter.model,
            "io.modelyard.sequence": str(chapter.sequence),
            "io.modelyard.head": chapter.head,
        }
    return _descriptor(CHAPTER_TYPE, chapter.records.digest, chapter.records.size) | {"annotations": says}


def _listed(
    contents: Contents, versions: Iterable[ModelVersion], slugs: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Descriptors of the versions whose manifest is carried, by model and number."""
    for version in sorted(versions, key=lambda v: (v.name, v.number)):
        if version.collected_at is None and version.digest in contents.carried:
            says = _descriptor(manifest.MANIFEST_TYPE, version.digest, contents.carried[version.digest])
            says["artifactType"] = manifest.ARTIFACT_TYPE
            if name := _ref_name(slugs.get(version.name, ""), version):
                says["annotations"] = {REF_NAME: name}
            yield says


def _ref_name(slug: str, version: ModelVersion) -> str:
    """``slug/label`` where OCI's grammar allows it; deleted versions have no name, only a digest."""
    parts = (*slug.split("/"), version.version)
    return "" if version.deleted or not all(map(_REF_PART.fullmatch, parts)) else "/".join(parts)


# --- reading ----------------------------------------------------------------------------------------------------------


def first_manifest(index: bytes) -> Address:
    """The bundle manifest that an ``index.json`` names first."""
    with _reading(INDEX_FILE):
        return _address(json.loads(index)["manifests"][0])


def addresses(whole: bytes) -> tuple[Address, tuple[Address, ...]]:
    """What a bundle manifest names: the table of contents and the chapters."""
    with _reading("the bundle manifest"):
        document = json.loads(whole)
        layers = tuple(_address(item) for item in document["layers"])
        return _address(document["config"]), () if layers == (_address(manifest.EMPTY_LAYER),) else layers


def parse_contents(table: bytes) -> Contents:
    """The table of contents.

    Raises:
        InvalidInput: It is none, or one of another format.
    """
    with _reading("the table of contents"):
        document = json.loads(table)
        if document["format"] != FORMAT:
            raise InvalidInput(
                f"the bundle has format {document['format']!r:.40}; this build reads format {FORMAT}: "
                "import it with the build that wrote it, or a newer one"
            )
        return Contents(
            base=check_digest(document["base"]) if document["base"] else "",
            carried=_blobs(document["carried"]),
            covered=_blobs(document["covered"]),
            models={str(name): (int(at), str(head)) for name, (at, head) in document["models"].items()},
        )


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn whatever malformed JSON leads to into one error that names the document."""
    try:
        yield
    except InvalidInput:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"{what} is not what a bundle has: {error!r:.200}") from error


def _address(descriptor: Mapping[str, Any]) -> Address:
    return Address(digest=check_digest(descriptor["digest"]), size=_size(descriptor["size"]))


def _blobs(rows: Iterable[tuple[Any, Any]]) -> dict[str, int]:
    return {check_digest(digest): _size(size) for digest, size in rows}


def _size(size: Any) -> int:
    if type(size) is not int or not 0 <= size <= SAFE_INTEGER:
        raise InvalidInput(f"{size!r:.40} is no number of bytes")
    return size
