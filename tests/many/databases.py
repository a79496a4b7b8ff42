"""Databases of their own for several servers."""

from __future__ import annotations

import uuid

from tests.contract.sql_servers import database

from modelyard.adapters.metadata.engines import open_server


def new_database(server: str) -> str:
    """The address of a database that nobody used yet."""
    return database(server, f"many_{uuid.uuid4().hex[:12]}")


def drop(server: str, url: str) -> None:
    """Remove a database, whoever is still connected."""
    store = open_server(server)
    with store._session() as session:
        name = url.rpartition("/")[2]
        force = " WITH (FORCE)" if server.startswith("postgresql") else ""
        session.execute(f"DROP DATABASE {name}{force}")
    store.close()
