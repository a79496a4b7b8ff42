"""Blobs as objects of a bucket: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.

``<prefix>/<folder>/sha256/<2 hex>/<64 hex>`` is a blob, ``tmp/`` holds bytes whose digest is not known yet,
``quarantine/`` what was found damaged, ``collector/`` the right to collect.

Bytes are hashed on their way, and an upload is completed only if the digest is right: a key that is seen stands for
whole and verified bytes. Storing what is there already, but was never seen by this process, sends it again: that heals
damage, costs less thought than reading it, and happens seldom, because callers ask first.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.adapters.blobs.addresses import HEX, check_expected, digest_of, hex_of, not_found
from modelyard.adapters.blobs.copying import write_all
from modelyard.adapters.blobs.digesting import Progress, digest_file
from modelyard.adapters.blobs.faults import storage_errors
from modelyard.adapters.blobs.object_assembly import Assembly, Part
from modelyard.adapters.blobs.object_faults import object_error, object_errors
from modelyard.adapters.blobs.object_feed import Feed, gathered, pieces_of
from modelyard.adapters.blobs.object_lease import LIFE, Lease
from modelyard.adapters.blobs.object_leftovers import Leftovers
from modelyard.adapters.blobs.object_memory import GoodObjects
from modelyard.adapters.blobs.object_place import Place, connect
from modelyard.adapters.blobs.object_reading import ObjectPieces, VerifiedObject
from modelyard.adapters.blobs.object_recent import RecentObjects
from modelyard.adapters.blobs.object_removing import removing
from modelyard.adapters.blobs.object_uploading import MOST_PARTS, PART, Uploading, proves
from modelyard.adapters.blobs.reading import check_range
from modelyard.adapters.blobs.sources import Source, opening_source
from modelyard.adapters.blobs.targets import creating
from modelyard.domain.errors import BlobNotFound, StorageError, Unreachable
from modelyard.ports.blobs import BlobInfo

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

TMP: Final = "tmp"
QUARANTINE: Final = "quarantine"
IDLE: Final = 3600.0
"""Seconds without a new part after which an upload may be taken for abandoned, whatever age is asked for."""
LONGEST_LINK: Final = 7 * 86_400
"""Seconds; no provider signs for longer."""
_READING: Final = "reading from the store"
_ANY: Final = 1 << 62


class ObjectBlobs:
    """A ``BlobStore`` in ``<prefix>/<folder>`` of a bucket; several stores may share one place.

    Thread-safe. Not to be used in a child made by ``fork``: the client's own threads are not there.

    Args:
        place: The bucket.
        folder: Name of this store's own part, such as ``blobs`` or ``manifests``.
        small: Bytes up to which a blob is hashed first and sent by one request; it bounds memory for each upload.
        lease: Another store's ``lease`` of the same place, so that both know who collects.
        life: Seconds after which a dead collector's right ends; for a new lease.
    """

    def __init__(
        self,
        place: Place,
        *,
        folder: str = "blobs",
        small: int = PART,
        lease: Lease | None = None,
        life: float = LIFE,
    ) -> None:
        self.place = place
        self._folder = folder
        self._small = small
        self.client = connect(place)
        self._uploading = Uploading(self.client, place)
        self.lease = lease or Lease(self.client, place, life=life)
        self._memory = GoodObjects()
        self._recent = RecentObjects()
        self._bucket_is_there = False

    def __repr__(self) -> str:
        return f"ObjectBlobs({self.place.url!r}, folder={self._folder!r})"

    # Writing

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """See ``BlobStore.put``.

        Without ``expect`` a large stream goes to ``tmp/`` first and is copied inside the store once its digest is
        known.

        Raises:
            TooLarge: A stream of more than 9,900 parts of 8 MiB (77 GiB); ``put_file`` knows no such limit.
        """
        wanted = None if expect is None else hex_of(expect)
        rest = iter(chunks)
        head = gathered(rest, self._small)
        if len(head) <= self._small:
            return self._put_small(head, expect)
        feed = Feed(itertools.chain((head,), rest), expect=expect, most=MOST_PARTS * PART)
        del head
        if wanted is None:
            return self._put_unnamed(feed)
        if (found := self._known(wanted)) is not None:
            for _ in feed:
                pass
            return found
        return self._put_named(feed, wanted)

    def put_together(self, digest: str, parts: Sequence[Part]) -> BlobInfo | None:
        """Store objects of this place one behind the other as the blob that they are known to be, by hashing them all.

        Returns:
            ``None`` where it has to be done in another way: the store cannot, or did not.
        """
        hexdigits = hex_of(digest)
        if (found := self._known(hexdigits)) is not None:
            return found
        assembly = Assembly(self.place)
        if not assembly.is_possible(parts):
            return None
        with suppress(StorageError):
            e_tag = assembly.assemble(self._key(hexdigits), parts)
            return self._confirm(hexdigits, sum(part.size for part in parts), e_tag)
        return None

    def put_file(
        self, path: Path, *, expect: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        """Store the regular file ``path`` in bounded memory; otherwise as ``put``.

        Without ``expect`` the file is read twice, because its digest is its key.

        Args:
            path: Not followed if it is a link; it must not change meanwhile.
            expect: Digest it has to have.
            progress: Called with the number of bytes newly dealt with, at least once per MiB.

        Raises:
            BlobDamaged: The digest is not ``expect``; nothing is left behind.
            InvalidInput: ``path`` is a link or not a regular file.
            StorageError: ``path`` cannot be read or changed while it was read, or the store refuses.
        """
        wanted = None if expect is None else hex_of(expect)
        with opening_source(path) as source, storage_errors(f"storing {str(path)!r}"):
            if source.size <= self._small:
                return self._put_small(b"".join(pieces_of(source, progress)), expect)
            return self._put_large(source, wanted or digest_file(source.descriptor, source.size)[0], progress)

    def _put_large(self, source: Source, hexdigits: str, progress: Progress | None) -> BlobInfo:
        feed = Feed(pieces_of(source, progress), expect=digest_of(hexdigits), most=_ANY)
        if (found := self._known(hexdigits)) is not None:
            for _ in feed:
                pass
            return found
        return self._put_named(feed, hexdigits, size=source.size)

    def _put_small(self, data: bytes, expect: str | None) -> BlobInfo:
        hexdigits = hashlib.sha256(data).hexdigest()
        check_expected(digest_of(hexdigits), expect)
        if (found := self._known(hexdigits)) is not None:
            return found
        e_tag = self._uploading.whole(self._key(hexdigits), data)
        if proves(e_tag, data):
            self._memory.record(hexdigits, e_tag)
            stored = _stored_now(hexdigits, len(data))
        else:
            stored = self._confirm(hexdigits, len(data), e_tag)
        self._recent.record(hexdigits, data)
        return stored

    def _put_named(self, feed: Feed, hexdigits: str, *, size: int | None = None) -> BlobInfo:
        try:
            e_tag = self._uploading.in_parts(self._key(hexdigits), feed, size=size)
        except StorageError:
            # The answer to the last request may be all that was lost; then the bytes are there.
            if not feed.is_whole or not self._has_good(hexdigits):
                raise
            e_tag = None
        return self._confirm(hexdigits, feed.size, e_tag)

    def _put_unnamed(self, feed: Feed) -> BlobInfo:
        key = f"{TMP}/{uuid.uuid4()}"
        try:
            self._uploading.in_parts(key, feed)
            hexdigits = feed.hexdigits
            if (found := self._known(hexdigits)) is not None:
                return found
            self._uploading.copy(key, self._key(hexdigits), feed.size)
            stored = self._confirm(hexdigits, feed.size, None)
            # What was copied is what was hashed, and nobody else writes other bytes under this key.
            self._memory.record(hexdigits, self._e_tag(hexdigits))
            return stored
        finally:
            with suppress(StorageError):  # Swept later, if need be.
                self.remove((key,))

    def _confirm(self, hexdigits: str, size: int, e_tag: str | None) -> BlobInfo:
        """What the store says of the bytes just stored, and that it has them all."""
        found = self._head(hexdigits)
        if found is None:  # Deleted this moment, after it was stored.
            return _stored_now(hexdigits, size)
        if found["size"] != size:
            raise StorageError(
                f"{self.place.name}: it took {size} bytes and has {found['size']} of them. Store them again.",
                data={"bucket": self.place.bucket, "digest": digest_of(hexdigits)},
            )
        # Ceph leaves the ETag of an object in parts empty in its answer; nobody else writes other bytes under this key.
        if e_tag is not None and e_tag in ("", found["e_tag"]):
            self._memory.record(hexdigits, found["e_tag"])
        return _info(hexdigits, found)

    def _e_tag(self, hexdigits: str) -> str | None:
        found = self._head(hexdigits)
        return None if found is None else found["e_tag"]

    def _known(self, hexdigits: str) -> BlobInfo | None:
        """The blob, if this process saw the very same object to be good before."""
        if hexdigits not in self._memory:
            return None
        found = self._head(hexdigits)
        if found is None or not self._memory.knows(hexdigits, found["e_tag"]):
            return None
        return _info(hexdigits, found)

    def _has_good(self, hexdigits: str) -> bool:
        with suppress(BlobNotFound, StorageError):
            self.verify(digest_of(hexdigits), cached=False)
            return True
        return False

    def just_stored(self, digest: str) -> bytes | None:
        """See ``Recalling.just_stored``."""
        return self._recent.find(hex_of(digest))

    # Reading

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See ``BlobStore.open``. A connection that breaks on the way is made again where it broke."""
        hexdigits = hex_of(digest)
        check_range(start, length)
        if start == 0 and length is None:
            return self._whole(hexdigits)
        return self._part(hexdigits, start, None if length is None else start + length)

    def _whole(self, hexdigits: str) -> VerifiedObject:
        try:
            pieces = ObjectPieces(self.client, self.place, self._key(hexdigits), 0, None)
        except FileNotFoundError:
            raise self._missing(hexdigits) from None
        return VerifiedObject(pieces, hexdigits, lambda e_tag: self._memory.record(hexdigits, e_tag))

    def _part(self, hexdigits: str, start: int, end: int | None) -> Iterator[bytes]:
        if start == end:
            return self._nothing_of(hexdigits)
        try:
            return ObjectPieces(self.client, self.place, self._key(hexdigits), start, end)
        except FileNotFoundError:
            raise self._missing(hexdigits) from None
        except StorageError as error:
            # Stores differ in what they say of a range past the end; what they mean is in the size.
            if isinstance(error, Unreachable) or start < self._size(hexdigits):
                raise
            return iter(())

    def _nothing_of(self, hexdigits: str) -> Iterator[bytes]:
        self._size(hexdigits)
        return iter(())

    def _size(self, hexdigits: str) -> int:
        found = self._head(hexdigits)
        if found is None:
            raise not_found(hexdigits)
        return found["size"]

    def stat(self, digest: str) -> BlobInfo | None:
        """See ``BlobStore.stat``."""
        hexdigits = hex_of(digest)
        found = self._head(hexdigits)
        return None if found is None else _info(hexdigits, found)

    def list(self) -> Iterator[BlobInfo]:
        """See ``BlobStore.list``."""
        for meta in self._objects(f"{self._folder}/sha256"):
            shard, _, hexdigits = meta["path"].rpartition("/")
            if HEX.fullmatch(hexdigits) and shard == f"{self._folder}/sha256/{hexdigits[:2]}":
                yield _info(hexdigits, meta)

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """See ``BlobStore.presign``: a link for GET, for a week at most; ``None`` if the credentials cannot sign."""
        import obstore
        from obstore.exceptions import BaseError

        key = self._key(hex_of(digest))
        expires = timedelta(seconds=max(1, min(seconds, LONGEST_LINK)))
        client: Any = self.client
        try:
            return obstore.sign(client, "GET", key, expires)
        except (BaseError, ValueError, OSError):
            return None

    def location(self, digest: str) -> Path | None:
        """Always ``None``: there is no file."""
        hex_of(digest)
        return None

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """See ``BlobStore.verify``; with ``cached``, the same ETag as before is taken for the same bytes."""
        hexdigits = hex_of(digest)
        if cached and self._known(hexdigits) is not None:
            return
        for _ in self._whole(hexdigits):
            pass

    def materialise(self, digest: str, target: Path, *, progress: Progress | None = None) -> None:
        """See ``BlobStore.materialise``; what arrives is hashed before it gets its name.

        Raises:
            AlreadyExists: ``target`` is there.
        """
        pieces = self._whole(hex_of(digest))
        with storage_errors(f"copying a blob to {str(target)!r}"), creating(Path(target)) as copied:
            for piece in pieces:
                write_all(copied, piece)
                if progress is not None:
                    progress(len(piece))

    # Removing

    def delete(self, digest: str) -> None:
        """See ``BlobStore.delete``.

        Raises:
            StorageError: This process collects and may no longer, because its lease could not be renewed.
        """
        key = self._key(hex_of(digest))
        import obstore

        self._forget(hex_of(digest))
        brief = self._brief

        def request() -> None:
            self.lease.check()  # last, so that nothing but the request itself comes between
            obstore.delete(brief, key)

        with suppress(FileNotFoundError):
            removing(self.place, request)

    def _forget(self, hexdigits: str) -> None:
        self._memory.forget(hexdigits)
        self._recent.forget(hexdigits)

    @cached_property
    def _brief(self) -> ObjectStore:
        """A client whose every request has ended long before a lease has that was good when it began."""
        return connect(replace(self.place, patience=self.place.patience.shortened()))

    def quarantine(self, digest: str) -> None:
        """See ``BlobStore.quarantine``; nothing happens if nothing is there."""
        hexdigits = hex_of(digest)
        self._forget(hexdigits)
        found = self._head(hexdigits)
        if found is None:
            return
        with suppress(FileNotFoundError):  # Deleted this moment.
            aside = f"{QUARANTINE}/{self._folder}-{hexdigits}-{uuid.uuid4()}"
            self._uploading.copy(self._key(hexdigits), aside, found["size"])
        self.remove((self._key(hexdigits),))

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``BlobStore.sweep``: temporary objects and, on S3, multipart uploads that nobody goes on with.

        What had a new part within the last hour is never taken for abandoned. Stores of one place share ``tmp/``, so
        this sweeps it for all of them.
        """
        edge = datetime.now(UTC) - timedelta(seconds=max(older_than_seconds, IDLE))
        old = [meta for meta in self._objects(TMP) if meta["last_modified"] <= edge]
        self.remove([meta["path"] for meta in old])
        return sum(meta["size"] for meta in old) + sum(
            self._abort_idle(prefix, edge) for prefix in (f"{self._folder}/sha256/", f"{TMP}/")
        )

    def _abort_idle(self, prefix: str, edge: datetime) -> int:
        leftovers, freed = Leftovers(self.place), 0
        if not leftovers.are_seen:
            return 0
        for each in list(leftovers.below(prefix)):
            size, touched = leftovers.parts(each)
            if touched <= edge:
                leftovers.abort(each)
                freed += size
        return freed

    def collecting(self, *, patient: bool = True) -> AbstractContextManager[None]:
        """See ``BlobStore.collecting``; one lease for all stores of one place.

        A collector of another process is noticed within some seconds. One that died keeps others out for ``life``.

        Raises:
            NotSupported: The store has no conditional PUT.
        """
        return self.lease.held(patient=patient)

    def close(self) -> None:
        """Nothing is held that the client does not let go of itself."""

    # The store

    def key(self, digest: str) -> str:
        """The object of a blob, below the prefix of the place."""
        return self._key(hex_of(digest))

    def _key(self, hexdigits: str) -> str:
        return f"{self._folder}/sha256/{hexdigits[:2]}/{hexdigits}"

    def _head(self, hexdigits: str) -> ObjectMeta | None:
        import obstore

        try:
            with object_errors(self.place, _READING):
                return obstore.head(self.client, self._key(hexdigits))
        except FileNotFoundError:
            self._check_bucket()
            return None

    def _missing(self, hexdigits: str) -> BlobNotFound:
        self._check_bucket()
        return not_found(hexdigits)

    def _check_bucket(self) -> None:
        """Tell a missing object from a missing bucket, once: to HEAD, stores answer 404 for both."""
        if self._bucket_is_there:
            return
        import obstore

        try:
            with object_errors(self.place, _READING):
                next(iter(obstore.list(self.client, TMP, chunk_size=1)), None)
        except FileNotFoundError as error:
            raise object_error(self.place, _READING, error) from None
        self._bucket_is_there = True

    def _objects(self, prefix: str) -> Iterator[ObjectMeta]:
        import obstore

        with object_errors(self.place, "listing the store"):
            for page in obstore.list(self.client, prefix, chunk_size=1000):
                yield from page

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, up to 1,000 by one request; those that are gone already do not matter."""
        import obstore

        for batch in (keys[at : at + 1000] for at in range(0, len(keys), 1000)):
            try:
                removing(
                    self.place, partial(obstore.delete, self.client, batch if len(batch) > 1 else batch[0])
                )
            except FileNotFoundError:
                self._remove_each(batch)

    def _remove_each(self, keys: Sequence[str]) -> None:
        """One by one: a batch may end at the first that is not there."""
        import obstore

        for key in keys if len(keys) > 1 else ():
            with suppress(FileNotFoundError):
                removing(self.place, partial(obstore.delete, self.client, key))


def _info(hexdigits: str, meta: ObjectMeta) -> BlobInfo:
    moment = _whole_seconds(meta["last_modified"].astimezone(UTC))
    return BlobInfo(digest=digest_of(hexdigits), size=meta["size"], modified_at=moment)


def _stored_now(hexdigits: str, size: int) -> BlobInfo:
    return BlobInfo(digest=digest_of(hexdigits), size=size, modified_at=_whole_seconds(datetime.now(UTC)))


def _whole_seconds(moment: datetime) -> datetime:
    """Stores tell the same moment with fractions in a listing and without them elsewhere."""
    return moment.replace(microsecond=0)
