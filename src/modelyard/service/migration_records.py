"""Bringing the records of one store to those of another: both are walked in one order, and what differs is written.

Only the port is used, so it does not matter which two stores they are or which schemas they have. Nothing is
remembered between two walks: one that was cut short is simply begun again, and a walk that finds nothing to write has
proved that both stores hold the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

from modelyard.domain.errors import Conflict, IntegrityError
from modelyard.domain.records import Event, Model, ModelStage, ModelVersion, Receipt
from modelyard.ports.lineage import SourceQuery
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    Changes,
    Drop,
    ExperimentQuery,
    ExposureQuery,
    Guard,
    MetadataStore,
    ModelQuery,
    OutcomeQuery,
    Positioned,
    Put,
    ReceiptKey,
    ReceiptQuery,
    SessionKey,
    SessionQuery,
    TokenKey,
    TokenQuery,
    VersionQuery,
)
from modelyard.service.pages import SIZE, every

MARK: Final = "migration"
"""Key of the receipt that makes a store the target of a migration; not one of the records that are moved."""

PROBE: Final = "migration-probe"
"""Key of the receipt that shows whether two stores are one; one that a crash left behind is not moved either."""

PORTION: Final = 200
"""Records or events in one commit: a few milliseconds' worth of a server's time, and little to do again."""

Tell = Callable[[int], None]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record.

    Attributes:
        name: Its plural, for people.
        query: Lists all of them.
        place: What that list is sorted by, ascending.
        key: The key of one that the source dropped, to drop it in the target too; ``None`` where records only come.
    """

    name: str
    query: Any
    place: Callable[[Any], Any]
    key: Callable[[Any], BlobKey | ReceiptKey | TokenKey | SessionKey] | None = None


MODELS: Final = Kind(name="models", query=ModelQuery(), place=lambda model: (model.name, model.key))
EXPERIMENTS: Final = Kind(name="experiments", query=ExperimentQuery(), place=lambda each: each.experiment_id)
SINGLE: Final = (
    Kind(name="sources", query=SourceQuery(), place=lambda each: (each.kind, each.target)),
    Kind(
        name="blobs",
        query=BlobQuery(),
        place=lambda blob: blob.digest,
        key=lambda blob: BlobKey(blob.digest),
    ),
    Kind(
        name="receipts",
        query=ReceiptQuery(),
        place=lambda receipt: receipt.key,
        key=lambda receipt: ReceiptKey(receipt.key),
    ),
    Kind(
        name="tokens",
        query=TokenQuery(),
        place=lambda token: token.token_id,
        key=lambda token: TokenKey(token.token_id),
    ),
    Kind(
        name="sessions",
        query=SessionQuery(),
        place=lambda session: session.session_id,
        key=lambda session: SessionKey(session.session_id),
    ),
    EXPERIMENTS,
)
"""What hangs from nothing else. The registry's own record is not here: it comes last and makes the target whole."""


def versions_of(model: Model) -> Kind:
    """All versions of a model, deleted ones too, newest first."""
    query = VersionQuery(model_key=model.key, deleted=None)
    return Kind(name="versions", query=query, place=_newest_first)


def _newest_first(version: ModelVersion) -> tuple[timedelta, tuple[int, ...]]:
    """By time, then by ``model_id`` descending; the 0 puts the longer of two that begin alike first."""
    return _EPOCH - version.created_at, (*(-ord(letter) for letter in version.model_id), 0)


def outcomes_of(experiment_id: str) -> tuple[Kind, Kind]:
    """What came of an experiment, and what each process served of it."""
    return (
        Kind(
            name="outcomes",
            query=OutcomeQuery(experiment_id=experiment_id),
            place=lambda each: (each.unit, each.draw),
        ),
        Kind(
            name="exposures",
            query=ExposureQuery(experiment_id=experiment_id),
            place=lambda each: each.writer,
        ),
    )


class Walk:
    """One walk over all records and events of two stores.

    Args:
        source: Where they are.
        target: Where they shall be.
        mark: The target's, without which nothing is written there; ``None``: what differs is only counted.
        tell: Called with the number of records and events that were compared.

    Attributes:
        found: How many of each kind the source has.
        differing: How many the target had otherwise, not at all, or beyond those of the source.
    """

    def __init__(
        self, source: MetadataStore, target: MetadataStore, *, mark: Receipt | None, tell: Tell
    ) -> None:
        self._source, self._target, self._tell = source, target, tell
        self._write = mark is not None
        self._guards = () if mark is None else (Guard(key=ReceiptKey(MARK), expected=mark.revision),)
        self.found: dict[str, int] = {}
        self.differing = 0

    def run(self) -> None:
        """Compare everything, and write what differs.

        Raises:
            Conflict: The target has what the source never had, so somebody else writes to it; or another run ended the
                migration meanwhile, so the target is in use and what it has more is not to be dropped.
            IntegrityError: A row of either does not match its digest, or the source's log has a hole.
        """
        for kind in SINGLE:
            self._bring(kind)
        for experiment in every(self._source, ExperimentQuery()):
            for kind in outcomes_of(experiment.experiment_id):
                self._bring(kind)
        for theirs, ours in self._pairs(MODELS):
            self._bring_model(theirs, ours)
        self._bring_events()

    # --- records -----------------------------------------------------------------------------------------------------

    def _pairs(self, kind: Kind) -> Iterator[tuple[Any, Any]]:
        """Each record of the source with the target's, ``None`` where one of them has it not."""
        theirs, ours = _listed(self._source, kind), _listed(self._target, kind)
        left, right = next(theirs, None), next(ours, None)
        while left is not None or right is not None:
            if right is None or (left is not None and kind.place(left) < kind.place(right)):
                pair = left, None
            elif left is None or kind.place(right) < kind.place(left):
                pair = None, right
            else:
                pair = left, right
            yield pair
            left = next(theirs, None) if pair[0] is not None else left
            right = next(ours, None) if pair[1] is not None else right

    def _bring(self, kind: Kind, first: tuple[Put, ...] = ()) -> None:
        """All of one kind, in portions; ``first`` goes before them."""
        puts, drops = list(first), list[Drop]()
        for theirs, ours in self._pairs(kind):
            self._count(kind.name, theirs)
            if theirs is None:
                drops += self._extra(kind, ours)
            elif not same(theirs, ours):
                puts.append(_put(theirs, ours))
            if len(puts) + len(drops) >= PORTION:
                self._commit(puts, drops)
                puts, drops = [], []
        self._commit(puts, drops)

    def _extra(self, kind: Kind, ours: Any) -> list[Drop]:
        if kind.key is not None:
            return [Drop(key=kind.key(ours), expected=ours.revision)]
        if self._write:
            raise self._foreign(f"{kind.name} (such as {kind.place(ours)!s:.200})")
        self.differing += 1
        return []

    def _bring_model(self, theirs: Model | None, ours: Model | None) -> None:
        """A model and its versions. What changed goes in one commit, because places in stages are handed on in it."""
        self._count("models", theirs)
        if theirs is None:
            self._extra(MODELS, ours)
            return
        kind = versions_of(theirs)
        if ours is None or same(theirs, ours):
            self._bring(kind, () if ours else (_put(theirs, None),))
            return
        # Whatever happens to a version moves the head of its model's chain, so only here are there versions to change.
        changed = [_put(theirs, ours)]
        if self._write:
            pairs = [
                (one, other) for one, other in self._pairs(kind) if one is not None and other is not None
            ]
            changed += [_put(one, other) for one, other in pairs if not same(one, other)]
        self._commit_together(changed)
        self._bring(kind)

    def _commit_together(self, puts: list[Put]) -> None:
        """One commit, and if two versions changed places one before it, in which none of them has a place."""
        try:
            self._commit(puts, [])
        except Conflict:
            away = [replace(put, record=_away(put)) for put in puts if isinstance(put.record, ModelVersion)]
            self._write_down(Changes(puts=tuple(away), arriving=True))
            self._write_down(Changes(puts=tuple(puts), arriving=True))

    def _commit(self, puts: list[Put], drops: list[Drop]) -> None:
        self.differing += len(puts) + len(drops)
        if self._write and (puts or drops):
            self._write_down(Changes(puts=tuple(puts), drops=tuple(drops), arriving=True))

    def _write_down(self, changes: Changes) -> None:
        try:
            self._target.commit(replace(changes, guards=self._guards))
        except Conflict as error:
            if self._is_ended():
                raise ended() from error
            raise

    def _is_ended(self) -> bool:
        return self._target.get(ReceiptKey(MARK)) is None

    def _foreign(self, what: str) -> Conflict:
        """What to say of more than the source has; nobody is to empty a target that was ended and is in use."""
        if self._is_ended():
            return ended()
        return Conflict(
            f"the target has {what} that the source does not have: somebody else writes to it. Stop that, empty the "
            "target and begin again"
        )

    def _count(self, name: str, theirs: Any) -> None:
        self._tell(1)
        if theirs is not None:
            self.found[name] = self.found.get(name, 0) + 1

    # --- events ------------------------------------------------------------------------------------------------------

    def _bring_events(self) -> None:
        """The log as it is, each event at its position: those who read it by position go on where they were."""
        portion: list[Event] = []
        log = enumerate(zip_longest(_log(self._source), _log(self._target)), 1)
        for place, (theirs, ours) in log:
            self._count("events", theirs)
            if theirs is None or (ours is not None and not same(theirs, ours)):
                if self._write:
                    raise self._foreign(f"events (such as the one at position {place})")
                self.differing += 1
            elif theirs.position != place:
                raise IntegrityError(
                    f"the source's log of events has nothing at position {place}: it is damaged; run `modelyard audit "
                    "verify` there and restore it from a backup first"
                )
            elif ours is None:
                portion.append(theirs.event)
                if len(portion) >= PORTION:
                    self._append(portion)
                    portion = []
        self._append(portion)

    def _append(self, events: list[Event]) -> None:
        self.differing += len(events)
        if self._write and events:
            self._write_down(Changes(events=tuple(events)))


def _listed(store: MetadataStore, kind: Kind) -> Iterator[Any]:
    found: Iterator[Any] = every(store, kind.query)
    return (each for each in found if each.key not in (MARK, PROBE)) if kind.name == "receipts" else found


def _log(store: MetadataStore) -> Iterator[Positioned]:
    position = 0
    while True:
        page = store.events(position, SIZE)
        yield from page
        if len(page) < SIZE:
            return
        position = page[-1].position


def _put(theirs: Any, ours: Any) -> Put:
    return Put(record=theirs, expected=0 if ours is None else ours.revision)


def _away(put: Put) -> ModelVersion:
    """The version in a stage that any number may be in, still at the revision that is expected."""
    assert isinstance(put.record, ModelVersion)  # noqa: S101 - the caller chose them
    return replace(put.record, stage=ModelStage.ARCHIVED, revision=put.expected)


def ended() -> Conflict:
    """What to say when the mark is gone from under a run."""
    return Conflict("somebody else ended this migration meanwhile; look at the target, then run this again")


def same(one: Any, other: Any) -> bool:
    """Equality of records in which a number that is not a number equals another such."""
    if one == other:
        return True
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(same(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one != one and other != other)
