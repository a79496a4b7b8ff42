"""What every store asks of a ``Changes`` before it looks at anything stored, and how it says no."""

from __future__ import annotations

from typing import Final

from modelyard.domain.errors import Conflict, InvalidInput, InvalidQuery
from modelyard.domain.names import fold
from modelyard.domain.records import Blob, Model, ModelVersion, Receipt
from modelyard.domain.versioning import label_key
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    Key,
    LabelKey,
    ModelKey,
    NumberKey,
    ReceiptKey,
    Record,
    RegistryKey,
    SlugKey,
    TallyQuery,
    VersionKey,
)

TALLIES: Final = ("stage", "name", "framework", "algorithm", "model", "blob")


def key_of(record: Record) -> Key:
    """The key that names a record for good."""
    if isinstance(record, ModelVersion):
        return VersionKey(record.model_id)
    if isinstance(record, Model):
        return ModelKey(record.key)
    if isinstance(record, Blob):
        return BlobKey(record.digest)
    return ReceiptKey(record.key) if isinstance(record, Receipt) else RegistryKey()


def other_keys(record: Record) -> tuple[Key, ...]:
    """Further keys that only one record may have."""
    if isinstance(record, ModelVersion):
        model = fold(record.name)
        return NumberKey(model, record.number), LabelKey(model, label_key(record.version))
    return (SlugKey(record.slug),) if isinstance(record, Model) else ()


def check_form(changes: Changes) -> None:
    """Refuse what no state of the store could accept.

    Raises:
        InvalidInput: A record's revision is not the expected one plus one, a record is written twice, or a drop names
            what cannot be dropped.
    """
    seen: set[Key] = set()
    for put in changes.puts:
        key = key_of(put.record)
        if put.record.revision != put.expected + 1:
            raise InvalidInput(
                f"{describe(key)} cannot be written: its revision has to be {put.expected + 1} (the expected one plus "
                f"one), found {put.record.revision}"
            )
        if key in seen:
            raise InvalidInput(
                f"{describe(key)} is written twice in one commit: write it once, as it shall be"
            )
        seen.add(key)
    for drop in changes.drops:
        if not isinstance(drop.key, BlobKey | ReceiptKey) or drop.key in seen:
            raise InvalidInput(
                f"{describe(drop.key)} cannot be dropped here: only blobs and receipts, and only once"
            )
        seen.add(drop.key)


def check_tally(query: TallyQuery) -> None:
    """Refuse to count by what is not counted.

    Raises:
        InvalidQuery: There is nothing to count by under that name.
    """
    if query.by not in TALLIES:
        raise InvalidQuery(f"cannot count by {query.by!r:.80}: expected one of {', '.join(TALLIES)}")


def describe(key: Key) -> str:
    """``version 01j9...``, ``model fraud``: for messages."""
    words = {
        RegistryKey: "the registry record",
        ModelKey: "model",
        SlugKey: "slug",
        VersionKey: "version",
        NumberKey: "number",
        LabelKey: "label",
        BlobKey: "blob",
        ReceiptKey: "receipt",
    }
    values = " ".join(str(getattr(key, name)) for name in key.__slots__)
    return f"{words[type(key)]} {values}".strip()


def stale(key: Key, expected: int, found: int) -> Conflict:
    """The refusal of a write whose record is not at the revision expected."""
    there = f"revision {found}" if found else "nothing"
    wanted = f"revision {expected}" if expected else "nothing"
    return Conflict(
        f"{describe(key)} changed since it was read: expected {wanted}, found {there}; read again and decide again",
        data={"expected": expected, "found": found},
    )


def taken(what: str) -> Conflict:
    """The refusal of a write that would give one name to two things."""
    return Conflict(f"{what} is already taken by another record; read again and decide again")
