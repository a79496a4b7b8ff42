"""A process that brings databases to the newest schema and dies at a statement that it is told.

    python migrating.py

reads ``<n> <address>`` line by line, each done by a child that is killed before the n-th statement of the migration,
and answers ``killed`` or, if there were fewer, ``done``. MongoDB is brought to the schema of the next build, command by
command. What a migration imports is imported once, so that trying
every statement is quick; there is one thread, so that forking is safe.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import Any

from next_mongodb import become
from pymongo import monitoring
from sqlalchemy import Engine, event

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.migrations import servers, upgrade  # noqa: F401 - the children need them
from modelyard.adapters.metadata.mongo import MongoMetadata
from modelyard.adapters.metadata.sql import SqlMetadata


class Counting(monitoring.CommandListener):
    """Dies before the command that it is told; also asked by SQLAlchemy, before each statement."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._commands = count(1)

    def started(self, *_: object) -> None:
        if next(self._commands) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, *_: object) -> None:
        """As expected."""

    failed = succeeded


def opened(address: str) -> Any:
    """A store of the newest build that there is for its kind of database."""
    if address.startswith("mongodb:"):
        become(1)
        return MongoMetadata(address)
    return SqlMetadata(address) if address.startswith("sqlite:") else open_server(address)


def migrate(address: str, last: int) -> None:
    """What the child does."""
    counting = Counting(last)
    monitoring.register(counting)
    event.listen(Engine, "before_cursor_execute", lambda *_: counting.started())
    opened(address).migrate()


def main() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        last, address = line.split()
        child = os.fork()
        if not child:
            migrate(address, int(last))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print({0: "done", signal.SIGKILL: "killed"}.get(status, f"failed with status {status}"), flush=True)


if __name__ == "__main__":
    main()
