"""Uploads as files among the drafts of a local store.

One file each, ``tmp/upload-<16 hex of the owner>-<32 hex id>``, and its length is how much has arrived: there is
nothing else to keep, to lose or to disagree. Whoever writes holds a lock (``flock(2)``) on it, which dies with the
process, so any process goes on where another one died, and the sweep of drafts takes what nobody goes on with. A power
cut may take bytes that had arrived, or leave others in their place: the digest at the end tells.

A finished upload leaves a note of its digest under ``…-done`` until it is swept, so that finishing again says the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from modelyard.adapters.blobs.addresses import check_expected, digest_of, hex_of
from modelyard.adapters.blobs.digesting import Follower, digest_file
from modelyard.adapters.blobs.drafts import DRAFTS, READ_ONLY, Draft, sweep_named
from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.folders import folder
from modelyard.adapters.blobs.pouring import pour
from modelyard.adapters.blobs.uploads.answers import ID, MOST, busy, too_many, unknown, wrong_offset
from modelyard.domain.errors import BlobDamaged
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.uploads import Upload

if TYPE_CHECKING:
    from hashlib import _Hash

    from modelyard.adapters.blobs.local import LocalBlobs

PREFIX: Final = "upload-"
DONE: Final = "-done"
REMEMBERED: Final = 256
"""Uploads whose running digest is kept in memory; the others are read once more at the end."""
_WRITING: Final = "writing an upload"
_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalUploads:
    """``Uploads`` into a ``LocalBlobs``.

    Args:
        blobs: Where finished bytes go.
        most: Uploads under way per owner.
        notes: Whether finished uploads are remembered, so that they may be finished again.
    """

    def __init__(self, blobs: LocalBlobs, *, most: int = MOST, notes: bool = True) -> None:
        self._blobs = blobs
        self._most = most
        self._notes = notes
        self._digests: dict[str, tuple[int, _Hash]] = {}
        self._turn = threading.Lock()

    def begin(self, owner: str) -> Upload:
        """See ``Uploads.begin``."""
        with storage_errors("beginning an upload"):
            self._blobs.prepare()
            if len(self.held(owner)) >= self._most:
                raise too_many(self._most)
            upload = secrets.token_hex(16)
            with folder(self._blobs.root, DRAFTS) as home:
                os.close(os.open(_name(owner, upload), _OPEN | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=home))
        return Upload(upload=upload, size=0)

    def held(self, owner: str) -> tuple[Upload, ...]:
        """See ``Uploads.held``."""
        start = _name(owner, "")
        with storage_errors("listing uploads"):
            try:
                with folder(self._blobs.root, DRAFTS) as home:
                    names = [name for name in os.listdir(home) if name.startswith(start)]
                    return tuple(
                        found
                        for name in names
                        if ID.fullmatch(name, len(start)) and (found := _found(home, name)) is not None
                    )
            except FileNotFoundError:
                return ()

    def find(self, owner: str, upload: str) -> Upload:
        """See ``Uploads.find``."""
        with storage_errors("looking for an upload"), self._home(upload) as home:
            found = _found(home, _name(owner, upload))
        if found is None:
            raise unknown(upload)
        return found

    def append(self, owner: str, upload: str, offset: int, chunks: Iterable[bytes]) -> Upload:
        """See ``Uploads.append``. Hashes what it writes, on a second thread."""
        with self._locked(owner, upload) as part:
            size = os.fstat(part.descriptor).st_size
            if offset != size:
                raise wrong_offset(upload, offset, size)
            known, hasher = self._remembered(upload)
            if known != size:
                return Upload(upload=upload, size=pour(part, size, chunks, None, _WRITING))
            with Follower(part.descriptor, start=size, hasher=hasher) as follower:
                size = pour(part, size, chunks, follower, _WRITING)
                follower.finish()
            self._remember(upload, size, hasher)
        return Upload(upload=upload, size=size)

    def finish(self, owner: str, upload: str, expect: str) -> BlobInfo:
        """See ``Uploads.finish``."""
        hex_of(expect)
        if (again := self._done(owner, upload, expect)) is not None:
            return again
        with self._locked(owner, upload) as part, storage_errors("finishing an upload"):
            hexdigits = self._digest(upload, part.descriptor)
            try:
                check_expected(digest_of(hexdigits), expect)
            except BlobDamaged:
                os.unlink(part.name, dir_fd=part.home)
                raise
            os.fsync(part.descriptor)
            os.fchmod(part.descriptor, READ_ONLY)
            if self._notes:
                _note(part, expect)
            info = self._blobs.adopt(part, hexdigits)
            if not part.published:  # the bytes were here already
                os.unlink(part.name, dir_fd=part.home)
        return info

    def abort(self, owner: str, upload: str) -> None:
        """See ``Uploads.abort``."""
        with self._locked(owner, upload) as part, storage_errors("giving up an upload"):
            os.unlink(part.name, dir_fd=part.home)
        self._remembered(upload)

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``Uploads.sweep``."""
        with storage_errors("sweeping uploads"):
            try:
                return sweep_named(self._blobs.root, PREFIX, older_than_seconds=older_than_seconds)
            except FileNotFoundError:
                return 0

    # --- inside -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _home(self, upload: str) -> Iterator[int]:
        if not ID.fullmatch(upload):
            raise unknown(upload)
        try:
            with folder(self._blobs.root, DRAFTS) as home:
                yield home
        except FileNotFoundError:
            raise unknown(upload) from None

    @contextmanager
    def _locked(self, owner: str, upload: str) -> Iterator[Draft]:
        """The upload's file, to be written by nobody else meanwhile."""
        with self._home(upload) as home:
            name = _name(owner, upload)
            try:
                descriptor = os.open(name, _OPEN, dir_fd=home)
            except FileNotFoundError:
                raise unknown(upload) from None
            try:
                _lock(descriptor, upload)
                yield Draft(home, name, descriptor)
            finally:
                os.close(descriptor)

    def _digest(self, upload: str, descriptor: int) -> str:
        known, hasher = self._remembered(upload)
        if known == os.fstat(descriptor).st_size:
            return hasher.hexdigest()
        return digest_file(descriptor)[0]

    def _remembered(self, upload: str) -> tuple[int, _Hash]:
        """How many bytes are in the running digest, and the digest; it is forgotten here by that."""
        with self._turn:
            return self._digests.pop(upload, None) or (0, hashlib.sha256())

    def _remember(self, upload: str, size: int, hasher: _Hash) -> None:
        with self._turn:
            self._digests[upload] = (size, hasher)
            while len(self._digests) > REMEMBERED:
                del self._digests[next(iter(self._digests))]

    def _done(self, owner: str, upload: str, expect: str) -> BlobInfo | None:
        """What finishing it said before, if it was finished with these bytes."""
        with storage_errors("looking for an upload"), self._home(upload) as home:
            try:
                descriptor = os.open(_name(owner, upload) + DONE, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=home)
            except FileNotFoundError:
                return None
            try:
                told = os.read(descriptor, 100).decode("ascii", "replace")
            finally:
                os.close(descriptor)
        return self._blobs.stat(expect) if told == expect else None


def _name(owner: str, upload: str) -> str:
    """The owner's name may be any text; its digest may be part of a file's name."""
    return f"{PREFIX}{hashlib.sha256(owner.encode()).hexdigest()[:16]}-{upload}"


def _found(home: int, name: str) -> Upload | None:
    try:
        size = os.stat(name, dir_fd=home, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None
    return Upload(upload=name.rpartition("-")[2], size=size)


def _lock(descriptor: int, upload: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy(upload) from error
    if not os.fstat(descriptor).st_nlink:  # finished, given up or swept since it was opened
        raise unknown(upload)


def _note(part: Draft, digest: str) -> None:
    with contextlib.suppress(FileExistsError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(part.name + DONE, flags, 0o600, dir_fd=part.home)
        try:
            os.write(descriptor, digest.encode())
        finally:
            os.close(descriptor)
