"""Bytes from a server into the cache: what has arrived stays there, so a broken download goes on where it stopped."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Final, cast

from modelyard.domain.errors import BlobDamaged, Conflict, InvalidInput, ModelyardError, NotFound
from modelyard.ports.service import Progress
from modelyard.ports.uploads import Upload, Uploads
from modelyard.remote.advance import Advance
from modelyard.remote.connections import PIECE, Connection
from modelyard.remote.patience import Patience
from modelyard.remote.ranges import WORTH, Ranges
from modelyard.remote.transport import Transport
from modelyard.wire.operations import PREFIX

MOST: Final = 3
"""Partial files that are tried before another is begun: the others are being written by somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Bytes that are to be brought here.

    Attributes:
        size: How many there are, as the server says.
        start: What has arrived of them just now.
        one_is_enough: It came so fast that more connections would only cost processor time.
    """

    digest: str
    size: int
    start: bytes = b""
    one_is_enough: bool = False


def download(transport: Transport, arriving: Uploads, wanted: Wanted, progress: Progress | None) -> None:
    """Bring bytes into the cache, verified.

    A partial file belongs to the digest it is meant to have: whoever wants those bytes goes on with it.

    Raises:
        BlobNotFound: The server has none of that digest, or none for this caller.
        BlobDamaged: It sent others.
        Conflict, NotFound: Somebody else took over the partial file; it may be whole by now.
        Unreachable: It stopped answering.
    """
    digest, start = wanted.digest, wanted.start
    with Connection(transport) as connection:
        coming = _Coming(transport, connection, arriving, wanted, Advance(progress))
        part = mine(arriving, digest) or arriving.begin(digest)
        resumed = part.size > 0
        if part.size < len(start):
            part = arriving.append(digest, part.upload, part.size, (start[part.size :],))
        part = coming.complete(part)
        try:
            arriving.finish(digest, part.upload, digest)
        except BlobDamaged:
            if not resumed:
                raise
            part = coming.complete(arriving.begin(digest))
            arriving.finish(digest, part.upload, digest)


def mine(arriving: Uploads, digest: str) -> Upload | None:
    """The longest partial file of these bytes that nobody writes to."""
    for found in sorted(arriving.held(digest), key=lambda held: held.size, reverse=True)[:MOST]:
        try:
            return arriving.append(digest, found.upload, found.size, ())
        except (Conflict, NotFound):
            continue
    return None


class _Coming:
    """Bytes on their way into a partial file."""

    def __init__(
        self,
        transport: Transport,
        connection: Connection,
        arriving: Uploads,
        wanted: Wanted,
        advance: Advance,
    ) -> None:
        self._transport, self._connection, self._arriving = transport, connection, arriving
        self._digest, self._size, self._advance = wanted.digest, wanted.size, advance
        self._path = f"{PREFIX}/blobs/{wanted.digest}"
        self._by_ranges = not wanted.one_is_enough

    def complete(self, part: Upload) -> Upload:
        """Fetch what is missing, however often it breaks off, as long as something comes."""
        patience = Patience(heard=True)  # It said how many bytes there are.
        while True:
            before = part
            try:
                return self._receive(part)
            except Conflict:
                raise
            except ModelyardError as error:
                part = self._arriving.find(self._digest, part.upload)
                if part.size > before.size:
                    patience.moved()
                patience.wait(error)

    def _receive(self, part: Upload) -> Upload:
        self._advance.go_on_from(part.size)
        if self._by_ranges and self._size - part.size >= WORTH:
            part = self._in_ranges(part)
            if self._by_ranges:
                return part
        headers = {"Accept-Encoding": "identity"}
        if part.size:
            headers["Range"] = f"bytes={part.size}-"
        try:
            with self._connection.receive(self._path, headers, size=self._size) as answer:
                pieces = _pieces(answer, part.size if answer.status == 200 else 0, self._advance)
                return self._arriving.append(self._digest, part.upload, part.size, pieces)
        except InvalidInput:
            if part.size == 0:
                raise
            return part  # There are no more bytes than that; whether they are the right ones is seen next.

    def _in_ranges(self, part: Upload) -> Upload:
        """Over several connections; where ranges are not understood, nothing or less comes, and one has to do."""
        ranges = Ranges(self._transport, self._path, part.size, self._size)
        with closing(_counted(ranges, self._advance)) as pieces:
            part = self._arriving.append(self._digest, part.upload, part.size, pieces)
        self._by_ranges = ranges.understood
        return part


def _counted(ranges: Ranges, advance: Advance) -> Generator[bytes, None, None]:
    with closing(iter(ranges)) as pieces:
        for piece in pieces:
            yield piece
            advance.move(len(piece))


def _pieces(answer: HTTPResponse, unwanted: int, advance: Advance) -> Iterator[bytes]:
    """The body, each piece good until the next one is asked for.

    ``unwanted`` bytes at its start are here already: somebody in between did not understand the range.
    """
    left = answer.length
    if left is None:
        raise ConnectionError("somebody in between sends bytes without saying how many")
    buffer = memoryview(bytearray(PIECE))
    while left:
        count = answer.readinto(buffer[: min(PIECE, left)])
        if count == 0:
            raise ConnectionError("the connection ended before the last byte")
        left -= count
        dropped = min(unwanted, count)
        unwanted -= dropped
        if dropped < count:
            yield cast(bytes, buffer[dropped:count])
            advance.move(count - dropped)
