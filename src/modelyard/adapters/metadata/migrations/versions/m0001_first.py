"""The first schema: its tables, and on SQLite the full-text table where its library has one."""

from __future__ import annotations

from contextlib import suppress

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from modelyard.adapters.metadata.migrations import REPEATED, add_full_text
from modelyard.adapters.metadata.schema import metadata

revision = "0001"
down_revision = None
TABLES = (
    "registry",
    "models",
    "versions",
    "version_docs",
    "version_texts",
    "version_files",
    "version_terms",
    "blobs",
    "receipts",
    "events",
    "moves",
)


def upgrade() -> None:
    """Make the tables. A later migration that changes one of them has to freeze a copy of it here as it was."""
    connection = op.get_bind()
    kind = connection.dialect.name
    names = TABLES if kind == "sqlite" else (*TABLES, "event_log")
    metadata.create_all(
        connection, tables=[metadata.tables[name] for name in names], checkfirst=kind in REPEATED
    )
    if kind == "sqlite":
        add_full_text(connection.connection.dbapi_connection)
        return
    if connection.execute(text("SELECT id FROM event_log")).first() is None:
        connection.execute(text("INSERT INTO event_log (id, position) VALUES (1, 0)"))
    if kind == "postgresql":
        _add_words(connection)


def _add_words(connection: Connection) -> None:
    """An index of three-letter pieces, where the extension can be had; else words are looked for row by row."""
    with suppress(DBAPIError), connection.begin_nested():
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        connection.execute(
            text("CREATE INDEX ix_version_texts_words ON version_texts USING gin (search gin_trgm_ops)")
        )
