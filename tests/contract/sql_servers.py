"""Databases on a server for contracts: made once, emptied for every test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit, urlunsplit

from tests.services import mysql as mysql_server

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.schema import metadata
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.ports.metadata import Changes

from .test_metadata_sqlite import PLACES

KINDS = ("postgresql", "mariadb") if mysql_server.missing() else ("postgresql", "mariadb", "mysql")
"""Fixtures that give a server's address; MySQL joins in where somebody brought one."""

TABLES = [table.name for table in reversed(metadata.sorted_tables) if table.name != "event_log"]


def database(server: str, name: str) -> str:
    """The address of a database of that name on ``server``, made if it is not there."""
    store = open_server(server)
    with store._session() as session:
        listed = "SELECT datname FROM pg_database"
        if "postgres" not in server.partition(":")[0]:
            listed = "SELECT schema_name FROM information_schema.schemata"
        if (name,) not in session.execute(listed).fetchall():
            session.execute(f"CREATE DATABASE {name}")
    store.close()
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def emptied(url: str) -> ServerMetadata:
    """A store over a database without records."""
    store = open_server(url)
    store.migrate()
    with store._session() as session:
        for table in TABLES:
            session.execute(f"DELETE FROM {table}")
        session.execute("UPDATE event_log SET position = 0")
    return store


@contextmanager
def unfinished(store: ServerMetadata, changes: Changes) -> Iterator[None]:
    """All of a commit but its end, which comes on leaving."""
    session = store.engine.connect()
    store.engine.begin(session)
    Writer(session, words=False, dialect=store.dialect).apply(changes)
    yield
    session.execute("COMMIT")
    session.close()


class ServerAccess:
    """What ``DurableMetadataContract`` asks for, over a server."""

    def opener(self, store: ServerMetadata) -> partial[ServerMetadata]:
        return partial(open_server, self.url)

    def damage(self, store: ServerMetadata, key: object) -> None:
        self.run(store, f"UPDATE {PLACES[type(key)]}")

    def damage_event(self, store: ServerMetadata, position: int) -> None:
        self.run(store, f"UPDATE events SET doc = replace(doc, 'ada', 'bob') WHERE position = {position}")

    def run(self, store: ServerMetadata, statement: str) -> None:
        with store._session() as session:
            assert session.execute(statement).rowcount == 1

    in_flight = staticmethod(unfinished)


def rewritten(store: ServerMetadata, model_key: str, changes: Changes) -> None:
    """Replace a model and its log, every row digest computed anew as a careful forger would."""
    with store._session() as session:
        session.execute("BEGIN")
        for table in ("moves", "events"):
            session.execute(f"DELETE FROM {table} WHERE model_key = :key", {"key": model_key})
        Writer(session, words=False, dialect=store.dialect).apply(changes)
        session.execute("COMMIT")


def names(prefix: str, count: int) -> Sequence[str]:
    """Names of databases that tests of one kind use at the same time."""
    return [f"{prefix}_{number}" for number in range(count)]
