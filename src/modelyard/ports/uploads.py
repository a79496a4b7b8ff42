"""Bytes that arrive in pieces: an upload that outlives the connection, the client and the server's process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from modelyard.domain.dataclass import dataclass
from modelyard.ports.blobs import BlobInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One that is under way: ``upload`` is its id, ``size`` the bytes that have arrived."""

    upload: str
    size: int


class Uploads(Protocol):
    """Uploads under way, each of one owner.

    Contract:
        * What has arrived is kept by the store, so any process of the same store may go on with it.
        * An id of another owner is as unknown as one that never was: ``NotFound``.
        * Bytes become visible in the blob store by ``finish`` only, whole and verified.
        * One writer at a time: while a call writes, another one for the same upload raises ``Conflict``.
        * An owner has a bounded number of them; whoever begins one more gets ``RateLimited``.
    """

    def begin(self, owner: str) -> Upload:
        """Make an empty one."""
        ...

    def held(self, owner: str) -> tuple[Upload, ...]:
        """Those of an owner that are not finished, in no particular order."""
        ...

    def find(self, owner: str, upload: str) -> Upload:
        """How far it is."""
        ...

    def append(self, owner: str, upload: str, offset: int, chunks: Iterable[bytes]) -> Upload:
        """Write ``chunks`` behind the ``offset`` bytes that have arrived.

        Any other offset raises ``Conflict``, whose ``data["offset"]`` says where to go on. If ``chunks`` breaks off,
        what came before stays.
        """
        ...

    def finish(self, owner: str, upload: str, expect: str) -> BlobInfo:
        """Put the bytes into the blob store, durably. Repeating it is harmless.

        Bytes with another digest than ``expect`` raise ``BlobDamaged`` and are thrown away with the upload.
        """
        ...

    def abort(self, owner: str, upload: str) -> None:
        """Throw away what has arrived."""
        ...

    def sweep(self, *, older_than_seconds: float) -> int:
        """Throw away uploads to which nothing was added for that long; return the bytes freed."""
        ...
