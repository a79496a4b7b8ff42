"""Transactions of MongoDB from begin to end: who waits, what is tried again, and what a lost answer means.

The server never lets a transaction wait for another one: the second to write a document is refused at once and has to
begin again. Here it does so after a short random pause, without troubling who decided, until its turn comes. Only an
expectation that no longer holds is a conflict.

A commit whose answer is lost is asked for again: the server knows each transaction by number, so it lands once
(MongoDB's driver specification for transactions, "UnknownTransactionCommitResult").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, Final

from modelyard.adapters.metadata.mongo_client import APPLICATION, Client, concern, durable, words
from modelyard.adapters.metadata.mongo_line import Line
from modelyard.domain.errors import Conflict, StorageError

PATIENCE: Final = 20.0
"""Seconds that a commit waits for others, or for a lost server to be replaced."""

ORPHANED: Final = 1.5
"""Seconds without a sign after which a transaction's owner is taken for dead."""

_LOOK: Final = 0.5
"""Seconds between two looks for such transactions, once somebody has waited for so long."""

_PAUSES: Final = (0.0005, 0.02)
_UNCERTAIN: Final = "UnknownTransactionCommitResult"
_TRANSIENT: Final = "TransientTransactionError"


class Turns:
    """Runs transactions over one client, those with a turn one after the other.

    Args:
        client: The connection.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = RLock()
        self._depth = 0
        self._line = Line(client)

    # --- transactions ------------------------------------------------------------------------------------------------

    def run(self, work: Callable[[Any], None], *, turn: bool) -> None:
        """Run ``work`` in a transaction and commit it.

        Args:
            work: Is given a session in a transaction; may be run several times.
            turn: Whether it takes a position, of which there is one at a time: then threads queue here.

        Raises:
            Conflict: ``work`` says so, or others were faster for the whole of ``PATIENCE``.
            StorageError: The database did not answer, or answered so late that it is not known whether it landed.
        """
        if not turn:
            self._until_committed(work)
            return
        with self._queued():
            self._until_committed(work)

    @contextmanager
    def _queued(self) -> Iterator[None]:
        """Behind the other threads, but not for ever: while the database is away, each finds out by itself."""
        had = self._lock.acquire(timeout=PATIENCE / 2)
        try:
            yield
        finally:
            if had:
                self._lock.release()

    def _until_committed(self, work: Callable[[Any], None]) -> None:
        from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

        waiting = _Waiting()
        with self._client.translated(), self._client.session() as session:
            while True:
                try:
                    self._attempt(session, work)
                    return
                except ServerSelectionTimeoutError:  # the driver has waited for as long as it was told to
                    raise
                except PyMongoError as error:
                    if not error.has_error_label(_TRANSIENT):
                        raise
                    self._wait(waiting, error)

    def _attempt(self, session: Any, work: Callable[[Any], None]) -> None:
        session.start_transaction(read_concern=concern("snapshot"), write_concern=durable())
        try:
            work(session)
        except BaseException:
            _abort(session)
            raise
        self._commit(session)

    def _commit(self, session: Any) -> None:
        from pymongo.errors import ConnectionFailure, PyMongoError

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                session.commit_transaction()
                return
            except PyMongoError as error:
                if not error.has_error_label(_UNCERTAIN):
                    raise
                if time.monotonic() > deadline:
                    raise StorageError(
                        f"{self._client.shown} lost the connection during a commit ({words(error)}), and it is not "
                        "known whether the change landed: look before you try again, or try again with the same "
                        "idempotency key"
                    ) from error
                time.sleep(random.uniform(*_PAUSES) if isinstance(error, ConnectionFailure) else _PAUSES[1])  # noqa: S311

    def _wait(self, waiting: _Waiting, error: Any) -> None:
        from pymongo.errors import ConnectionFailure

        if waiting.over():
            if isinstance(error, ConnectionFailure):
                raise error
            raise Conflict(
                f"{self._client.shown}: others were writing for {PATIENCE:.0f} s: {words(error)}; try again"
            ) from error
        if waiting.long():
            with suppress(Exception):  # help for others; what is in the way shows itself again
                self.release_orphans()
        waiting.pause()

    def release_orphans(self) -> None:
        """End transactions whose process died, which would be in the way until the server ends them after a minute.

        A process that only slept finds its transaction gone, and begins it again: nothing is lost either way.
        """
        admin = self._client.database.client.admin
        silent = {"$gte": int(ORPHANED * 1_000_000)}
        looked_for = {"type": "idleSession", "appName": APPLICATION, "transaction.timeInactiveMicros": silent}
        with admin.aggregate([{"$currentOp": {"idleSessions": True}}, {"$match": looked_for}]) as found:
            sessions = [{"id": operation["lsid"]["id"]} for operation in found]
        if sessions:
            admin.command({"killSessions": sessions})

    # --- the courtesy ------------------------------------------------------------------------------------------------

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep those away who ask for the same: threads by a lock, processes by the line."""
        with self._queued():
            if self._depth == 0:
                self._line.enter()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._line.leave()


class _Waiting:
    """How long somebody has waited, and how long the next pause is."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._looked = self._began + ORPHANED - _LOOK
        self._longest = _PAUSES[0] * 4

    def over(self) -> bool:
        return time.monotonic() - self._began > PATIENCE

    def long(self) -> bool:
        """After ``ORPHANED`` seconds, and from then on every ``_LOOK`` seconds."""
        if (now := time.monotonic()) - self._looked < _LOOK:
            return False
        self._looked = now
        return True

    def pause(self) -> None:
        time.sleep(random.uniform(_PAUSES[0], self._longest))  # noqa: S311 - jitter, not a secret
        self._longest = min(self._longest * 1.5, _PAUSES[1])


def _abort(session: Any) -> None:
    from pymongo.errors import PyMongoError

    with suppress(PyMongoError):
        session.abort_transaction()
