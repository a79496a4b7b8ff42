"""Connections to a server: how statements reach it, and how many there are at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from threading import BoundedSemaphore
from typing import Any, Final, Protocol

from modelyard.adapters.metadata.dialect import Dialect, Run
from modelyard.domain.errors import ModelyardError, StorageError

PATIENCE: Final = 30.0
"""Seconds that a call waits for a connection, or a commit for its turn."""

_PARAMETER: Final = re.compile(r":([a-z]\w*)")
_abandoned: list[Any] = []
"""Connections inherited over a fork: never used and never closed, since that would end the parent's session."""


@lru_cache(maxsize=2048)
def respelled(statement: str, spellings: tuple[tuple[str, str], ...]) -> str:
    """A statement in the words of one database, its parameters as ``%(name)s``."""
    for ours, theirs in spellings:
        statement = statement.replace(ours, theirs)
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


@lru_cache(maxsize=256)
def as_copy(statement: str) -> tuple[str, tuple[str, ...]]:
    """An INSERT of one row as PostgreSQL's ``COPY``, and the names of its parameters in the order of the columns."""
    head, _, values = statement.partition(" VALUES ")
    return f"{head.replace('INSERT INTO', 'COPY')} FROM STDIN", tuple(_PARAMETER.findall(values))


class Session:
    """One connection, spoken to as the shared code speaks to SQLite's.

    Args:
        raw: A DBAPI connection in autocommit mode; transactions are begun by hand.
        spellings: What this database spells otherwise, as pairs of ours and theirs.
        copies: From how many rows on an INSERT of many becomes a ``COPY``; 0: never.
    """

    __slots__ = ("_copies", "_spellings", "broken", "raw")

    def __init__(self, raw: Any, spellings: tuple[tuple[str, str], ...], *, copies: int = 0) -> None:
        self.raw = raw
        self.broken = False
        self._spellings = spellings
        self._copies = copies

    def execute(self, statement: str, given: Mapping[str, Any] | None = None) -> Any:
        """Run one statement; answers its cursor. Without ``given`` it is taken literally."""
        cursor = self.raw.cursor()
        if given is None:
            cursor.execute(statement)
        else:
            cursor.execute(respelled(statement, self._spellings), given)
        return cursor

    def executemany(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Run one statement for every row; nothing for none. Answers the cursor, which has counted the rows met."""
        cursor = self.raw.cursor()
        if self._copies and len(rows) >= self._copies and statement.startswith("INSERT"):
            copied, names = as_copy(statement)
            with cursor.copy(copied) as copy:
                for row in rows:
                    copy.write_row([row[name] for name in names])
        elif rows:
            cursor.executemany(respelled(statement, self._spellings), rows)
        return cursor

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        with suppress(Exception):
            self.raw.close()


class Engine(Protocol):
    """One database server behind one address; the only thing that knows its driver."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def place(self) -> str:
        """Kind, host and database, for messages: never a user's password."""
        ...

    def connect(self, *, patient: bool = False) -> Session:
        """A new connection; ``patient`` ones have no limit on how long a statement may take.

        Raises:
            StorageError: There is none to be had; says what to look at.
            MissingDependency: The driver is not installed.
        """
        ...

    def begin(self, session: Session) -> None:
        """Begin a transaction that writes: every statement sees what was committed before it."""
        ...

    def begin_looking(self, session: Session) -> None:
        """Begin a transaction that reads one state."""
        ...

    def shut_others_out(self, session: Session) -> None:
        """Wait for, and keep, the right to be the only writer, until ``let_others_in``."""
        ...

    def let_others_in(self, session: Session) -> None: ...

    def has_words(self, run: Run) -> bool:
        """Whether there is an index of words."""
        ...

    def is_lost(self, error: Exception, session: Session) -> bool:
        """Whether the connection is gone, so that another one may do."""
        ...

    def is_missing(self, error: Exception) -> bool:
        """Whether a table was not there."""
        ...

    def ours(self, error: Exception) -> ModelyardError | None:
        """The driver's error as one of ours; ``None`` if it is not the driver's."""
        ...

    def upgrade(self, session: Session) -> None:
        """Run what migrations are missing, one process at a time."""
        ...


class Pool:
    """Connections to one server, as many as are needed and no more than ``limit``.

    Whoever finds all of them taken waits for ``wait`` seconds. Thread-safe. After a fork the child starts with none:
    both would write into one socket.
    """

    def __init__(self, engine: Engine, *, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self.wait = PATIENCE
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: list[Session] = []
        self._free = BoundedSemaphore(self._limit)

    def lend(self) -> Session:
        """A connection, which has to be given back.

        Raises:
            StorageError: The store was closed, the server cannot be reached, or all connections are taken.
        """
        if self._pid != os.getpid():
            _abandoned.extend(self._idle)
            self._begin()
        if self._closed:
            raise StorageError(f"the metadata store {self._engine.place} was closed: open the registry again")
        if not self._free.acquire(timeout=self.wait):
            raise StorageError(
                f"{self._engine.place}: all {self._limit} connections were busy for {self.wait:.0f} s; "
                "raise database.pool_size or ask less at once",
                data={"retry_after": 1},
            )
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._engine.connect()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, session: Session) -> None:
        """Keep it for the next one, unless it is broken."""
        if session.broken or self._closed:
            session.close()
        else:
            self._idle.append(session)
        self._free.release()

    def forget(self) -> None:
        """Close what is idle: after one connection was lost, the others probably are too."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def close(self) -> None:
        """Close what is idle; the rest closes when it is given back."""
        self._closed = True
        if self._pid == os.getpid():
            self.forget()

    def __del__(self) -> None:
        """Whoever forgot to close a store leaves no connection behind on the server."""
        if hasattr(self, "_idle"):
            self.close()
