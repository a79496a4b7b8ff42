"""Large files to a server, in pieces that go on where they stopped: after a broken connection, after a restart of the
server, and after one of this program, which remembers the upload in the cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from modelyard.domain.errors import BlobDamaged, Conflict, ModelyardError, NotFound
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.service import Progress
from modelyard.remote.advance import Advance
from modelyard.remote.connections import Connection
from modelyard.remote.patience import Patience
from modelyard.remote.transport import Transport
from modelyard.wire.codec import decode
from modelyard.wire.operations import PREFIX

STEP: Final = 64 * 1024 * 1024
"""Bytes of a piece: between two, it is looked whether the server has the bytes already."""
SOON: Final = 100_000_000
HEAD_START: Final = 0.05
"""Up to so many bytes are hashed in so many seconds, and so asked about before the first of them is sent. A larger file
would only be sent later by that."""
HERE: Final = f"{PREFIX}/blobs/uploads"


class LargeUpload:
    """One file on its way.

    It is hashed while it is sent, since only few bytes have left by then on any network; if the server turns out to
    have them, the rest is spared.

    Args:
        transport: The way to the server.
        source: The open file, not to be changed meanwhile.
        known: Its digest, if the caller knows it.
        has: Whether the server has bytes.
        note: Where the upload's id is remembered for the next process.
    """

    def __init__(
        self,
        transport: Transport,
        source: IO[bytes],
        known: str | None,
        has: Callable[[str], bool],
        note: Path | None,
        progress: Progress | None,
    ) -> None:
        self._transport = transport
        self._source = source
        self._size = os.fstat(source.fileno()).st_size
        self._known = known
        self._has = has
        self._note = note
        self._advance = Advance(progress)
        self._upload = ""
        self._patience = Patience()

    def run(self) -> BlobInfo:
        """Send it, or as much of it as shows that the server has it.

        Raises:
            BlobDamaged: The server received other bytes than were hashed here: the file changed meanwhile.
        """
        with ThreadPoolExecutor(1, "modelyard-sha256") as pool, Connection(self._transport) as connection:
            digest = _known(self._known) if self._known else pool.submit(_digest, self._source.fileno())
            resumed = self._remembered()
            try:
                return self._deliver(connection, digest)
            except BlobDamaged:
                if not resumed:
                    raise
            self._forget()  # What an earlier run left was not this file's beginning.
            return self._deliver(connection, digest)

    def _deliver(self, connection: Connection, digest: Future[str]) -> BlobInfo:
        asked = False
        if self._size <= SOON:
            wait([digest], HEAD_START)
        offset = self._where()
        self._advance.spare(offset)
        while offset < self._size:
            if digest.done() and not asked:
                asked = True
                if self._patience.ask(partial(self._has, digest.result())):
                    self._give_up()
                    self._advance.spare(self._size)
                    return BlobInfo(digest=digest.result(), size=self._size, modified_at=datetime.now(UTC))
            offset = self._send(connection, offset)
            self._advance.go_on_from(offset)
        return self._finish(digest.result())

    def _send(self, connection: Connection, offset: int) -> int:
        """Send the next piece; returns how many bytes the server has then, however that went."""
        if not self._upload:
            self._begin()
        length = min(STEP, self._size - offset)
        try:
            headers = {"Content-Range": f"{offset}-{offset + length - 1}"}
            told = connection.send(
                "PATCH",
                f"{HERE}/{self._upload}",
                self._source,
                offset,
                length,
                headers=headers,
                progress=self._advance.move,
            )
        except NotFound:
            self._forget()
            self._patience.wait(Conflict("the upload was swept on the server while it was under way"))
            return 0
        except ModelyardError as error:
            self._patience.wait(error)
            size = self._where()
        else:
            size = int(told["size"])
        if size > offset:
            self._patience.moved()
        return size

    def _finish(self, digest: str) -> BlobInfo:
        if not self._upload:  # an empty rest of an upload that was swept
            self._begin()
        try:
            told = self._ask("PUT", f"{HERE}/{self._upload}", query=[("digest", digest)])
        except BlobDamaged:
            self._forget()
            raise
        self._forget()
        return decode(BlobInfo, told)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        """A question of this transfer; all of them may be asked twice."""
        return self._patience.ask(partial(self._transport.ask, method, path, safe=True, **more))

    def _begin(self) -> None:
        """Begin an upload. One whose answer was lost is swept on the server like any that nobody goes on with."""
        self._upload = str(self._ask("POST", HERE)["upload"])
        if self._note is not None:
            with suppress(OSError):
                self._note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._note.write_text(self._upload)

    def _where(self) -> int:
        """How many bytes the server has; 0, and the upload forgotten, if it knows nothing of it."""
        if not self._upload:
            return 0
        try:
            size = int(self._ask("GET", f"{HERE}/{self._upload}")["size"])
        except NotFound:
            self._forget()
            return 0
        if size > self._size:
            self._give_up()
            return 0
        return size

    def _remembered(self) -> bool:
        with suppress(OSError):
            found = self._note.read_text() if self._note is not None else ""
            self._upload = found if found.isalnum() else ""
        return bool(self._upload)

    def _forget(self) -> None:
        self._upload = ""
        if self._note is not None:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    def _give_up(self) -> None:
        if self._upload:
            with suppress(ModelyardError):
                self._transport.ask("DELETE", f"{HERE}/{self._upload}", safe=True)
        self._forget()


def _digest(descriptor: int) -> str:
    """The digest of an open file; its position is left alone."""
    hasher, view, done = hashlib.sha256(), memoryview(bytearray(1 << 20)), 0
    while count := os.preadv(descriptor, [view], done):
        hasher.update(view[:count])
        done += count
    return f"sha256:{hasher.hexdigest()}"


def _known(digest: str) -> Future[str]:
    ready: Future[str] = Future()
    ready.set_result(digest)
    return ready


def note_of(folder: Path, url: str, found: os.stat_result, path: Path) -> Path:
    """Where the upload of a file to a server is remembered, as long as the file is the same."""
    said: tuple[Any, ...] = (url, str(path.absolute()), found.st_size, found.st_ino, found.st_mtime_ns)
    return folder / hashlib.sha256(repr(said).encode()).hexdigest()
