"""A process that brings databases to the newest schema and dies at a statement that it is told.

    python migrating.py

reads ``<n> <address>`` line by line, each done by a child that is killed before the n-th statement of the migration,
and answers ``killed`` or, if there were fewer, ``done``. What a migration imports is imported once, so that trying
every statement is quick; there is one thread, so that forking is safe.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from sqlalchemy import Engine, event

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.migrations import servers, upgrade  # noqa: F401 - the children need them
from modelyard.adapters.metadata.sql import SqlMetadata


def migrate(address: str, last: int) -> None:
    """What the child does."""
    statements = count(1)

    def counted(*_: object) -> None:
        if next(statements) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", counted)
    store = SqlMetadata(address) if address.startswith("sqlite:") else open_server(address)
    store.migrate()


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
