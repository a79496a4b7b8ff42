"""Lineage that can be followed from either end, and sources that can be withdrawn."""

from __future__ import annotations

import json
from typing import Any

from alembic import op
from sqlalchemy import Connection, inspect, text

from modelyard.adapters.metadata.migrations import REPEATED
from modelyard.adapters.metadata.schema import metadata

revision = "0002"
down_revision = "0001"
TABLES = ("version_edges", "sources")
CHUNK = 1000
"""Documents read at a time, so that memory stays small however many there are."""


def upgrade() -> None:
    """Make the tables and fill in the edges that documents hold already. See ``m0001_first`` about later changes."""
    connection = op.get_bind()
    repeated = connection.dialect.name in REPEATED
    metadata.create_all(connection, tables=[metadata.tables[name] for name in TABLES], checkfirst=repeated)
    if repeated:
        _keep_targets_unique(connection)
        connection.execute(text("DELETE FROM version_edges"))
    last = 0
    while rows := _documents(connection, last):
        last = rows[-1][0]
        if edges := [edge for number, doc in rows for edge in _edges(number, doc)]:
            statement = "INSERT INTO version_edges (version, kind, target) VALUES (:version, :kind, :target)"
            connection.execute(text(statement), edges)


def _keep_targets_unique(connection: Connection) -> None:
    """MySQL indexes 768 characters and a target may have 2,000: what is unique there is its SHA-256."""
    if any(column["name"] == "target_key" for column in inspect(connection).get_columns("sources")):
        return
    connection.execute(
        text(
            "ALTER TABLE sources ADD COLUMN target_key BINARY(32) "
            "GENERATED ALWAYS AS (unhex(sha2(target, 256))) STORED, "
            "ADD UNIQUE INDEX uq_sources_kind_target (kind, target_key)"
        )
    )


def _documents(connection: Any, after: int) -> list[Any]:
    statement = "SELECT id, doc FROM version_docs WHERE id > :after ORDER BY id LIMIT :limit"
    return list(connection.execute(text(statement), {"after": after, "limit": CHUNK}))


def _edges(number: int, doc: str) -> list[dict[str, Any]]:
    """Rows for one version; an edge that is given twice is one row."""
    found = dict.fromkeys((edge["kind"], edge["target"]) for edge in json.loads(doc).get("lineage", ()))
    return [{"version": number, "kind": kind, "target": target} for kind, target in found]
