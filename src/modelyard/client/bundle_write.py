"""Writing a registry as one file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard.client import bundle_records, bundle_tar
from modelyard.client.bundle_head import Head
from modelyard.domain import layout
from modelyard.domain.canonical import sha256
from modelyard.domain.errors import AlreadyExists, InvalidInput, ModelyardError, StorageError, StorageFull
from modelyard.domain.layout import Chapter, Contents, Frame
from modelyard.ports.service import Bundle, Progress, RegistryService

Bars = Callable[[str, int], Progress]
"""Makes a bar from a title and a number of bytes."""

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
"""No room on the disk, or none left of one's share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A bundle before it is written: every blob by digest, those of our own making with their bytes."""

    frame: Frame
    carried: dict[str, int]
    made: dict[str, bytes]


def write(
    service: RegistryService,
    target: Path,
    names: Sequence[str] | None,
    *,
    base: Head | None = None,
    bars: Bars | None = None,
) -> None:
    """Write an export whole or not at all; an existing file is not overwritten.

    Args:
        service: What is exported.
        target: Ends in ``.json`` (records and history) or ``.tar`` (every byte as well).
        names: Models; ``None`` for all.
        base: Head of an earlier bundle, whose blobs are left out.
        bars: Shows how far it is.
    """
    if target.suffix not in (".json", ".tar"):
        raise InvalidInput(
            f"{str(target)!r}: an export ends in .json (records and history) or .tar (with every byte)"
        )
    if base is not None and target.suffix != ".tar":
        raise InvalidInput(f"{str(target)!r}: only a .tar can leave out what another bundle has")
    if os.path.lexists(target):
        raise AlreadyExists(f"{str(target)!r} exists; choose another name or remove it first")
    records = service.export(names)
    with _appearing(target) as out:
        if target.suffix == ".json":
            bundle_tar.put(out, bundle_records.document(records))
        else:
            _write_tar(service, plan(records, base), out, bars)


@contextmanager
def _appearing(target: Path) -> Iterator[int]:
    """A file that gets its name once it is whole and durable; a descriptor to write to.

    Raises:
        StorageError: The disk refuses; ``StorageFull`` if it has no room.
    """
    partial = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{target.name[:100]}-", dir=target.parent)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, target)
        partial = ""
        _sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, ModelyardError):
            raise
        kind = StorageFull if error.errno in FULL else StorageError
        raise kind(f"writing {str(target)!r}: {error.strerror or error}; nothing was written") from error
    finally:
        if partial:
            os.unlink(partial)


def _sync_folder(place: Path) -> None:
    """Make the new name durable: what is exported is often deleted next."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- what goes in -----------------------------------------------------------------------------------------------------


def plan(records: Bundle, base: Head | None) -> Plan:
    """Everything about a bundle but the files' bytes, which are fetched while it is written."""
    made: dict[str, bytes] = {}
    stored: dict[str, int] = {}
    for version in records.versions:
        made |= layout.frozen(version)
        stored |= layout.files(version)
    before = {} if base is None else {**base.contents.covered, **base.contents.carried}
    chapters = []
    for part in bundle_records.chapters(records).values():
        data = bundle_records.document(part)
        made[sha256(data)] = data
        # What belongs to no model is always inside: nobody could tell from a model's history that it is there.
        if not part.models or sha256(data) not in before:
            chapters.append(_chapter(part, data))
    if not chapters:
        made |= layout.EMPTY_BLOB
    sizes = stored | {digest: len(data) for digest, data in made.items()}
    always = {chapter.records.digest for chapter in chapters}
    carried = {d: size for d, size in sizes.items() if d not in before or d in always}
    contents = Contents(
        base="" if base is None else base.digest,
        carried=carried,
        covered={d: size for d, size in sizes.items() if d not in carried},
        models={model.name: (model.sequence, model.head) for model in records.models},
    )
    told = {chapter.model for chapter in chapters}
    listed = [version for version in records.versions if version.name in told]
    return Plan(frame=layout.frame(contents, chapters, listed), carried=carried, made=made)


def _chapter(part: Bundle, data: bytes) -> Chapter:
    return layout.chapter_of(part.models[0] if part.models else None, sha256(data), len(data))


# --- bytes ------------------------------------------------------------------------------------------------------------


def _write_tar(service: RegistryService, plan: Plan, out: int, bars: Bars | None) -> None:
    advance = bars("writing", sum(plan.carried.values())) if bars else lambda count: None
    frame = plan.frame
    bundle_tar.add(out, layout.LAYOUT_FILE, layout.LAYOUT)
    bundle_tar.add(out, layout.INDEX_FILE, frame.index)
    for data in (frame.manifest, frame.contents):
        bundle_tar.add(out, layout.blob_path(sha256(data)), data)
    for digest, size in sorted(plan.carried.items()):
        if digest in plan.made:
            bundle_tar.add(out, layout.blob_path(digest), plan.made[digest])
            advance(size)
        else:
            chunks = service.open_blob(digest)
            bundle_tar.add_stream(out, layout.blob_path(digest), size, chunks, advance)
    bundle_tar.put(out, bundle_tar.END)
