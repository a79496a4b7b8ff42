"""Statements that are answered in the way meant, on databases whose planner would choose another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.adapters.metadata.dialect import Dialect, Way


class Guide:
    """A connection whose planner is told, before a statement, how that is meant to be answered.

    Args:
        connection: A DBAPI connection in a read transaction, at whose end all that was told is forgotten.
        dialect: Which kind of database it is.
    """

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self.dialect = dialect
        self._connection = connection
        self._told = Way.FREE

    def run(self, way: Way, statement: str, given: Mapping[str, Any]) -> Any:
        """The cursor of one statement. The database is told nothing twice: each time is a trip to the server."""
        if way is not self._told and way in self.dialect.advice:
            self._connection.execute(self.dialect.advice[way])
            self._told = way
        return self._connection.execute(statement, given)
