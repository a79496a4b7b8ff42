"""What both stores say when an upload cannot go on."""

from __future__ import annotations

import re
from typing import Final

from modelyard.domain.errors import Conflict, NotFound, RateLimited
from modelyard.domain.spelling import quoted

MOST: Final = 32
"""Uploads under way per owner: several files, each by a few connections. Abandoned ones count until they are swept."""
ID: Final = re.compile(r"[0-9a-f]{32}")


def unknown(upload: str) -> NotFound:
    """No such upload of this owner."""
    return NotFound(
        f"there is no upload {quoted(upload)} under way: it was finished, given up or swept; begin another one"
    )


def wrong_offset(upload: str, offset: int, size: int) -> Conflict:
    """Bytes were sent for another place than the next."""
    return Conflict(
        f"upload {upload}: the bytes begin at {offset}, but {size} have arrived; go on from {size}",
        data={"offset": size},
    )


def busy(upload: str) -> Conflict:
    """Another call writes to it."""
    return Conflict(
        f"upload {upload}: another request is writing to it; ask where it is and go on from there"
    )


def too_many(most: int) -> RateLimited:
    """The owner has as many as it may."""
    return RateLimited(
        f"{most} uploads are under way already; finish or give up one of them, or wait until they are swept",
        data={"retry_after": 60, "limit": most},
    )
