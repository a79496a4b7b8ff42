"""Buckets for the models that patterns name, from the setting ``storage.buckets``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from modelyard.adapters.blobs.object_feed import Feed
from modelyard.adapters.blobs.object_place import Place, connect, endpoint_of, place_of
from modelyard.adapters.blobs.object_uploading import PART, Uploading
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.rooms import Rooms
from modelyard.adapters.blobs.rooms import carry as carry_through
from modelyard.domain.errors import BlobNotFound, InvalidConfig
from modelyard.ports.blobs import BlobStore

_ARROW: Final = " -> "


def rules_of(texts: Iterable[str], main: Place) -> tuple[tuple[str, Place], ...]:
    """Patterns and places of ``risk/* -> s3://risk-models/prefix``; keys, region and endpoint are those of ``main``.

    Raises:
        InvalidConfig: A rule has another form, or its bucket is of another kind of store.
    """
    return tuple(_rule(text, main) for text in texts)


def _rule(text: str, main: Place) -> tuple[str, Place]:
    pattern, arrow, address = (part.strip() for part in text.partition(_ARROW.strip()))
    if not (pattern and arrow and address):
        raise _unfit(text, "it has another form")
    found = place_of(
        address, region=main.region, account=main.account, secrets=main.secrets, patience=main.patience
    )
    if found.kind != main.kind:
        raise _unfit(text, "its bucket is of another kind of store than storage.backend says")
    return pattern, found if found.endpoint else replace(found, endpoint=main.endpoint)


def _unfit(text: str, why: str) -> InvalidConfig:
    return InvalidConfig(
        "storage.buckets: expected rules such as 'risk/* -> s3://risk-models/prefix', in the same kind of store as "
        f"storage.backend, but of {text!r:.100}: {why}"
    )


def rooms(main: ObjectBlobs, rules: Sequence[tuple[str, Place]]) -> Rooms:
    """``main`` and a store for each further place; all share its right to collect."""
    stores = {_same(main.place): main}
    for _, place in rules:
        if _same(place) not in stores:
            stores[_same(place)] = ObjectBlobs(place, folder="blobs", lease=main.lease)
    return Rooms(main, [(pattern, stores[_same(place)]) for pattern, place in rules], carry=carry)


def _same(place: Place) -> tuple[str | None, ...]:
    return (*_bucket(place), place.prefix)


def _bucket(place: Place) -> tuple[str | None, ...]:
    return place.kind, endpoint_of(place), place.account, place.bucket


def carry(target: BlobStore, source: BlobStore, digest: str) -> None:
    """Copy inside the store where both are in one bucket, else through this process, checked on the way.

    Raises:
        BlobNotFound: It was removed this moment.
    """
    if not (isinstance(target, ObjectBlobs) and isinstance(source, ObjectBlobs)):
        carry_through(target, source, digest)
        return
    info = source.stat(digest)
    if info is None:
        raise BlobNotFound(f"{digest} was removed from {source.place.name} while it was copied")
    if _bucket(target.place) == _bucket(source.place):
        _copy_inside(target, source, digest, info.size)
    elif info.size <= PART:
        carry_through(target, source, digest)
    else:
        feed = Feed(source.open(digest), expect=digest, most=info.size)
        Uploading(target.client, target.place).in_parts(target.key(digest), feed, size=info.size)


def _copy_inside(target: ObjectBlobs, source: ObjectBlobs, digest: str, size: int) -> None:
    whole = replace(target.place, prefix="")
    begin, end = (each.place.full(each.key(digest)) for each in (source, target))
    try:
        Uploading(connect(whole), whole).copy(begin, end, size)
    except FileNotFoundError:
        raise BlobNotFound(f"{digest} was removed from {source.place.name} while it was copied") from None
