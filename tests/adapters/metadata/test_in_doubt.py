"""A commit on PostgreSQL that is held up inside the server while its caller loses the line to it."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.contract.sql_servers import database, emptied
from tests.server.running import wait_until
from tests.services import postgresql as server
from tests.services.cutting import COMMIT, relayed

from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.ports.metadata import ModelKey
from modelyard.testing.metadata import a_model, an_event, changed, seed

PATIENCE = 60.0
TURN = re.compile(b"UPDATE event_log")
ANSWER = re.compile(rb"[SH]\x00\x00\x00\x04")
"""Sync or Flush (PostgreSQL documentation, "Message Formats"): whoever sends it waits for answers."""


@pytest.fixture
def url(postgresql: str) -> str:
    if os.environ.get(server.VARIABLE):
        pytest.skip(f"{server.VARIABLE} names a server whose processes are not ours to stop")
    return database(postgresql, "modelyard_in_doubt")


@pytest.fixture
def store(url: str) -> Iterator[ServerMetadata]:
    store = emptied(url)
    yield store
    store.close()


class HeldUp:
    """Stops the server's process behind a store's one connection, once a statement goes by.

    Args:
        store: Whose commit is held up.
        at: What is in the statement: the process is stopped before it gets to see it.
    """

    def __init__(self, store: ServerMetadata, at: re.Pattern[bytes]) -> None:
        self.pid = asked(store, "SELECT pg_backend_pid()")
        self._at = at
        self._stopped = False

    def meets(self, data: bytes) -> bool:
        """Whether the process is stopped and its client waits for it."""
        if not self._stopped and self._at.search(data):
            os.kill(self.pid, signal.SIGSTOP)
            self._stopped = True
        return self._stopped and bool(ANSWER.search(data))

    def has_somebody_behind(self, store: ServerMetadata) -> bool:
        """Whether another transaction waits for a lock of the one that is held up."""
        behind = f"SELECT count(*) FROM pg_stat_activity WHERE {self.pid} = ANY(pg_blocking_pids(pid))"
        return asked(store, behind) > 0

    def let_go(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)


def asked(store: ServerMetadata, statement: str) -> int:
    with store._session() as session:
        return int(session.execute(statement).fetchone()[0])


@pytest.mark.parametrize("at", [TURN, COMMIT], ids=["before its turn", "at its end"])
def test_a_commit_held_up_while_the_line_is_cut_is_made_once_and_told_as_made(
    at: re.Pattern[bytes], url: str, store: ServerMetadata, caplog: pytest.LogCaptureFixture
) -> None:
    """A COMMIT that had travelled ahead of the turn would land after nobody found it, and be told as a conflict."""
    seed(store, a_model())
    mine = changed(a_model(), description="mine")
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(1) as pool, relayed(url) as (through, relay):
        far = open_server(through)
        held = HeldUp(far, at)
        relay.watch = held.meets
        told = pool.submit(seed, far, mine, events=(an_event(1),))
        try:
            wait_until(lambda: told.done() or held.has_somebody_behind(store))
        finally:
            held.let_go()
        told.result(PATIENCE)
        assert relay.cuts == 1
        far.close()
    assert store.get(ModelKey("fraud")) == mine
    assert len(store.events(0, 10)) == 1
    assert store.check() == ()
    assert "psycopg" not in caplog.text
