"""Blobs as files under one folder of a local file system.

Order of a put: write a private draft, hash it, sync it, rename it to its digest, sync the folder. So a name
that is seen stands for whole, verified and durable bytes, whenever the process or the power dies.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from modelyard.adapters.blobs.addresses import check_expected, damaged, digest_of, hex_of
from modelyard.adapters.blobs.collector import collector_lock
from modelyard.adapters.blobs.copying import copy, copy_and_digest, write_all
from modelyard.adapters.blobs.digesting import PIECE, Follower, Progress, digest_file
from modelyard.adapters.blobs.drafts import Draft, drafting, sweep_drafts
from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.pouring import pour
from modelyard.adapters.blobs.reading import Pieces, VerifiedPieces, check_range
from modelyard.adapters.blobs.samples import Samples
from modelyard.adapters.blobs.shelf import Shelf
from modelyard.adapters.blobs.sources import Source, opening_source
from modelyard.adapters.blobs.targets import creating
from modelyard.adapters.blobs.verified import VerifiedMemory, unchanged
from modelyard.domain.errors import BlobNotFound
from modelyard.ports.blobs import BlobInfo

_STORING = "writing to the blob store"
_READING = "reading from the blob store"


class LocalBlobs:
    """A ``BlobStore`` in ``root/<folder>``; several stores may share one ``root``.

    Holds no descriptors and no state but "the folders are there", so it is safe among threads, processes and
    forks. Nothing is made on disk before the first put, so a read-only store can be read.

    Args:
        root: Folder of the registry; may itself be reached through links, nothing below it may.
        folder: Name of this store's own folder, such as ``blobs`` or ``manifests``.
    """

    def __init__(self, root: Path, *, folder: str = "blobs") -> None:
        self._root = Path(root).absolute()
        self._memory = VerifiedMemory(self._root, folder)
        self._samples = Samples(self._root, folder)
        self._shelf = Shelf(self._root, folder, (self._memory.folder_name, self._samples.folder_name))

    @property
    def root(self) -> Path:
        """The folder that holds this store and its temporary files."""
        return self._root

    # Writing

    def prepare(self) -> None:
        """Make every folder that storing needs, unless they are there."""
        with storage_errors(_STORING):
            self._shelf.prepare()

    def adopt(self, draft: Draft, hexdigits: str) -> BlobInfo:
        """Publish a hashed and synced file of this store's temporary folder; it stays there if its bytes are here."""
        with storage_errors(_STORING):
            return self._keep(draft, hexdigits, None)

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """See ``BlobStore.put``. Up to 1 MiB is hashed before anything touches the disk."""
        wanted = None if expect is None else hex_of(expect)
        rest = iter(chunks)
        head = _take(rest, PIECE)
        if len(head) <= PIECE:
            return self._put_small(head, expect)
        if wanted is not None and (found := self._good(wanted)) is not None:
            check_expected(_digest_of_all(head, rest), expect)
            return self._confirmed(wanted, found)
        return self._put_stream(itertools.chain((head,), rest), expect)

    def put_file(
        self, path: Path, *, expect: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        """Store the regular file ``path`` in bounded memory; otherwise as ``put``.

        Bytes that are likely to be there already (the caller says so by ``expect``, or a sample of the file
        does) are hashed first, and written only if that was wrong.

        Args:
            path: Not followed if it is a link; it must not change meanwhile.
            expect: Digest it has to have.
            progress: Called with the number of bytes newly dealt with, at least once per 8 MiB.

        Raises:
            BlobDamaged: The digest is not ``expect``; nothing is left behind.
            InvalidInput: ``path`` is a link or not a regular file.
            StorageError: ``path`` cannot be read or changed while it was read, or the store refuses.
        """
        wanted = None if expect is None else hex_of(expect)
        with opening_source(path) as source, storage_errors(f"storing {str(path)!r}"):
            if source.size <= PIECE:
                return self._put_small(_whole(source, progress), expect)
            candidate = wanted or self._samples.candidate(source.descriptor, source.size)
            if candidate is not None:
                stored = self._compare(source, candidate, expect, progress)
                if stored is not None:
                    return stored
                if wanted is None:
                    progress = None  # These bytes were counted while they were compared.
            return self._copy_in(source, expect, progress)

    def _put_small(self, data: bytes, expect: str | None) -> BlobInfo:
        hexdigits = hashlib.sha256(data).hexdigest()
        check_expected(digest_of(hexdigits), expect)
        with storage_errors(_STORING):
            self._shelf.prepare()
            if (found := self._good(hexdigits, len(data))) is not None:
                return self._confirmed(hexdigits, found)
            with drafting(self._root) as draft:
                draft.write(data)
                draft.sync()
                return self._publish(draft, hexdigits)

    def _put_stream(self, chunks: Iterable[bytes], expect: str | None) -> BlobInfo:
        with ExitStack() as stack:
            with storage_errors(_STORING):
                self._shelf.prepare()
                draft = stack.enter_context(drafting(self._root))
            follower = stack.enter_context(Follower(draft.descriptor))
            pour(draft, 0, chunks, follower, _STORING)
            with storage_errors(_STORING):
                draft.sync()
                return self._keep(draft, follower.finish(), expect)

    def _copy_in(self, source: Source, expect: str | None, progress: Progress | None) -> BlobInfo:
        self._shelf.prepare()
        os.posix_fadvise(source.descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        with drafting(self._root) as draft:
            hexdigits, count = copy_and_digest(
                source.descriptor, draft.descriptor, source.size, progress, durable=True
            )
            source.check_unchanged(count)
            return self._keep(draft, hexdigits, expect)

    def _compare(
        self, source: Source, candidate: str, expect: str | None, progress: Progress | None
    ) -> BlobInfo | None:
        """Hash the source if good bytes of ``candidate`` are here in its size.

        ``None`` if they are not its bytes.
        """
        found = self._good(candidate, source.size)
        if found is None:
            return None
        hexdigits, count = digest_file(source.descriptor, source.size, progress)
        source.check_unchanged(count)
        check_expected(digest_of(hexdigits), expect)
        return self._confirmed(candidate, found) if hexdigits == candidate else None

    def _keep(self, draft: Draft, hexdigits: str, expect: str | None) -> BlobInfo:
        """Publish a synced draft, unless it is not what was announced or good bytes are here by now."""
        check_expected(digest_of(hexdigits), expect)
        size = os.fstat(draft.descriptor).st_size
        found = self._good(hexdigits, size)
        self._samples.note(draft.descriptor, size, hexdigits)
        return self._publish(draft, hexdigits) if found is None else self._confirmed(hexdigits, found)

    def _publish(self, draft: Draft, hexdigits: str) -> BlobInfo:
        found = self._shelf.publish(draft, hexdigits)
        self._memory.record(hexdigits, found)
        return _info(hexdigits, found)

    def _confirmed(self, hexdigits: str, found: os.stat_result) -> BlobInfo:
        with storage_errors(_STORING):
            self._shelf.confirm(hexdigits)
        return _info(hexdigits, found)

    def _good(self, hexdigits: str, size: int | None = None) -> os.stat_result | None:
        """The blob's ``stat`` if its bytes are here and right. Anything else in its place is moved to
        quarantine.

        Bytes never verified before are read: taking them for good would turn damage into an acknowledged
        upload.
        """
        with storage_errors(_STORING):
            found = self._shelf.find(hexdigits)
            if found is None:
                return None
            if (
                stat.S_ISREG(found.st_mode)
                and size in (None, found.st_size)
                and self._right(hexdigits, found)
            ):
                return found
            self._shelf.set_aside(hexdigits)
            return None

    def _right(self, hexdigits: str, found: os.stat_result) -> bool:
        if self._memory.knows(hexdigits, found):
            return True
        with suppress(BlobNotFound):  # Deleted this moment: there is nothing right there either.
            return self._digest_stored(hexdigits) == hexdigits
        return False

    # Reading

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See ``BlobStore.open``. What was verified before and is unchanged since is not hashed again."""
        hexdigits = hex_of(digest)
        check_range(start, length)
        with storage_errors(_READING):
            descriptor = self._shelf.open(hexdigits)
        if start or length is not None or self._memory.knows(hexdigits, os.fstat(descriptor)):
            return Pieces(descriptor, start, length)
        return VerifiedPieces(descriptor, hexdigits, lambda found: self._memory.record(hexdigits, found))

    def stat(self, digest: str) -> BlobInfo | None:
        """See ``BlobStore.stat``; ``None`` too when a folder or a link stands in the blob's place."""
        hexdigits = hex_of(digest)
        with storage_errors(_READING):
            found = self._shelf.find(hexdigits)
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        return _info(hexdigits, found)

    def list(self) -> Iterator[BlobInfo]:
        """See ``BlobStore.list``."""
        with storage_errors(_READING):
            for hexdigits, found in self._shelf.entries():
                yield _info(hexdigits, found)

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Always ``None``: a folder serves nothing."""
        hex_of(digest)
        return None

    def location(self, digest: str) -> Path | None:
        """See ``BlobStore.location``. Says where, not whether the bytes are right: ``verify`` does."""
        hexdigits = hex_of(digest)
        there = self._shelf.stands(hexdigits) or self.stat(digest) is not None
        return self._shelf.path(hexdigits) if there else None

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """See ``BlobStore.verify``."""
        hexdigits = hex_of(digest)
        with storage_errors(_READING):
            if cached and self._unchanged_since_verified(hexdigits):
                return
            found = self._digest_stored(hexdigits)
        if found != hexdigits:
            raise damaged(hexdigits, digest_of(found))

    def materialise(self, digest: str, target: Path, *, progress: Progress | None = None) -> None:
        """See ``BlobStore.materialise``.

        A blob that was verified before and is unchanged since is copied without hashing it again. Otherwise
        the copy itself is hashed before it gets its name.

        Raises:
            AlreadyExists: ``target`` is there.
        """
        hexdigits = hex_of(digest)
        with storage_errors(f"copying a blob to {str(target)!r}"):
            source = self._shelf.open(hexdigits)
            try:
                with creating(Path(target)) as copied:
                    self._copy_out(source, copied, hexdigits, progress)
            finally:
                os.close(source)

    def _copy_out(self, source: int, target: int, hexdigits: str, progress: Progress | None) -> None:
        found = os.fstat(source)
        if self._memory.knows(hexdigits, found):
            count = copy(source, target, found.st_size, progress)
            if count != found.st_size:
                raise damaged(hexdigits, f"{count} of {found.st_size} bytes")
            return
        actual, _ = _copy_hashed(source, target, found.st_size, progress)
        if actual != hexdigits:
            raise damaged(hexdigits, digest_of(actual))
        if unchanged(found, os.fstat(source)):
            self._memory.record(hexdigits, found)

    def _unchanged_since_verified(self, hexdigits: str) -> bool:
        found = self._shelf.find(hexdigits)
        return found is not None and stat.S_ISREG(found.st_mode) and self._memory.knows(hexdigits, found)

    def _digest_stored(self, hexdigits: str) -> str:
        """Hash what is stored under a digest, and remember it if it is right."""
        descriptor = self._shelf.open(hexdigits)
        try:
            before = os.fstat(descriptor)
            actual, _ = digest_file(descriptor)
            if actual == hexdigits and unchanged(before, os.fstat(descriptor)):
                self._memory.record(hexdigits, before)
            return actual
        finally:
            os.close(descriptor)

    # Removing

    def delete(self, digest: str) -> None:
        """See ``BlobStore.delete``. What is not a file, and so is not ours, goes to quarantine instead."""
        hexdigits = hex_of(digest)
        with storage_errors("deleting a blob"):
            found = self._shelf.find(hexdigits)
            if found is not None and stat.S_ISDIR(found.st_mode):
                self._shelf.set_aside(hexdigits)
            elif found is not None:
                self._shelf.remove(hexdigits)

    def quarantine(self, digest: str) -> None:
        """See ``BlobStore.quarantine``; nothing happens if nothing is there."""
        hexdigits = hex_of(digest)
        with storage_errors("moving a blob to quarantine"):
            if self._shelf.find(hexdigits) is not None:
                self._shelf.set_aside(hexdigits)

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``BlobStore.sweep``.

        Drafts are shared by all stores of one root, so this sweeps for all of them.
        """
        with storage_errors("sweeping temporary files"):
            self._samples.prune(lambda hexdigits: self._shelf.find(hexdigits) is not None)
            try:
                return sweep_drafts(self._root, older_than_seconds=older_than_seconds)
            except FileNotFoundError:  # Nothing was ever stored here.
                return 0

    def collecting(self, *, patient: bool = True) -> AbstractContextManager[None]:
        """See ``BlobStore.collecting``; one lock for all stores of one root."""
        return collector_lock(self._root)

    def close(self) -> None:
        """Nothing is held."""


def _info(hexdigits: str, found: os.stat_result) -> BlobInfo:
    modified = datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC)
    return BlobInfo(digest=digest_of(hexdigits), size=found.st_size, modified_at=modified)


def _take(chunks: Iterator[bytes], limit: int) -> bytes:
    """Join chunks until they are more than ``limit`` bytes, or until the end."""
    taken: list[bytes] = []
    size = 0
    for chunk in chunks:
        taken.append(bytes(chunk))  # Copies only what its owner may change, such as a bytearray.
        size += len(chunk)
        if size > limit:
            break
    return taken[0] if len(taken) == 1 else b"".join(taken)


def _digest_of_all(head: bytes, rest: Iterator[bytes]) -> str:
    hasher = hashlib.sha256(head)
    for chunk in rest:
        hasher.update(chunk)
    return digest_of(hasher.hexdigest())


def _whole(source: Source, progress: Progress | None) -> bytes:
    """Read a small source; one byte more is asked for, to see one that grew."""
    data = os.pread(source.descriptor, source.size + 1, 0)
    source.check_unchanged(len(data))
    if progress is not None:
        progress(len(data))
    return data


def _copy_hashed(source: int, target: int, size: int, progress: Progress | None) -> tuple[str, int]:
    """Copy and hash; what fits one piece is not worth a thread."""
    if size > PIECE:
        return copy_and_digest(source, target, size, progress, durable=False)
    data = os.pread(source, size, 0)
    write_all(target, data)
    if progress is not None:
        progress(len(data))
    return hashlib.sha256(data).hexdigest(), len(data)
