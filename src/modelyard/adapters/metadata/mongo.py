"""Records in MongoDB: a replica set, its transactions, and its indexes for whatever only one record may have."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from modelyard.adapters.metadata.changes import check_form
from modelyard.adapters.metadata.looked import Looked
from modelyard.adapters.metadata.mongo_check import findings
from modelyard.adapters.metadata.mongo_client import Client, with_a_snapshot
from modelyard.adapters.metadata.mongo_query import FINDERS, log
from modelyard.adapters.metadata.mongo_rows import READERS
from modelyard.adapters.metadata.mongo_schema import COLLECTION, VERSION, migrate, schema_number, where
from modelyard.adapters.metadata.mongo_turns import Turns
from modelyard.adapters.metadata.mongo_write import Writer
from modelyard.ports.metadata import Changes, Page, Positioned


class MongoMetadata:
    """A :class:`~modelyard.ports.metadata.MetadataStore` in one MongoDB database.

    Thread-safe and safe for any number of processes and hosts. Every commit is a transaction over one snapshot that is
    in the journals of a majority when it returns; commits with events take turns (the position of an event is a counter
    inside the transaction), so a reader can never see a later position before an earlier one. A primary that is cut off
    may, until it notices (10 s), answer reads with what was true before; it can commit nothing.

    Limits: MongoDB 5.0 or newer, a replica set (of one is enough) or a cluster, and 16 MiB for one record.

    Args:
        url: ``mongodb://[user:password@]host[:port][,host...][/database][?options]``; the database is ``modelyard``
            where none is named. Nothing is connected before the first call.
        database: Name of the database, instead of the address's. (A user is looked up in the database that the address
            names, or in ``admin`` where it names none.)
        pool_size: Most connections to one server; the driver's default where ``None``.

    Raises:
        InvalidConfig: The address has another scheme.
    """

    def __init__(self, url: str, *, database: str | None = None, pool_size: int | None = None) -> None:
        self._client = Client(url, database=database, pool_size=pool_size)
        self._turns = Turns(self._client)

    @property
    def place(self) -> str:
        """Where the records are, without credentials."""
        return self._client.shown

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        """The record with that key, or ``None``.

        Raises:
            IntegrityError: The document does not match its digest.
            StorageError: The database does not answer.
        """
        name = COLLECTION[type(key)]
        row = self._client.read(lambda database: database[name].find_one(where(key)))
        return None if row is None else READERS[name](row)

    def find(self, query: Any) -> Page[Any]:
        """One page of the answer to ``query``."""
        return self._client.read(lambda database: FINDERS[type(query)](database, query))

    def events(self, after: int, limit: int) -> Sequence[Positioned]:
        """Events above a position, in the order of their commits."""
        return self._client.read(lambda database: log(database, after, limit))

    # --- writing -----------------------------------------------------------------------------------------------------

    def commit(self, changes: Changes) -> None:
        """One transaction, in the journals of a majority when it returns.

        Raises:
            Conflict: An expected revision did not hold, a name, number or label is taken, or others kept writing.
            StorageError: The database refused, and nothing was changed; or it was lost during the commit, and the
                message says that the outcome is not known.
        """
        check_form(changes)
        with self._client.translated():
            writer = Writer(self._client.database, changes)
            self._turns.run(writer.apply, turn=bool(changes.events))

    def alone(self) -> AbstractContextManager[None]:
        """A lock among threads and a lease among processes, for those who ask for it."""
        return self._turns.alone()

    # --- the rest ----------------------------------------------------------------------------------------------------

    def is_made(self) -> bool:
        """Whether the database has a collection for the registry's record."""
        return self._client.read(lambda database: "registry" in database.list_collection_names())

    def is_older(self) -> bool:
        """Whether the database has a schema of ours that is not the newest."""
        return 0 < self._client.read(schema_number) < VERSION

    def migrate(self) -> None:
        """Make the database or bring it to the newest schema; safe when many processes do so at once.

        Raises:
            NotSupported: It was written by a newer version, or the server is too old or no replica set.
        """
        with self._client.translated():
            migrate(self._client.database, self._client.shown)

    def check(self) -> Sequence[str]:
        """Recompute what can be recomputed, over one snapshot; one line per finding."""
        with self._client.translated():
            return with_a_snapshot(self._findings)

    def _findings(self) -> Sequence[str]:
        database = self._client.database
        with database.client.start_session(snapshot=True) as session:
            return tuple(findings(database, session))

    def look(self) -> Looked:
        """Who answers, what may be done there and what is promised; makes and changes nothing."""
        from modelyard.adapters.metadata.mongo_look import look

        return look(self._client)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
