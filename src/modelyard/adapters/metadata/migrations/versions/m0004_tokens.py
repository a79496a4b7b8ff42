"""Tokens that a server recognises callers by."""

from __future__ import annotations

from alembic import op

from modelyard.adapters.metadata.migrations import REPEATED
from modelyard.adapters.metadata.schema import metadata

revision = "0004"
down_revision = "0003"
TABLES = ("tokens",)


def upgrade() -> None:
    """Make the table. See ``m0001_first`` about later changes."""
    connection = op.get_bind()
    repeated = connection.dialect.name in REPEATED
    metadata.create_all(connection, tables=[metadata.tables[name] for name in TABLES], checkfirst=repeated)
