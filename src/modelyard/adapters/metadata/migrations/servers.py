"""Alembic over a connection to a server; one process at a time, the others find it done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from modelyard.adapters.metadata.migrations import ONE_AT_A_TIME


def upgrade(url: str, connection: Any, *, lock: str, transactional: bool) -> None:
    """Run what migrations are missing.

    Args:
        url: Dialect and driver, for example ``postgresql+psycopg://``; it says nothing of where.
        connection: A DBAPI connection, not in autocommit mode, that SQLAlchemy borrows.
        lock: A statement that waits until nobody else migrates.
        transactional: Whether the database can undo what it did to tables. Where it cannot (MySQL), migrations have to
            bear being run again after they were cut short.
    """
    engine = create_engine(url, creator=lambda: connection, poolclass=StaticPool, pool_reset_on_return=None)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    script = ScriptDirectory.from_config(configuration)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision) if _is_known(script, revision) else []

    with (
        ONE_AT_A_TIME,
        engine.connect() as bound,
        EnvironmentContext(configuration, script, fn=steps) as environment,
        bound.begin(),
    ):
        bound.exec_driver_sql(lock)
        environment.configure(connection=bound, transactional_ddl=transactional)
        environment.run_migrations()


def _is_known(script: ScriptDirectory, revision: Any) -> bool:
    """A newer schema than ours is left alone; who opened it refuses it afterwards."""
    found = revision[0] if isinstance(revision, tuple) and revision else revision
    return not found or found in {step.revision for step in script.walk_revisions()}
