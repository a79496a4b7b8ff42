"""A look at a bucket before it is relied on: may we write, does it keep conditions, does its clock agree with ours?"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.adapters.blobs.object_faults import object_errors
from modelyard.adapters.blobs.objectstore import TMP

if TYPE_CHECKING:
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

SKEW: Final = 60.0
"""Seconds by which the clocks may differ without a word. At 15 minutes S3 refuses every request."""
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
