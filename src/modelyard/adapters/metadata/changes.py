"""What every store asks of a ``Changes`` before it looks at anything stored, and how it says no."""

from __future__ import annotations

from typing import Final

from modelyard.domain.errors import Conflict, InvalidInput, InvalidQuery
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.names import fold
from modelyard.domain.records import Blob, Model, ModelVersion, Receipt, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.domain.versioning import label_key
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    ExperimentKey,
    ExposureKey,
    IdentityKey,
    Key,
    LabelKey,
    ModelKey,
    NumberKey,
    OutcomeKey,
    ReceiptKey,
    Record,
    RegistryKey,
    SecretKey,
    SessionKey,
    SessionSecretKey,
    SlugKey,
    SourceKey,
    TallyQuery,
    TokenKey,
    VersionKey,
)

DROPPED: Final = (BlobKey, ReceiptKey, TokenKey, SessionKey)
"""Keys of what may be dropped."""

TALLIES: Final = ("stage", "name", "framework", "algorithm", "model", "blob")


def key_of(record: Record) -> Key:
    """The key that names a record for good."""
    if isinstance(record, ModelVersion):
        return VersionKey(record.model_id)
    if isinstance(record, Model):
        return ModelKey(record.key)
    if isinstance(record, Blob):
        return BlobKey(record.digest)
    if isinstance(record, Source):
        return SourceKey(record.kind, record.target)
    if isinstance(record, Outcome):
        return OutcomeKey(record.experiment_id, record.unit, record.draw)
    if isinstance(record, Exposure):
        return ExposureKey(record.experiment_id, record.writer)
    if isinstance(record, Experiment):
        return ExperimentKey(record.experiment_id)
    if isinstance(record, Token):
        return TokenKey(record.token_id)
    if isinstance(record, Session):
        return SessionKey(record.session_id)
    return ReceiptKey(record.key) if isinstance(record, Receipt) else RegistryKey()


def other_keys(record: Record) -> tuple[Key, ...]:
    """Further keys that only one record may have."""
    if isinstance(record, ModelVersion):
        model = fold(record.name)
        return NumberKey(model, record.number), LabelKey(model, label_key(record.version))
    if isinstance(record, Experiment):
        return (IdentityKey(record.identity),)
    if isinstance(record, Token):
        return (SecretKey(record.digest),)
    if isinstance(record, Session):
        return (SessionSecretKey(record.digest),)
    return (SlugKey(record.slug),) if isinstance(record, Model) else ()


def check_form(changes: Changes) -> None:
    """Refuse what no state of the store could accept.

    Raises:
        InvalidInput: A record's revision is not the expected one plus one, a record is written twice, an outcome is
            to be changed, or a drop names what cannot be dropped.
    """
    seen: set[Key] = set()
    for put in changes.puts:
        key = key_of(put.record)
        if not changes.arriving and put.record.revision != put.expected + 1:
            raise InvalidInput(
                f"{describe(key)} cannot be written: its revision has to be {put.expected + 1} (the expected one plus "
                f"one), found {put.record.revision}"
            )
        if isinstance(put.record, Outcome) and put.expected:
            raise InvalidInput(f"{describe(key)} cannot be changed: outcomes are written once")
        if key in seen:
            raise InvalidInput(
                f"{describe(key)} is written twice in one commit: write it once, as it shall be"
            )
        seen.add(key)
    for drop in changes.drops:
        if not isinstance(drop.key, DROPPED) or drop.key in seen:
            raise InvalidInput(
                f"{describe(drop.key)} cannot be dropped here: only blobs, receipts, tokens and sessions, and only once"
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
        SourceKey: "source",
        ReceiptKey: "receipt",
        ExperimentKey: "experiment",
        IdentityKey: "experiment with the arguments",
        OutcomeKey: "outcome",
        ExposureKey: "exposure",
        TokenKey: "token",
        SecretKey: "token with the digest",
        SessionKey: "session",
        SessionSecretKey: "session with the digest",
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
