"""Experiments, their outcomes, and what each process has served of them."""

from __future__ import annotations

from alembic import op

from modelyard.adapters.metadata.migrations import REPEATED
from modelyard.adapters.metadata.schema import metadata

revision = "0003"
down_revision = "0002"
TABLES = ("experiments", "outcomes", "outcome_values", "exposures")


def upgrade() -> None:
    """Make the tables. See ``m0001_first`` about later changes."""
    connection = op.get_bind()
    repeated = connection.dialect.name in REPEATED
    metadata.create_all(connection, tables=[metadata.tables[name] for name in TABLES], checkfirst=repeated)
