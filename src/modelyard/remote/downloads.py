"""Bytes from a server into the cache: what has arrived stays there, so a broken download goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Final, cast

from modelyard.domain.errors import BlobDamaged, Conflict, InvalidInput, ModelyardError, NotFound
from modelyard.ports.service import Progress
from modelyard.ports.uploads import Upload, Uploads
from modelyard.remote.advance import Advance
from modelyard.remote.connections import PIECE, Connection
from modelyard.remote.patience import Patience
from modelyard.remote.transport import Transport
from modelyard.wire.operations import PREFIX

MOST: Final = 3
"""Partial files that are tried before another is begun: the others are being written by somebody."""


def download(
    transport: Transport, arriving: Uploads, digest: str, start: bytes, progress: Progress | None
) -> None:
    """Bring bytes into the cache, verified. ``start`` is what has arrived of them just now.

    A partial file belongs to the digest it is meant to have: whoever wants those bytes goes on with it.

    Raises:
        BlobNotFound: The server has none of that digest, or none for this caller.
        BlobDamaged: It sent others.
        Conflict, NotFound: Somebody else took over the partial file; it may be whole by now.
        Unreachable: It stopped answering.
    """
    advance = Advance(progress)
    with Connection(transport) as connection:
        part = mine(arriving, digest) or arriving.begin(digest)
        resumed = part.size > 0
        if part.size < len(start):
            part = arriving.append(digest, part.upload, part.size, (start[part.size :],))
        part = _complete(connection, arriving, digest, part, advance)
        try:
            arriving.finish(digest, part.upload, digest)
        except BlobDamaged:
            if not resumed:
                raise
            part = _complete(connection, arriving, digest, arriving.begin(digest), advance)
            arriving.finish(digest, part.upload, digest)


def mine(arriving: Uploads, digest: str) -> Upload | None:
    """The longest partial file of these bytes that nobody writes to."""
    for found in sorted(arriving.held(digest), key=lambda held: held.size, reverse=True)[:MOST]:
        try:
            return arriving.append(digest, found.upload, found.size, ())
        except (Conflict, NotFound):
            continue
    return None


def _complete(
    connection: Connection, arriving: Uploads, digest: str, part: Upload, advance: Advance
) -> Upload:
    patience = Patience()
    while True:
        before = part
        try:
            return _receive(connection, arriving, digest, part, advance)
        except Conflict:
            raise
        except ModelyardError as error:
            part = arriving.find(digest, part.upload)
            if part.size > before.size:
                patience.moved()
            patience.wait(error)


def _receive(
    connection: Connection, arriving: Uploads, digest: str, part: Upload, advance: Advance
) -> Upload:
    advance.go_on_from(part.size)
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    try:
        with connection.receive(f"{PREFIX}/blobs/{digest}", headers) as answer:
            pieces = _pieces(answer, part.size if answer.status == 200 else 0, advance)
            return arriving.append(digest, part.upload, part.size, pieces)
    except InvalidInput:
        if part.size == 0:
            raise
        return part  # There are no more bytes than that; whether they are the right ones is seen next.


def _pieces(answer: HTTPResponse, unwanted: int, advance: Advance) -> Iterator[bytes]:
    """The body, each piece good until the next one is asked for.

    ``unwanted`` bytes at its start are here already: somebody in between did not understand the range.
    """
    left = int(answer.headers["Content-Length"])
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
