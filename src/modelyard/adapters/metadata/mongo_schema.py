"""Collections and indexes of a registry in MongoDB, and bringing a database to them.

Names, slugs, numbers, labels and single holders of a stage are unique indexes: the database itself refuses a second.
Indexes are only ever added, so older and newer servers can work side by side; what an older one cannot read raises the
number in the ``schema`` document, and it refuses. That is read when a process starts; one that runs already can change
no model any more once the counter ``events`` was taken away from it, since a collection that is gone would only look
empty. What it commits without events (collecting, when a token was last used) goes on, so it is better ended first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from modelyard.domain.errors import NotSupported
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.records import Blob, Model, ModelVersion, Receipt, Registry, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.ports.metadata import (
    BlobKey,
    ExperimentKey,
    ExposureKey,
    IdentityKey,
    Key,
    LabelKey,
    ModelKey,
    NumberKey,
    OutcomeKey,
    ReceiptKey,
    RegistryKey,
    SecretKey,
    SessionKey,
    SessionSecretKey,
    SlugKey,
    SourceKey,
    TokenKey,
    VersionKey,
)

VERSION: Final = 1
"""Number of the newest schema, kept in the ``schema`` document."""

OLDEST_WIRE: Final = 13
"""Wire version of MongoDB 5.0, the first whose plain reads can be of one snapshot."""

_EXISTS: Final = 48
"""Error code of making a collection that is there (NamespaceExists)."""

COLLECTION: Final[Mapping[type, str]] = {
    Registry: "registry",
    RegistryKey: "registry",
    Model: "models",
    ModelKey: "models",
    SlugKey: "models",
    ModelVersion: "versions",
    VersionKey: "versions",
    NumberKey: "versions",
    LabelKey: "versions",
    Blob: "blobs",
    BlobKey: "blobs",
    Source: "sources",
    SourceKey: "sources",
    Receipt: "receipts",
    ReceiptKey: "receipts",
    Experiment: "experiments",
    ExperimentKey: "experiments",
    IdentityKey: "experiments",
    Outcome: "outcomes",
    OutcomeKey: "outcomes",
    Exposure: "exposures",
    ExposureKey: "exposures",
    Token: "tokens",
    TokenKey: "tokens",
    SecretKey: "tokens",
    Session: "sessions",
    SessionKey: "sessions",
    SessionSecretKey: "sessions",
}
"""Where a record or what a key names is kept."""

UNIQUE: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "registry": (("id",),),
    "models": (("key",), ("slug",)),
    "versions": (("model_id",), ("model_key", "number"), ("model_key", "label_key")),
    "blobs": (("digest",),),
    "sources": (("kind", "target"),),
    "receipts": (("key",),),
    "events": (("position",), ("model_key", "sequence")),
    "experiments": (("experiment_id",), ("identity",)),
    "outcomes": (("experiment_id", "unit", "draw"),),
    "exposures": (("experiment_id", "writer"),),
    "tokens": (("token_id",), ("digest",)),
    "sessions": (("session_id",), ("digest",)),
}
"""Fields that no two documents of a collection share; every document has them."""

FURTHER: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "models": (("name", "key"),),
    "versions": (
        ("deleted", "created", "model_id"),
        ("model_key", "created", "model_id"),
        ("stage", "created", "model_id"),
        ("digest",),
        ("files",),
        ("edges.target",),
        ("terms.f", "terms.n", "terms.s"),
    ),
    "events": (("model_key", "subjects", "sequence"), ("model_key", "moves.pointer", "at", "sequence")),
    "experiments": (("model_key", "experiment_id"),),
}
"""What else is looked for."""

BARE: Final = ("counters", "leases", "schema")
"""Collections of a few documents that are found by ``_id`` alone."""


def where(key: Key) -> dict[str, Any]:
    """The condition that only the record with this key fulfils."""
    return {name: getattr(key, name) for name in key.__slots__} or {"id": 1}


def migrate(database: Any, shown: str) -> None:
    """Make the collections and indexes; any number of processes may do so at once.

    Args:
        database: A ``pymongo`` database.
        shown: Where it is, for messages.

    Raises:
        NotSupported: The database was written by a newer version, or the server lacks what a registry needs.
    """
    number = schema_number(database)
    if number > VERSION:
        raise NotSupported(
            f"{shown} has schema {number}, this version of modelyard knows up to {VERSION}: it was written by a newer "
            "modelyard; update this one"
        )
    if number < VERSION:
        check_server(database, shown)
        _create(database)


def schema_number(database: Any) -> int:
    """Number of the schema that is there; 0 if there is none."""
    found = database["schema"].find_one({"_id": "modelyard"})
    return int(found["version"]) if found else 0


def check_server(database: Any, shown: str) -> None:
    """Refuse a server without transactions, or too old for reads of one snapshot.

    Raises:
        NotSupported: It says what the server has to be.
    """
    hello = database.client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise NotSupported(
            f"{shown} is a standalone server: expected a replica set (of one member is enough), since a registry needs "
            "transactions. Start mongod with `--replSet rs0` and run `rs.initiate()` once"
        )
    if hello["maxWireVersion"] < OLDEST_WIRE:
        raise NotSupported(
            f"{shown} runs a MongoDB before 5.0 (wire version {hello['maxWireVersion']}, expected {OLDEST_WIRE} or "
            "more): update the server"
        )


def _create(database: Any) -> None:
    from pymongo import ASCENDING, IndexModel
    from pymongo.errors import CollectionInvalid, OperationFailure

    there = set(database.list_collection_names())
    for name in sorted({*UNIQUE, *BARE} - there):
        with suppress(CollectionInvalid):  # somebody else was first
            try:
                database.create_collection(name)
            except OperationFailure as error:
                if error.code != _EXISTS:
                    raise
    for name, unique in UNIQUE.items():
        models = [IndexModel([(field, ASCENDING) for field in fields], unique=True) for fields in unique]
        models += [IndexModel([(f, ASCENDING) for f in fields]) for fields in FURTHER.get(name, ())]
        if name == "versions":  # sparse: most versions hold no stage that only one may hold
            models.append(IndexModel([("holder_key", ASCENDING)], unique=True, sparse=True))
        database[name].create_indexes(models)
    database["counters"].update_one({"_id": "events"}, {"$setOnInsert": {"last": 0}}, upsert=True)
    database["leases"].update_one({"_id": "writer"}, {"$setOnInsert": {"line": []}}, upsert=True)
    database["schema"].update_one({"_id": "modelyard"}, {"$max": {"version": VERSION}}, upsert=True)
