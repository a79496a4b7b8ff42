"""Bundles that are well formed and wrong: what somebody would write who knows the format."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelyard.client import bundle_records, bundle_tar
from modelyard.client.bundle_head import head
from modelyard.domain import layout
from modelyard.domain.canonical import canonical, sha256

Members = list[tuple[str, bytes]]


def members(path: Path) -> Members:
    """Names and bytes of everything in a tar."""
    with tarfile.open(path) as archive:
        return [(m.name, archive.extractfile(m).read()) for m in archive.getmembers()]


def pack(path: Path, parts: Members, end: bytes = bundle_tar.END) -> Path:
    """A tar exactly as bundles are written, of whatever is given."""
    data = b"".join(bundle_tar.header(n, len(d)) + d + bytes(bundle_tar.padding(len(d))) for n, d in parts)
    path.write_bytes(data + end)
    return path


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle with the records of each model as ``change`` leaves them, all digests and sizes made to fit."""
    found, blobs = head(path), dict(members(path))
    originals = bundle_records.joined(
        bundle_records.parse(blobs[layout.blob_path(address.digest)], "it") for address in found.chapters
    )
    carried, chapters = dict(found.contents.carried), []
    parts = bundle_records.chapters(originals).values()
    for part, address in zip(parts, found.chapters, strict=True):
        document = json.loads(blobs.pop(layout.blob_path(address.digest)))
        change(document)
        data = canonical(document)
        del carried[address.digest]
        carried[sha256(data)] = len(data)
        blobs[layout.blob_path(sha256(data))] = data
        chapters.append(layout.chapter_of(part.models[0], sha256(data), len(data)))
    return framed(path, blobs, carried, chapters, originals)


def framed(
    path: Path,
    blobs: Mapping[str, bytes],
    carried: Mapping[str, int],
    chapters: list[layout.Chapter],
    records: Any,
) -> Path:
    """A bundle of these blobs, with index, manifest and contents that fit them."""
    models = {model.name: (model.sequence, model.head) for model in records.models}
    contents = layout.Contents(carried=carried, models=models)
    made = layout.frame(contents, chapters, records.versions)
    return pack(
        path,
        [
            (layout.LAYOUT_FILE, layout.LAYOUT),
            (layout.INDEX_FILE, made.index),
            (layout.blob_path(sha256(made.manifest)), made.manifest),
            (layout.blob_path(sha256(made.contents)), made.contents),
            *((layout.blob_path(d), blobs[layout.blob_path(d)]) for d in sorted(carried)),
        ],
    )
