"""The first schema: its tables, and on SQLite the full-text table where its library has one."""

from __future__ import annotations

from alembic import op

from modelyard.adapters.metadata.migrations import add_full_text
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
    metadata.create_all(connection, tables=[metadata.tables[name] for name in TABLES], checkfirst=False)
    if connection.dialect.name == "sqlite":
        add_full_text(connection.connection.dbapi_connection)
