"""A look at a bucket before it is relied on: may we write, does it keep conditions, does its clock agree with ours?"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from modelyard.adapters.blobs.object_faults import object_errors
from modelyard.adapters.blobs.object_feed import Feed
from modelyard.adapters.blobs.object_place import Patience, Place
from modelyard.adapters.blobs.object_uploading import PART, Uploading
from modelyard.adapters.blobs.objectstore import TMP, ObjectBlobs
from modelyard.domain.errors import NotSupported, StorageError, StorageFull, Unreachable

SKEW: Final = 60.0
"""Seconds by which the clocks may differ without a word. At 15 minutes S3 refuses every request."""
SOON: Final = Patience(connect=5, silence=15, tries=3, budget=15)
"""How long a store is waited for by somebody who only wants to know whether it can be used."""
_DOING: Final = "looking whether it can be used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found.

    Attributes:
        conditional_put: Whether a PUT with ``If-None-Match: *`` onto an object is refused, as it has to be. Without it
            storing and reading are safe and collecting is refused.
        skew: Seconds by which the store's clock is ahead of ours; the store tells whole ones.
        links: Whether these credentials can sign links for downloads.
    """

    conditional_put: bool
    skew: float
    links: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each thing that is not as it should be."""
        found = []
        if not self.conditional_put:
            found.append(
                "It ignores the condition of a PUT with If-None-Match: nothing can be collected there; use a store "
                "that has conditional PUT."
            )
        if abs(self.skew) > SKEW:
            found.append(
                f"Its clock is {self.skew:+.0f} s off ours: set the clock of this machine or of the store."
            )
        return tuple(found)


def examine(blobs: ObjectBlobs) -> Examined:
    """Write, read, write again under a condition, and remove a small object below ``tmp/``.

    Raises:
        StorageError: The bucket is not there, or the credentials do not suffice; the message says what to do.
    """
    import obstore
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    key = f"{TMP}/probe-{uuid.uuid4()}"
    next(blobs.list(), None)
    with object_errors(blobs.place, _DOING):
        begun = datetime.now(UTC)
        obstore.put(blobs.client, key, b"1", mode="create")
        try:
            middle = begun + (datetime.now(UTC) - begun) / 2
            told = obstore.head(blobs.client, key)["last_modified"]
            try:
                obstore.put(blobs.client, key, b"2", mode="create")
                kept = False
            except (AlreadyExistsError, PreconditionError):
                kept = True
        finally:
            with suppress(FileNotFoundError):
                obstore.delete(blobs.client, key)
    links = blobs.presign("sha256:" + "0" * 64, seconds=60) is not None
    # The fraction of a second that the store leaves out is half a second on average.
    skew = (told - middle).total_seconds() + (0.5 if told.microsecond == 0 else 0.0)
    return Examined(conditional_put=kept, skew=skew, links=links)


def examine_parts(blobs: ObjectBlobs) -> None:
    """Store an object of two parts, see that it is whole, and remove it: 8 MiB go to the store.

    Raises:
        StorageError: Large models cannot be stored there; the message says why.
    """
    import obstore

    key = f"{TMP}/probe-{uuid.uuid4()}"
    feed = Feed((bytes(PART), b"."), expect=None, most=2 * PART)
    Uploading(blobs.client, blobs.place).in_parts(key, feed)
    with object_errors(blobs.place, _DOING):
        size = obstore.head(blobs.client, key)["size"]
        obstore.delete(blobs.client, key)
    if size != feed.size:
        raise StorageError(
            f"{blobs.place.name}: of {feed.size} bytes sent in two parts it has {size}; use a store that has multipart "
            "uploads"
        )


def prove(places: Iterable[Place]) -> tuple[str, ...]:
    """See that a server can work with these buckets before anybody relies on it.

    One that can be read and takes nothing just now, because it is full or partly down, is no reason to stay away.

    Returns:
        A sentence for each thing that is not as it should be and can be lived with.

    Raises:
        StorageError: A bucket is not there or does not answer, or the credentials do not suffice.
        NotSupported: A bucket ignores the condition of a PUT, so that two writers or collectors could undo each other.
    """
    warnings: list[str] = []
    for place in places:
        blobs = ObjectBlobs(replace(place, patience=SOON))
        next(blobs.list(), None)
        try:
            found = examine(blobs)
        except (StorageFull, Unreachable) as error:
            warnings.append(error.detail)
            continue
        if not found.conditional_put:
            raise NotSupported(
                f"{place.name}: it ignores the condition of a PUT with If-None-Match, by which servers keep out of "
                "each other's way. Nothing was changed; use a store or a version of it that has conditional PUT",
                data={"bucket": place.bucket},
            )
        warnings += (f"{place.name}: {each}" for each in found.warnings)
    return tuple(warnings)
