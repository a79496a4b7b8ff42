"""Which bytes may be read by whoever holds an address of them for some minutes, without asking again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelyard.ports.metadata import BlobKey, VersionQuery
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

JUDGED: Final = frozenset({"clean", "unknown"})
"""Verdicts of the scanner on bytes that are given out like any others."""


def may_leave(service: LocalService, digest: str) -> bool:
    """Whether bytes may be fetched from the store itself: they are live, judged, and no version of them is withdrawn.

    An address works until it ends, whatever is decided meanwhile. What nobody should use any more, or nobody has looked
    at yet, is therefore sent by the server, which asks anew each time. The price is two point reads for each address.
    """
    row = service.store.get(BlobKey(digest))
    if row is None or row.state != "live" or row.scan is None or row.scan.verdict not in JUDGED:
        return False
    versions = every(service.store, VersionQuery(file=digest, limit=1000))
    return all(version.withdrawn is None for version in versions)
