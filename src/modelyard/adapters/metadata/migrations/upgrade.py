"""Alembic, run by hand over an open connection: there is no ``alembic.ini`` and no second connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from modelyard.adapters.metadata.migrations import ONE_AT_A_TIME
from modelyard.adapters.metadata.sqlite import driver


def upgrade(connection: Any, version: int) -> None:
    """Bring the database behind a DBAPI connection to the newest migration, whole or not at all.

    SQLAlchemy only borrows the connection: its pool may neither roll back nor close it. The turn to write is taken
    before Alembic looks where the database stands, so that of several processes one migrates and the others find it
    done.

    Args:
        connection: In autocommit mode, outside of any transaction.
        version: The schema's number, written to ``PRAGMA user_version`` in the same transaction.
    """
    engine = create_engine(
        "sqlite://",
        module=driver(),
        creator=lambda: connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
    )
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    script = ScriptDirectory.from_config(configuration)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    with (
        ONE_AT_A_TIME,
        engine.connect() as bound,
        EnvironmentContext(configuration, script, fn=steps) as environment,
        bound.begin(),
    ):
        bound.exec_driver_sql("BEGIN IMMEDIATE")
        environment.configure(connection=bound, transactional_ddl=False)
        environment.run_migrations()
        bound.exec_driver_sql(f"PRAGMA user_version = {version}")
