"""The first schema: every table, and on SQLite the full-text table where its library has one."""

from __future__ import annotations

from alembic import op

from modelyard.adapters.metadata.migrations import add_full_text
from modelyard.adapters.metadata.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables. A second migration that changes ``schema.py`` has to freeze a copy of this one's tables."""
    connection = op.get_bind()
    metadata.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        add_full_text(connection.connection.dbapi_connection)
