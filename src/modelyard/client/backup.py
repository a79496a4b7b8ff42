"""A second copy of a registry's folder, taken while the first is in use, and the way back.

A backup is a registry's folder like any other: it can be opened, checked and served as it is. Taking one again into the
same folder adds the bytes that are new and then replaces the database in one step, so at every moment it is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.metadata.hot_copy import hot_copy
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.answers import AuditProof, Fsck
from modelyard.domain.errors import AlreadyExists, Conflict, IntegrityError, InvalidInput, NotFound
from modelyard.domain.records import Blob
from modelyard.ports.metadata import BlobQuery, MetadataStore, RegistryKey
from modelyard.ports.service import Check
from modelyard.wiring import DATABASE, in_folder

Progress = Callable[[int], None]

ROUNDS: Final = 5
"""How often a backup is begun again because bytes were collected while it was taken."""

_ARRIVING: Final = "arriving"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup holds.

    Attributes:
        blobs, size: All that it holds, in bytes.
        copied: Of these, what this run had to bring.
    """

    path: str
    blobs: int
    size: int
    copied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was brought back, every byte of it read again."""

    path: str
    fsck: Fsck
    audit: AuditProof


def back_up(source: Path, target: Path, progress: Progress = lambda _: None) -> BackedUp:
    """Bring the folder ``target`` to one state of the registry in ``source``, whoever writes to that meanwhile.

    Args:
        target: A new folder, or an earlier backup of the same registry.
        progress: Called with the number of bytes newly copied.

    Raises:
        NotFound: ``source`` holds no registry.
        InvalidInput: One folder lies in the other.
        AlreadyExists: ``target`` holds something else, or another registry.
        Conflict: Collection was always faster.
    """
    source, target = source.absolute(), target.absolute()
    _check_places(source, target)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(ROUNDS):
        with _arriving(target) as database:
            hot_copy(source / DATABASE, database)
            held = _copy_bytes(source, target, database, progress)
            if held is not None:
                _put_in_place(database, target)
                return held
    raise Conflict(
        f"bytes were collected {ROUNDS} times while the backup was taken; take it when `gc` is not running"
    )


def restore(backup: Path, target: Path, progress: Progress = lambda _: None) -> Restored:
    """Make the new registry ``target`` from a backup, and check every byte and every chain of it.

    Raises:
        NotFound: ``backup`` holds no registry.
        AlreadyExists: There is something at ``target``.
        IntegrityError: The backup is damaged; what was brought back is left for inspection.
    """
    if target.exists() and any(target.iterdir()):
        raise AlreadyExists(
            f"{str(target)!r} is not empty; restore into a new folder, then move it where you want it"
        )
    back_up(backup, target, progress)
    service = in_folder(target)
    try:
        found = service.check(Check(deep=True))
        if not found.ok:
            reasons = [f"{each.kind} {each.subject}: {each.detail}" for each in found.findings]
            raise IntegrityError(f"the backup {str(backup)!r} is damaged", reasons=reasons)
        return Restored(path=str(target), fsck=found, audit=service.verify_audit())
    finally:
        service.close()


def _check_places(source: Path, target: Path) -> None:
    if not (source / DATABASE).is_file():
        raise NotFound(f"there is no registry in {str(source)!r}; name another folder")
    if source == target or source in target.parents or target in source.parents:
        raise InvalidInput(f"{str(target)!r} and {str(source)!r} lie in one another; keep a backup elsewhere")
    if not target.exists():
        return
    known = (target / DATABASE).is_file()
    begun = (target / _ARRIVING).is_dir()
    if known and _identity(source) != _identity(target):
        raise AlreadyExists(
            f"{str(target)!r} holds another registry; name a new folder, or one with this one's backup"
        )
    if not known and not begun and any(target.iterdir()):
        raise AlreadyExists(
            f"{str(target)!r} holds something else; name a new folder, or one with an earlier backup"
        )


def _identity(folder: Path) -> str:
    """Which registry a folder holds."""
    records = SqlMetadata(folder / DATABASE)
    try:
        known = records.get(RegistryKey())
        return "" if known is None else str(known.registry_id)
    finally:
        records.close()


@contextmanager
def _arriving(target: Path) -> Iterator[Path]:
    """Where the database waits until all that it names is there. Left by a failure, it marks a backup as begun."""
    home = target / _ARRIVING
    shutil.rmtree(home, ignore_errors=True)  # of a run that was interrupted
    home.mkdir(mode=0o700)
    yield home / DATABASE
    shutil.rmtree(home, ignore_errors=True)


def _copy_bytes(source: Path, target: Path, database: Path, progress: Progress) -> BackedUp | None:
    """Bring what the copied database names; ``None`` if some of it is gone already."""
    with ExitStack() as stack:
        records = SqlMetadata(database)
        stack.callback(records.close)
        theirs, ours = LocalBlobs(source), LocalBlobs(target)
        _copy_manifests(source, target)
        blobs = size = copied = 0
        for row in _live(records):
            if ours.stat(row.digest) is None:
                path = theirs.location(row.digest)
                if path is None:
                    return None
                try:
                    ours.put_file(path, expect=row.digest, progress=progress)
                except FileNotFoundError:
                    return None
                copied += row.size
            blobs, size = blobs + 1, size + row.size
        return BackedUp(path=str(target), blobs=blobs, size=size, copied=copied)


def _live(records: MetadataStore) -> Iterator[Blob]:
    after: str | None = None
    while True:
        page = records.find(BlobQuery(state="live", limit=1000, after=after))
        yield from page.items
        if (after := page.next) is None:
            return


def _copy_manifests(source: Path, target: Path) -> None:
    theirs, ours = LocalBlobs(source, folder="manifests"), LocalBlobs(target, folder="manifests")
    for info in theirs.list():
        if ours.stat(info.digest) is None:
            ours.put(theirs.open(info.digest), expect=info.digest)


def _put_in_place(database: Path, target: Path) -> None:
    """The one step that makes it the backup. What another SQLite kept beside the old file must not outlive it."""
    for suffix in ("-wal", "-shm", "-journal"):
        (target / (DATABASE + suffix)).unlink(missing_ok=True)
    os.replace(database, target / DATABASE)
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
