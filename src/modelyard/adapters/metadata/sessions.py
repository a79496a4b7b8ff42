"""Connections to a server: how statements reach it, and how many there are at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from functools import lru_cache
from threading import BoundedSemaphore
from typing import Any, Final, Protocol

from modelyard.adapters.metadata.dialect import Dialect, Run
from modelyard.domain.errors import ModelyardError, StorageError

PATIENCE: Final = 30.0
"""Seconds that a call waits for a connection, or a commit for its turn."""

MANY: Final = 500
"""Rows from which on a ``COPY`` is quicker than arrays are."""

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


@lru_cache(maxsize=256)
def as_arrays(statement: str, types: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]] | None:
    """An INSERT of one row as PostgreSQL's INSERT of many that come as one array a column, and the parameters' names.

    ``None`` if the type of one is not among ``types``.
    """
    head, _, values = statement.partition(" VALUES ")
    names, known = tuple(_PARAMETER.findall(values)), dict(types)
    if not names or not known.keys() >= set(names):
        return None
    arrays = ", ".join(f"%s::{known[name]}[]" for name in names)
    return f"{head} SELECT * FROM unnest({arrays})", names  # noqa: S608


def array(values: Iterable[str | int | Decimal | None]) -> str:
    """Values as PostgreSQL reads an array of them; the driver takes ten times as long over each of them."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: str | int | Decimal | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)


class Session:
    """One connection, spoken to as the shared code speaks to SQLite's.

    Args:
        raw: A DBAPI connection in autocommit mode; transactions are begun by hand.
        spellings: What this database spells otherwise, as pairs of ours and theirs.
        copies: From how many rows on an INSERT of many becomes a ``COPY``; 0: never.
        arrays: Types of columns: an INSERT of some rows that has no others is sent as one statement.
        ahead: Whether the driver can send statements without waiting for the answers, as psycopg's pipelines do.
    """

    __slots__ = ("_ahead", "_arrays", "_copies", "_leaving", "_pipeline", "_spellings", "broken", "raw")

    def __init__(
        self,
        raw: Any,
        spellings: tuple[tuple[str, str], ...],
        *,
        copies: int = 0,
        arrays: tuple[tuple[str, str], ...] = (),
        ahead: bool = False,
    ) -> None:
        self.raw = raw
        self.broken = False
        self._spellings = spellings
        self._copies = copies
        self._arrays = arrays
        self._ahead = ahead
        self._pipeline: Any = None
        self._leaving = ExitStack()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what follows without waiting for each answer, where the driver can.

        Who fetches from a cursor waits for all answers so far, and so does the end. What failed raises then, and
        nothing behind it was done. A ``COPY`` ends it early.
        """
        if not self._ahead:
            yield
            return
        try:
            with self._leaving:
                self._pipeline = self._leaving.enter_context(self.raw.pipeline())
                try:
                    yield
                except Exception:
                    with suppress(Exception):  # left as if all were well: else the driver logs what it meets
                        self._wait_for_each()
                    raise
        finally:
            self._pipeline = None

    def settle(self) -> None:
        """Wait for all answers that are owed."""
        if self._pipeline is not None:
            self._pipeline.sync()

    def _wait_for_each(self) -> None:
        self._pipeline = None
        self._leaving.close()

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
        if not statement.startswith("INSERT"):
            if rows:
                cursor.executemany(respelled(statement, self._spellings), rows)
                self.settle()
        elif len(rows) > 1 and len(rows) < MANY and (found := as_arrays(statement, self._arrays)):
            together, names = found
            cursor.execute(together, [array([row[name] for row in rows]) for name in names])
        elif self._copies and len(rows) >= self._copies:
            self._copy(cursor, statement, rows)
        elif rows:
            cursor.executemany(respelled(statement, self._spellings), rows)
        return cursor

    def _copy(self, cursor: Any, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._wait_for_each()
        copied, names = as_copy(statement)
        with cursor.copy(copied) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])

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

    def begin(self, session: Session, *, politely: bool = True) -> None:
        """Begin a transaction that writes: every statement sees what was committed before it.

        ``politely``: after whoever shut others out. That the wait for them took too long shows now, or with the answer
        to a later statement, as an error of which ``is_impolite`` is true.
        """
        ...

    def is_impolite(self, error: Exception) -> bool:
        """Whether somebody has kept all others out for longer than anybody may: go on without being polite."""
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
