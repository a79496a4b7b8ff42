"""The folders of a local store and the order in which they are synced.

``<root>/<store>/sha256/<2 hex>/<64 hex>``. The 256 folders are made together, once, so that publishing a blob
syncs one file and one folder and nothing else; making them costs a few milliseconds and one block each.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from modelyard.adapters.blobs.addresses import HEX, damaged, not_found
from modelyard.adapters.blobs.drafts import DRAFTS, Draft
from modelyard.adapters.blobs.folders import folder, make_folder, make_root
from modelyard.adapters.blobs.verified import CACHE

_ALGORITHM = "sha256"
_PREFIXES = tuple(f"{number:02x}" for number in range(256))
QUARANTINE = "quarantine"


class Shelf:
    """Where the files of one store stand. Raises plain ``OSError``: its user knows what was being done."""

    def __init__(self, root: Path, store: str, caches: tuple[str, ...]) -> None:
        self._root = root
        self._store = store
        self._caches = caches
        self._prepared = False
        self._home = f"{root}/{store}/{_ALGORITHM}/"
        self._folders = (f"{root}/{store}", f"{root}/{store}/{_ALGORITHM}")

    def prepare(self) -> None:
        """Make every folder that storing needs, durably. Cheap after the first call of a process.

        The first call syncs the parents even when all are there: whoever made them may have died before that.
        """
        if self._prepared:
            return
        make_root(self._root)
        with folder(self._root) as root:
            for name in (self._store, DRAFTS, CACHE):
                make_folder(root, name)
            os.fsync(root)
        with folder(self._root, CACHE) as cache:
            for name in self._caches:
                make_folder(cache, name)
        with folder(self._root, self._store) as store:
            make_folder(store, _ALGORITHM)
            os.fsync(store)
        self._make_prefixes()
        self._prepared = True

    def _make_prefixes(self) -> None:
        with folder(self._root, self._store, _ALGORITHM) as home:
            for prefix in set(_PREFIXES) - set(os.listdir(home)):
                make_folder(home, prefix)
            os.fsync(home)

    def path(self, hexdigits: str) -> Path:
        """Where the blob is, if it is there."""
        return Path(f"{self._home}{hexdigits[:2]}/{hexdigits}")

    def stands(self, hexdigits: str) -> bool:
        """Whether a regular file stands in the blob's place, in folders that are none but folders.

        A quarter of what ``find`` costs, for lists that name a place with each version. Somebody may put a link there
        between two of these looks, as he may afterwards: what reads bytes opens them by ``open``.
        """
        home = f"{self._home}{hexdigits[:2]}"
        try:
            folders = all(stat.S_ISDIR(os.lstat(path).st_mode) for path in (*self._folders, home))
            return folders and stat.S_ISREG(os.lstat(f"{home}/{hexdigits}").st_mode)
        except OSError:
            return False

    def find(self, hexdigits: str) -> os.stat_result | None:
        """What stands in the blob's place, of whatever kind, or ``None``."""
        try:
            with folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place:
                return os.stat(hexdigits, dir_fd=place, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, hexdigits: str) -> int:
        """Open the blob for reading.

        Raises:
            BlobNotFound: Nothing is there.
            BlobDamaged: Something is there that is not a regular file.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place:
                descriptor = os.open(hexdigits, flags, dir_fd=place)
        except FileNotFoundError:
            raise not_found(hexdigits) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise damaged(hexdigits, "a link or a device") from error
            raise
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise damaged(hexdigits, "a folder or a device")

    def publish(self, draft: Draft, hexdigits: str) -> os.stat_result:
        """Give a synced draft its final name, durably; returns what ``fstat`` says of it now."""
        with folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place:
            found = draft.publish(place, hexdigits)
            os.fsync(place)
        return found

    def confirm(self, hexdigits: str) -> None:
        """Make the entry of a blob found in place durable: its writer may not have come that far yet."""
        with folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place:
            os.fsync(place)

    def remove(self, hexdigits: str) -> None:
        """Unlink the blob durably; nothing happens if it is not there."""
        try:
            with folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place:
                os.unlink(hexdigits, dir_fd=place)
                os.fsync(place)
        except FileNotFoundError:
            return

    def set_aside(self, hexdigits: str) -> None:
        """Move whatever stands in the blob's place to ``quarantine/<store>-<64 hex>-<uuid>``, durably."""
        with folder(self._root) as root:
            if make_folder(root, QUARANTINE):
                os.fsync(root)
        aside = f"{self._store}-{hexdigits}-{uuid.uuid4()}"
        try:
            with (
                folder(self._root, QUARANTINE) as quarantine,
                folder(self._root, self._store, _ALGORITHM, hexdigits[:2]) as place,
            ):
                os.rename(hexdigits, aside, src_dir_fd=place, dst_dir_fd=quarantine)
                # The new name first: a power cut in between may leave both, but never neither.
                os.fsync(quarantine)
                os.fsync(place)
        except FileNotFoundError:
            return

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every regular file that stands where a blob of its name belongs."""
        for prefix in _PREFIXES:
            yield from self._entries_of(prefix)

    def _entries_of(self, prefix: str) -> list[tuple[str, os.stat_result]]:
        try:
            with (
                folder(self._root, self._store, _ALGORITHM, prefix) as place,
                os.scandir(place) as found,
            ):
                return [kept for entry in found if (kept := _blob_entry(entry, prefix)) is not None]
        except FileNotFoundError:
            return []


def _blob_entry(entry: os.DirEntry[str], prefix: str) -> tuple[str, os.stat_result] | None:
    if not HEX.fullmatch(entry.name) or entry.name[:2] != prefix:
        return None
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # Deleted since the folder was read.
        return None
    return (entry.name, found) if stat.S_ISREG(found.st_mode) else None
