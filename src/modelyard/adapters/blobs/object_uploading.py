"""Getting bytes of any length under a key of an object store, whole or not at all."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from modelyard.adapters.blobs.digesting import PIECE
from modelyard.adapters.blobs.object_channel import Channel
from modelyard.adapters.blobs.object_faults import object_error, object_errors
from modelyard.adapters.blobs.object_feed import Feed
from modelyard.adapters.blobs.object_leftovers import Leftovers
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_reading import ObjectPieces
from modelyard.domain.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PART: Final = 8 * PIECE
MOST_PARTS: Final = 9_900
"""Parts of one upload; S3 and Google's store end at 10,000."""
AT_ONCE: Final = 3
"""Parts on their way at the same time: with ``PART`` this bounds the memory of an upload."""
COPIED_WHOLE: Final = 5 * 10**9
"""Bytes up to which every store copies an object inside itself by one request."""
PROVEN: Final = 256 << 10
"""Bytes up to which it is quicker to compute an MD5 than to ask the store what it has."""
_STORING: Final = "storing a blob"


class Uploading:
    """Uploads and copies in one place."""

    def __init__(self, client: ObjectStore, place: Place) -> None:
        self._client, self._place = client, place
        self._leftovers = Leftovers(place)

    def whole(self, key: str, data: bytes) -> str | None:
        """Put a small body by one request; returns its ETag."""
        import obstore

        try:
            with object_errors(self._place, _STORING):
                return obstore.put(self._client, key, data, use_multipart=False)["e_tag"]
        except FileNotFoundError as error:
            raise object_error(self._place, _STORING, error) from None

    def in_parts(self, key: str, feed: Feed, *, size: int | None = None) -> str | None:
        """Put what ``feed`` gives, at ``AT_ONCE`` parts at a time; returns the ETag.

        The object appears only after ``feed`` has ended without an error, so a digest it judges is judged before that.
        Whatever ``feed`` raises passes as it is, and what had arrived is thrown away. ``feed`` is asked by this thread.

        Args:
            size: Bytes that will come, if known: parts grow with it, so that any size fits.
        """
        part = max(PART, -(-(size or 0) // MOST_PARTS))
        before = self._under_way(key)
        try:
            return self._pump(key, feed, part)
        except BaseException:
            if feed.size:
                self._give_up(key, before)
            raise

    def _pump(self, key: str, feed: Feed, part: int) -> str | None:
        """Send the feed from a second thread."""
        channel = Channel()
        with ThreadPoolExecutor(1, "modelyard-upload") as pool:
            sending = pool.submit(self._send, key, channel, part)
            sending.add_done_callback(lambda _: channel.close())
            try:
                # The feed goes on to its end only as long as somebody takes it: only a whole one may be completed.
                if all(map(channel.send, feed)):
                    channel.end()
                return sending.result()
            finally:
                channel.give_up()

    def _send(self, key: str, channel: Channel, part: int) -> str | None:
        import obstore

        chunks: Any = channel
        try:
            with object_errors(self._place, _STORING):
                return obstore.put(
                    self._client,
                    key,
                    chunks,
                    use_multipart=True,
                    chunk_size=part,
                    max_concurrency=at_once(part),
                )["e_tag"]
        except FileNotFoundError as error:
            raise object_error(self._place, _STORING, error) from None

    def copy(self, key: str, target: str, size: int) -> None:
        """Copy inside the store; through here where the object is too large for that.

        Raises:
            FileNotFoundError: There is no such object.
        """
        import obstore

        if size <= COPIED_WHOLE:
            with object_errors(self._place, "copying a blob"):
                obstore.copy(self._client, key, target)
            return
        pieces = ObjectPieces(self._client, self._place, key, 0, None)
        self.in_parts(target, Feed(pieces, expect=None, most=size), size=size)

    def _under_way(self, key: str) -> frozenset[str]:
        """Ids of uploads to the key at this moment; none where the store does not show them."""
        if not self._leftovers.are_seen:
            return frozenset()
        with suppress(StorageError):  # It is asked for tidiness; what is wrong shows in the upload itself.
            return frozenset(each.upload for each in self._leftovers.below(key) if each.key.endswith(key))
        return frozenset()

    def _give_up(self, key: str, before: frozenset[str]) -> None:
        """Abort the upload that just failed, as far as it can be told from others to the same key.

        It is ours if it is the only one that was not there before. If there are several, the sweep takes it later:
        aborting somebody else's would let whoever announces a wrong digest stop all others.
        """
        if not self._leftovers.are_seen:
            return
        with suppress(StorageError):
            new = [
                each
                for each in self._leftovers.below(key)
                if each.upload not in before and each.key.endswith(key)
            ]
            if len(new) == 1:
                self._leftovers.abort(new[0])


def proves(e_tag: str | None, data: bytes) -> bool:
    """Whether the answer to a PUT of small ``data`` shows by itself that the store has exactly these bytes.

    On most stores the ETag of an object sent whole is the MD5 of what arrived. Where it is not, as with encryption by a
    key of one's own or on Azure, or where this machine may not compute an MD5, it shows nothing.
    """
    if e_tag is None or len(data) > PROVEN:
        return False
    try:
        return e_tag.strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()
    except ValueError:
        return False


def at_once(part: int) -> int:
    """How many parts of that size may be on their way: at most 24 MiB of them, but two in any case."""
    return max(2, min(AT_ONCE, AT_ONCE * PART // part))
