"""Moving a whole registry to other stores: records, events, bytes, each as it is.

The target carries a mark, and a registry record that no build opens, from the first write to the last. Everything is
compared before it is written, so whoever begins again after a crash goes on. The end is reached when a walk over
everything finds nothing to write while nothing happens at the source; only then the mark goes, in one commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from modelyard.domain.answers import AuditProof
from modelyard.domain.errors import AlreadyExists, AuditBroken, Conflict, InvalidInput, NotAllowed, NotFound
from modelyard.domain.records import Receipt, Registry
from modelyard.ports.lineage import SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    Changes,
    Drop,
    EventQuery,
    ExperimentQuery,
    MetadataStore,
    ModelQuery,
    Put,
    ReceiptKey,
    RegistryKey,
    TallyQuery,
    TokenQuery,
)
from modelyard.service import audit, migration_bytes
from modelyard.service.local import LocalService
from modelyard.service.migration_bytes import Brought
from modelyard.service.migration_records import MARK, PROBE, Tell, Walk, ended

UNFINISHED: Final = 0
"""``format`` of the registry record of a target that is not whole yet."""

WALKS: Final = 6
"""How often everything is gone through before a source that keeps changing is given up."""

Watch = Callable[[str, int], Tell]
"""Called with what is being done and how much of it there is (0: not known); gives what is told of progress."""


Head = tuple[Registry, str]
"""The source's registry record and the hash of its last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One registry: where it is, fit to be shown, and its stores. It need not have been introduced yet."""

    place: str
    service: LocalService

    @property
    def store(self) -> MetadataStore:
        return self.service.store


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was moved, or would be.

    Attributes:
        source, target: Where from and to, without credentials.
        done: Whether the target is whole, was compared with the source, and can be opened.
        resumed: Whether an earlier run had begun it (or ended it).
        walks: How often everything was gone through; the last time there was nothing left to write.
        records: How many of each kind the source has, events included.
        missing: Records and events that this run had to write or, if it only looked, that are still to be written.
        blobs, size: Blobs that the records name, and their bytes before sharing ends.
        copied, copied_size: Objects that this run had to copy, or that are still to be copied.
        read_again: Blobs of the target that were read and compared with their digests at the end.
        audit: Proof of the target's chains, which is that of the source.
    """

    source: str
    target: str
    done: bool
    resumed: bool = False
    walks: int = 0
    records: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    blobs: int = 0
    size: int = 0
    copied: int = 0
    copied_size: int = 0
    read_again: int = 0
    audit: AuditProof | None = None


def migrate(source: Side, target: Side, *, deep: bool = False, watch: Watch) -> Migrated:
    """Make ``target`` the same registry as ``source``.

    Writes to the source during it are not refused. They are carried over as long as they are seen; a change that falls
    between the last walk and the end is noticed by the last event. What writes no event (an outcome, the last use of a
    token) can be missed in that moment, so whoever wants none lost lets nobody write to the source.

    Args:
        source: A registry.
        target: Stores without one, or with an unfinished migration of this one.
        deep: Read every byte of the target again at the end, not only a sample.
        watch: Told about progress.

    Raises:
        NotFound: There is no registry at the source.
        NotAllowed: The source is itself an unfinished migration.
        InvalidInput: Both are one store.
        AlreadyExists: The target holds another registry, or this one with other contents.
        Conflict: Somebody writes to the target, or never stops writing to the source.
        AuditBroken: The chains do not hold.
        IntegrityError: A row or bytes of either side are damaged.
    """
    registry = registry_of(source)
    mark = target.store.get(ReceiptKey(MARK))
    if _is_whole(target, registry, mark):
        _refuse_one(source, target)
        return _compared(source, target, watch)
    result = Migrated(source=source.place, target=target.place, done=True, resumed=mark is not None)
    result, seen = _walked(source, target, mark or _begin(source, target, registry), result, watch)
    again = watch("reading again", result.size if deep else 0)
    checked = migration_bytes.read_again(target.service, deep=deep, tell=again)
    proof = _proved(source, target, seen[0])
    if _head(source) != seen:
        raise _still_written(source)
    _finish(target, seen[0])
    return replace(result, read_again=checked, audit=proof)


def look(source: Side, target: Side | None, *, watch: Watch) -> Migrated:
    """What ``migrate`` would do, without writing anything.

    Args:
        target: ``None``: there is nothing there yet.

    Raises:
        NotFound, NotAllowed, AlreadyExists: As ``migrate`` would.
    """
    registry = registry_of(source)
    result = Migrated(source=source.place, target=target.place if target else "", done=False)
    if target is None:
        return _counted(source, result, watch)
    mark = target.store.get(ReceiptKey(MARK))
    if not _is_whole(target, registry, mark) and mark is None:
        _refuse_full(target)
    walk, brought = _walk(source, target, mark=None, watch=watch)
    return _noted(replace(result, resumed=mark is not None, walks=1), walk, brought)


def registry_of(side: Side) -> Registry:
    """The registry record of a whole registry.

    Raises:
        NotFound: There is none.
        NotAllowed: It is an unfinished migration.
    """
    registry = side.store.get(RegistryKey())
    if registry is None:
        raise NotFound(f"there is no registry at {side.place}; name another one")
    refuse_unfinished(registry, side.store, side.place)
    return registry


def refuse_unfinished(registry: Registry, store: MetadataStore, place: str) -> None:
    """Keep everybody out of what is not whole yet.

    Raises:
        NotAllowed: It is the target of a migration that has not ended.
    """
    if registry.format != UNFINISHED:
        return
    mark = store.get(ReceiptKey(MARK))
    origin = str(mark.result.get("from", "")) if mark else ""
    raise NotAllowed(
        f"{place} is the target of a migration{f' from {origin}' if origin else ''} that has not ended; run the same "
        "`modelyard migrate` again to end it"
    )


# --- the beginning ----------------------------------------------------------------------------------------------------


def _is_whole(target: Side, registry: Registry, mark: Receipt | None) -> bool:
    """Whether the target is this registry already.

    Raises:
        AlreadyExists: It is the unfinished target of another one.
    """
    if mark is not None and mark.request != registry.registry_id:
        raise AlreadyExists(
            f"{target.place} is the unfinished target of a migration from {mark.result.get('from', 'elsewhere')}; end "
            "that one, or name an empty target"
        )
    ours = target.store.get(RegistryKey())
    return mark is None and ours is not None and ours.registry_id == registry.registry_id


def _refuse_one(source: Side, target: Side) -> None:
    """Raise if both are one store, which would be taken for two that hold the same.

    Two names of one database look like two of them. So something is written down at the target, and dropped again: it
    must not be seen at the source. Only here, where the target is whole: any other is not yet this registry, or marked,
    and the source is neither.

    Raises:
        InvalidInput: They are.
    """
    left = target.store.get(ReceiptKey(PROBE))
    now, revision = target.service.clock.now(), left.revision if left else 0
    probe = Receipt(key=PROBE, request=secrets.token_hex(16), result={}, at=now, revision=revision + 1)
    target.store.commit(Changes(puts=(Put(record=probe, expected=revision),)))
    try:
        seen = source.store.get(ReceiptKey(PROBE))
    finally:
        target.store.commit(Changes(drops=(Drop(key=ReceiptKey(PROBE), expected=probe.revision),)))
    if seen is not None and seen.request == probe.request:
        raise InvalidInput(
            f"{source.place} and {target.place} are two names of one registry; the target has to be another place"
        )


def _begin(source: Side, target: Side, registry: Registry) -> Receipt:
    """Mark the target, if nothing ever happened there; returns the mark."""
    _refuse_full(target)
    present = target.store.get(RegistryKey())
    revision = present.revision if present else 0
    closed = Registry(
        registry_id=registry.registry_id,
        format=UNFINISHED,
        created_at=registry.created_at,
        revision=revision + 1,
    )
    mark = Receipt(
        key=MARK,
        request=registry.registry_id,
        result={"from": source.place},
        at=source.service.clock.now(),
        revision=1,
    )
    puts = Put(record=closed, expected=revision), Put(record=mark, expected=0)
    target.store.commit(Changes(puts=puts, arriving=True))
    return mark


def _refuse_full(target: Side) -> None:
    """Raise unless the target is empty: a registry that was opened once and never used counts as such.

    Raises:
        AlreadyExists: It holds something.
    """
    kinds = (ModelQuery, BlobQuery, SourceQuery, ExperimentQuery, TokenQuery)
    held = [
        kind.__name__.removesuffix("Query").lower()
        for kind in kinds
        if target.store.find(kind(limit=1)).items
    ]
    if target.store.events(0, 1):
        held.append("event")
    if held:
        raise AlreadyExists(
            f"{target.place} holds a registry of its own (at least one {held[0]}); name an empty target. To bring "
            "single models into a registry, use `modelyard export` and `import`, or `modelyard push`"
        )


# --- the walks --------------------------------------------------------------------------------------------------------


def _walked(
    source: Side, target: Side, mark: Receipt, result: Migrated, watch: Watch
) -> tuple[Migrated, Head]:
    """Go through everything until nothing is left to write and nothing happened at the source meanwhile.

    Returns:
        What was found, and the source's head, up to which the target has everything.
    """
    for number in range(1, WALKS + 1):
        seen = _head(source)
        walk, brought = _walk(source, target, mark=mark, watch=watch)
        result = _noted(replace(result, walks=number), walk, brought)
        migration_bytes.refuse_lost(brought, source.place)
        if not walk.differing and not brought.copied and _head(source) == seen:
            return result, seen
    raise _still_written(source)


def _walk(source: Side, target: Side, *, mark: Receipt | None, watch: Watch) -> tuple[Walk, Brought]:
    total = sum(tally.size for tally in source.store.find(TallyQuery(by="blob")).items)
    tell = watch("bytes", total)
    brought = migration_bytes.bring(source.service, target.service, write=mark is not None, tell=tell)
    walk = Walk(source.store, target.store, mark=mark, tell=watch("records", 0))
    walk.run()
    return walk, brought


def _noted(result: Migrated, walk: Walk, brought: Brought) -> Migrated:
    return replace(
        result,
        records=dict(walk.found),
        missing=result.missing + walk.differing,
        blobs=brought.blobs,
        size=brought.size,
        copied=result.copied + brought.copied,
        copied_size=result.copied_size + brought.copied_size,
    )


def _counted(source: Side, result: Migrated, watch: Watch) -> Migrated:
    """Everything is missing where nothing is: compared with the source itself, all is found and nothing differs."""
    walk, brought = _walk(source, source, mark=None, watch=watch)
    noted = _noted(result, walk, brought)
    missing = sum(walk.found.values())
    return replace(noted, missing=missing, copied=brought.objects, copied_size=brought.objects_size)


def _compared(source: Side, target: Side, watch: Watch) -> Migrated:
    """The target is whole: say so if it is the same still.

    Raises:
        AlreadyExists: The two went their own ways since.
    """
    walk, brought = _walk(source, target, mark=None, watch=watch)
    if walk.differing or brought.copied or source.store.get(RegistryKey()) != target.store.get(RegistryKey()):
        raise AlreadyExists(
            f"{target.place} was moved from {source.place} before, and they differ by now ({walk.differing} records, "
            f"{brought.copied} objects); name an empty target"
        )
    result = Migrated(source=source.place, target=target.place, done=True, resumed=True, walks=1)
    return replace(_noted(result, walk, brought), audit=_proved(source, target, registry_of(source)))


# --- the end ----------------------------------------------------------------------------------------------------------


def _head(source: Side) -> Head:
    """What changes whenever something is written down: the registry's record and the last event."""
    last = source.store.find(EventQuery(model_key=None, newest_first=True, limit=1)).items
    return registry_of(source), last[0].hash if last else ""


def _proved(source: Side, target: Side, registry: Registry) -> AuditProof:
    """The target's chains, its registry's own up to where the source says that it ends.

    Raises:
        AuditBroken: They do not hold; the source's are the same.
    """
    proof = audit.verify(target.service, registry)
    if not proof.ok:
        raise AuditBroken(
            f"the history that came from {source.place} does not hold, so the target stays closed; run `modelyard "
            "audit verify` at the source and restore it from a backup",
            data=dict(proof.breaks[0]),
        )
    return proof


def _finish(target: Side, theirs: Registry) -> None:
    """Open the target: its registry record becomes the source's, and the mark goes, in one commit."""
    ours, mark = target.store.get(RegistryKey()), target.store.get(ReceiptKey(MARK))
    if ours is None or mark is None:
        raise ended()
    drops = (Drop(key=ReceiptKey(MARK), expected=mark.revision),)
    target.store.commit(
        Changes(puts=(Put(record=theirs, expected=ours.revision),), drops=drops, arriving=True)
    )


def _still_written(source: Side) -> Conflict:
    return Conflict(
        f"{source.place} is being written to while it is moved. All that was seen is at the target, which stays "
        "closed; stop whoever writes and run this again, which is quick now"
    )
