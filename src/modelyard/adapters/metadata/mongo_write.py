"""Writing one ``Changes`` inside one open transaction of MongoDB, in as few round trips as it takes.

Transactions there see one snapshot, and two that *write* one document cannot both commit; reading protects nothing.
So what is merely guarded is written to as well: a counter in the document, or, where nothing may be, a document that is
inserted and deleted again, which meets whoever inserts the same in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from modelyard.adapters.metadata.changes import describe, key_of, other_keys, stale, taken
from modelyard.adapters.metadata.mongo_rows import document
from modelyard.adapters.metadata.mongo_schema import COLLECTION, UNIQUE, where
from modelyard.adapters.metadata.terms import holder_key
from modelyard.domain.errors import Conflict, StorageError
from modelyard.domain.names import fold
from modelyard.domain.records import Event, Model, ModelVersion
from modelyard.ports.metadata import Changes, Drop, Guard, Key, Put

Row = dict[str, Any]

DUPLICATE = 11000
"""Error code of a second document for one place in a unique index."""


class Writer:
    """Applies one ``Changes``, any number of times: documents are made once, before the first transaction.

    Args:
        database: A ``pymongo`` database.
        changes: What to write; its form was checked.

    Raises:
        InvalidInput: A record holds what JSON cannot.
    """

    def __init__(self, database: Any, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self._documents = {key_of(put.record): document(put.record) for put in changes.puts}
        self._events = [document(event) for event in changes.events]
        self._session: Any = None
        self._single: dict[str, str] = {}
        self._renamed: list[str] = []

    def apply(self, session: Any) -> None:
        """All of it, or an error after which the caller aborts.

        The position comes first: whoever has it is alone among all commits with events until the end, so that positions
        appear in their order and later steps are never in vain.

        Args:
            session: A session in a new transaction.

        Raises:
            Conflict: An expected revision did not hold, or a name, slug, number, label or place is taken.
        """
        self._session, self._single, self._renamed = session, {}, []
        puts = self._changes.puts
        last = self._position()
        self._guard()
        for drop in self._changes.drops:
            self._drop(drop)
        for put in puts:
            if isinstance(put.record, Model):
                self._put_model(put, put.record.key)
        for name, some in _grouped(puts, lambda put: COLLECTION[type(put.record)]).items():
            if name not in ("models", "versions"):
                self._put(name, [(put, self._documents[key_of(put.record)]) for put in some])
        self._put_versions(puts)
        self._rename_holders()
        self._append(last)

    # --- revisions ---------------------------------------------------------------------------------------------------

    def _revision(self, key: Key, *, outside: bool = False) -> int:
        """The stored revision as this transaction sees it, or as others do (after an error has ended it)."""
        session = None if outside else self._session
        found = self._database[COLLECTION[type(key)]].find_one(where(key), {"revision": 1}, session=session)
        return int(found["revision"]) if found else 0

    def _stale(self, expectations: Sequence[tuple[Key, int]]) -> NoReturn:
        """The refusal that names the first key that others have not left at the expected revision.

        Looked up outside of the transaction, where this commit's own writes are not seen.
        """
        for key, expected in expectations:
            if (found := self._revision(key, outside=True)) != expected:
                raise stale(key, expected, found)
        raise Conflict("a record changed since it was read; read again and decide again")

    def _guard(self) -> None:
        for name, guards in _grouped(self._changes.guards, lambda guard: COLLECTION[type(guard.key)]).items():
            self._guard_some(name, guards)

    def _guard_some(self, name: str, guards: Sequence[Guard]) -> None:
        from pymongo import DeleteOne, InsertOne, UpdateOne

        requests: list[Any] = []
        present = [guard for guard in guards if guard.expected]
        for guard in guards:
            if guard.expected:
                condition = where(guard.key) | {"revision": guard.expected}
                requests.append(UpdateOne(condition, {"$inc": {"guarded": 1}}))
            else:
                placeholder = _placeholder(name, guard.key)
                requests += [InsertOne(placeholder), DeleteOne({"_id": placeholder["_id"]})]
        matched = self._bulk(name, requests, lambda place, _: self._in_the_way(guards, requests, place))
        if matched != len(present):
            self._stale([(guard.key, guard.expected) for guard in present])

    def _in_the_way(self, guards: Sequence[Guard], requests: Sequence[Any], place: int) -> Conflict:
        """What a placeholder met: requests are one per guard that expects something, two per guard that does not."""
        first = 0
        for guard in guards:
            first += 1 if guard.expected else 2
            if place < first:
                return stale(guard.key, 0, self._revision(guard.key, outside=True))
        raise AssertionError("no guard made this request")

    def _drop(self, drop: Drop) -> None:
        condition = where(drop.key) | {"revision": drop.expected}
        done = self._database[COLLECTION[type(drop.key)]].delete_one(condition, session=self._session)
        if done.deleted_count != 1:
            raise stale(drop.key, drop.expected, self._revision(drop.key))

    # --- records -----------------------------------------------------------------------------------------------------

    def _put(self, name: str, pairs: Sequence[tuple[Put, Row]]) -> None:
        """Insert where nothing is expected, else replace where the revision is the expected one."""
        from pymongo import InsertOne, ReplaceOne

        requests: list[Any] = []
        expectations: list[tuple[Key, int]] = []
        for put, row in pairs:
            key = key_of(put.record)
            if put.expected:
                requests.append(ReplaceOne(where(key) | {"revision": put.expected}, row))
                expectations.append((key, put.expected))
            else:
                requests.append(InsertOne(row))
        matched = self._bulk(name, requests, lambda place, fields: self._second(*pairs[place], fields))
        if matched != len(expectations):
            self._stale(expectations)

    def _second(self, put: Put, row: Row, fields: set[str]) -> Conflict:
        """The refusal of a record that a unique index over ``fields`` does not take."""
        key = key_of(put.record)
        if fields == where(key).keys() and not put.expected:
            return stale(key, 0, self._revision(key, outside=True))
        for other in other_keys(put.record):
            if fields == where(other).keys():
                return taken(describe(other))
        return taken(f"stage {row.get('holder_key')}" if "holder_key" in fields else describe(key))

    def _bulk(self, name: str, requests: list[Any], refuse: Callable[[int, set[str]], Conflict]) -> int:
        """Send ``requests`` in order; how many of those that ask for a revision found it.

        Args:
            name: The collection.
            requests: Inserts, updates and so on.
            refuse: Makes the error for a request, by its place, that met a unique index over the given fields.
        """
        from pymongo.errors import BulkWriteError

        if not requests:
            return 0
        try:
            done = self._database[name].bulk_write(requests, ordered=True, session=self._session)
        except BulkWriteError as error:
            wrong = (error.details or {}).get("writeErrors") or [{}]
            if wrong[0].get("code") != DUPLICATE:
                raise
            raise refuse(wrong[0]["index"], set(wrong[0].get("keyPattern", ()))) from error
        return int(done.matched_count)

    # --- models ------------------------------------------------------------------------------------------------------

    def _put_model(self, put: Put, key: str) -> None:
        """A policy may say anew which stages have one holder: rare, so all versions of the model are looked at then."""
        row = self._documents[key_of(put.record)]
        self._single[key] = row["single_stages"]
        if not put.expected:
            self._put("models", [(put, row)])
            return
        condition = {"key": key, "revision": put.expected}
        before = self._database["models"].find_one_and_replace(
            condition, row, projection={"single_stages": 1}, session=self._session
        )
        if before is None:
            raise stale(key_of(put.record), put.expected, self._revision(key_of(put.record)))
        if before["single_stages"] != row["single_stages"]:
            clear = {"$unset": {"holder_key": ""}}
            self._database["versions"].update_many({"model_key": key}, clear, session=self._session)
            self._renamed.append(key)

    def _rename_holders(self) -> None:
        from pymongo.errors import DuplicateKeyError

        for key in self._renamed:
            stages = [stage for stage in self._single[key].split(",") if stage]
            condition = {"model_key": key, "deleted": 0, "stage": {"$in": stages}}
            named = [{"$set": {"holder_key": {"$concat": ["$model_key", "/", "$stage"]}}}]
            try:
                self._database["versions"].update_many(condition, named, session=self._session)
            except DuplicateKeyError as error:
                raise taken(f"the one place for a holder of {' or '.join(stages)} of {key}") from error

    # --- versions ----------------------------------------------------------------------------------------------------

    def _put_versions(self, puts: Sequence[Put]) -> None:
        """Those that leave a stage go first, so that its one place is free for who comes."""
        versions = [(put, put.record) for put in puts if isinstance(put.record, ModelVersion)]
        self._learn_single_stages({fold(version.name) for _, version in versions})
        pairs = [(put, self._held(version)) for put, version in versions]
        self._put("versions", sorted(pairs, key=lambda pair: "holder_key" in pair[1]))

    def _learn_single_stages(self, keys: set[str]) -> None:
        if unknown := sorted(keys - self._single.keys()):
            found = self._database["models"].find(
                {"key": {"$in": unknown}}, {"key": 1, "single_stages": 1}, session=self._session
            )
            self._single |= {row["key"]: row["single_stages"] for row in found}

    def _held(self, version: ModelVersion) -> Row:
        """The document with the place it holds, if its stage has only one."""
        row = self._documents[key_of(version)]
        holder = holder_key(version, row["model_key"], self._single.get(row["model_key"], ""))
        return row if holder is None else row | {"holder_key": holder}

    # --- events ------------------------------------------------------------------------------------------------------

    def _position(self) -> int:
        """The last position given before this commit.

        Raises:
            StorageError: There is no such counter: the database was not set up, or is a newer build's.
        """
        if not self._events:
            return 0
        found = self._database["counters"].find_one_and_update(
            {"_id": "events"}, {"$inc": {"last": len(self._events)}}, session=self._session
        )
        if found is None:
            raise StorageError(
                "this database has no counter of events: either it was not set up (open it with `migrate()` first), or "
                "a newer modelyard changed it (update this one)"
            )
        return int(found["last"])

    def _append(self, last: int) -> None:
        from pymongo import InsertOne

        rows = [row | {"position": place} for place, row in enumerate(self._events, last + 1)]
        events = self._changes.events
        self._bulk("events", [InsertOne(row) for row in rows], lambda place, _: _written(events[place]))


def _written(event: Event) -> Conflict:
    return taken(f"event {event.sequence} of {event.model or 'the registry'}")


def _grouped(items: Sequence[Any], name: Callable[[Any], str]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(name(item), []).append(item)
    return found


def _placeholder(name: str, key: Key) -> Row:
    """A document that meets only others with ``key``: its other unique fields are of no record's type."""
    from bson import ObjectId

    fresh = ObjectId()
    fields = {field: fresh for fields in UNIQUE[name] for field in fields}
    return {"_id": fresh} | fields | where(key)
