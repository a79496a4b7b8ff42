"""Where bytes live: the narrow waist under every blob store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from modelyard.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """What the store itself knows: ``size`` in bytes, ``modified_at`` by the store's clock (UTC).

    Just after storing the time may be by this machine's clock, so two of them are equal whatever it is.
    """

    digest: str
    size: int
    modified_at: datetime = field(compare=False)


class BlobStore(Protocol):
    """Immutable bytes, addressed by ``sha256:<64 hex>``.

    Contract:
        * Thread-safe; several processes may use one store at once.
        * ``put`` publishes whole, verified and durable bytes or nothing; repeating it is harmless.
        * Bytes under a digest never change. No method takes a path or name that a client wrote.
        * A malformed digest raises ``InvalidInput`` everywhere. Failing media raises ``StorageError``
          (``StorageFull`` when space or quota is the cause).
    """

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """Store the concatenation of ``chunks`` durably and return its digest and size.

        The digest is computed while writing. With ``expect`` given and different, raises ``BlobDamaged`` and leaves
        nothing behind, not even a temporary file.
        """
        ...

    def put_file(
        self, path: Path, *, expect: str | None = None, progress: Callable[[int], None] | None = None
    ) -> BlobInfo:
        """``put`` of a local file, in bounded memory. ``progress`` is called with bytes done since the last call.

        A source that changes while it is read raises ``StorageError``.
        """
        ...

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 1 MiB. Raises ``BlobNotFound`` on the call, not on first use.

        A whole read (``start=0, length=None``) is verified: ``BlobDamaged`` is raised before the last piece is
        yielded when the bytes do not match the digest. A range cannot be verified and is not.
        """
        ...

    def stat(self, digest: str) -> BlobInfo | None:
        """Size and time, or ``None``. Does not read the bytes."""
        ...

    def delete(self, digest: str) -> None:
        """Remove the bytes; nothing happens if they are not there."""
        ...

    def list(self) -> Iterator[BlobInfo]:
        """Every blob, in no particular order."""
        ...

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """A URL that serves exactly these bytes for a while, or ``None`` where the store cannot."""
        ...

    def location(self, digest: str) -> Path | None:
        """An existing local file with exactly these bytes to read (never to write), or ``None``."""
        ...

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """Check the stored bytes against the digest; raises ``BlobDamaged`` or ``BlobNotFound``.

        With ``cached`` a blob that this store has verified before and whose (size, inode, mtime, ctime) are the same
        since is taken as good without reading; a store without such a memory reads every time.
        """
        ...

    def materialise(
        self, digest: str, target: Path, *, progress: Callable[[int], None] | None = None
    ) -> None:
        """Make a private, verified copy at ``target`` (which must not exist): reflink, else in-kernel copy, else copy.

        The file appears at ``target`` whole and verified, or not at all.
        """
        ...

    def sweep(self, *, older_than_seconds: float) -> int:
        """Remove abandoned temporary files of uploads whose writer is gone; return the bytes freed."""
        ...

    def quarantine(self, digest: str) -> None:
        """Move damaged bytes aside (never delete them), so that the digest can be stored again."""
        ...

    def collecting(self, *, patient: bool = True) -> AbstractContextManager[None]:
        """Held by the one collector that may remove blobs; raises ``Conflict`` at once if another holds it.

        A collector that dies lets go of it, so whoever holds it may finish what an earlier one began. Where that takes
        a while, only who is ``patient`` waits for it.
        """
        ...

    def close(self) -> None:
        """Release handles. The store may not be used afterwards."""
        ...


@runtime_checkable
class Refilling(Protocol):
    """What an iterator of ``BlobStore.open`` can do beside that if its bytes need no look at them on their way."""

    def fill(self, buffer: memoryview) -> int:
        """Read the next bytes into memory that the caller has; how many, 0 at the end."""
        ...

    def fill_at_once(self, buffer: memoryview) -> int | None:
        """``fill`` if nobody has to wait for a disk, such as an event loop that has others to serve; else ``None``."""
        ...


@runtime_checkable
class Recalling(Protocol):
    """What a ``BlobStore`` can do beside that if every question to it is a trip."""

    def just_stored(self, digest: str) -> bytes | None:
        """The bytes, if the store acknowledged them to this process within the last minute and they are still held.

        They were whole and durable at that time. Whether they are there still is not asked: a collector may have been.
        """
        ...


def recalling(store: BlobStore) -> Recalling | None:
    """The store, if it can do that."""
    return store if _can(type(store), Recalling) else None  # type: ignore[return-value]


ModelsOf = Callable[[str], Iterable[str]]
"""Names of the models that have a version with the bytes of a digest."""


@runtime_checkable
class Housing(Protocol):
    """What a ``BlobStore`` can do beside that if it keeps the bytes of different models in different places.

    Where a copy is never decides whether bytes can be read, only where they are stored.
    """

    def house(self, digest: str, model: str) -> None:
        """See that there is a copy where the bytes of ``model`` belong.

        Raises ``BlobNotFound`` if there is none anywhere.
        """
        ...

    def tidy(self, models_of: ModelsOf) -> int:
        """Have a copy of every blob wherever its models want it and remove others; return the bytes freed.

        Only for the holder of ``BlobStore.collecting``. Bytes that no model has yet stay where they are.
        """
        ...


def housing(store: BlobStore) -> Housing | None:
    """The store, if it can do that."""
    return store if _can(type(store), Housing) else None  # type: ignore[return-value]


@cache
def _can(kind: type, protocol: type) -> bool:
    """Kept, since asking a protocol costs 50 µs, and every registration asks twice."""
    return issubclass(kind, protocol)
