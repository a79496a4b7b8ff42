"""Addresses by which readers fetch bytes from the object store itself, past the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.errors import InvalidConfig
from modelyard.service.links import may_leave

if TYPE_CHECKING:
    from modelyard.ports.blobs import BlobStore

Links = Callable[[str], str | None]
"""From a digest to an address that is good for a while, or ``None`` where the server has to send the bytes."""

_PROBE: Final = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """How readers are sent to the object store.

    Attributes:
        seconds: How long an address is good. A transfer that has begun goes on after that.
        endpoint: The store's address as readers reach it, if it is not the one that the server uses.
    """

    seconds: int = 300
    endpoint: str | None = None


def links_of(service: Any, direct: Direct | None, *, encrypted: bool) -> Links | None:
    """Addresses of a service's bytes; ``None`` if nobody is to be sent anywhere.

    What cannot be signed, or only for where it is less safe, is sent by the server: a machine's identity may be out of
    reach for a while, and that is no reason to stop. :func:`prove_links` tells at the start what never works.

    Args:
        encrypted: Readers reach the server over TLS, so they must not be sent to where there is none.

    Raises:
        InvalidConfig: The bytes are kept where they cannot have the address that the settings say.
    """
    if direct is None:
        return None
    store = _signing(service.blobs, direct.endpoint)

    def link(digest: str) -> str | None:
        found = store.presign(digest, seconds=direct.seconds) if may_leave(service, digest) else None
        return found if found is None or _is_safe(found, encrypted) else None

    return link


def prove_links(blobs: BlobStore, direct: Direct, *, encrypted: bool) -> None:
    """See that every store of the bytes gives out addresses that readers may be sent to.

    Raises:
        InvalidConfig: The bytes are kept where no addresses can be given, or only ones that are less safe.
    """
    signing = _signing(blobs, direct.endpoint)
    for store in getattr(signing, "stores", (signing,)):
        found = store.presign(_PROBE, seconds=direct.seconds)
        if found is None:
            raise InvalidConfig(
                "server.direct.enabled: the store of the bytes gives out no addresses: it is a folder, or its "
                "credentials cannot sign; set it to false, or keep bytes in S3, GCS or Azure with keys that can"
            )
        if not _is_safe(found, encrypted):
            where = found.partition("?")[0].rpartition("/sha256/")[0]
            raise InvalidConfig(
                "server.direct.endpoint: callers come over TLS and would be sent to an object store without it; "
                f"expected an https address, in storage.buckets too, found {where!r:.100}"
            )


def _is_safe(link: str, encrypted: bool) -> bool:
    return not encrypted or link.startswith("https://")


def _signing(blobs: BlobStore, endpoint: str | None) -> BlobStore:
    """The store that signs: the host is part of what is signed, so another one needs a client of its own."""
    if endpoint is None:
        return blobs
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

    if not isinstance(blobs, ObjectBlobs):
        raise InvalidConfig(
            "server.direct.endpoint: the bytes are not in one object store that could have an address; leave it out"
        )
    return ObjectBlobs(replace(blobs.place, endpoint=endpoint))
