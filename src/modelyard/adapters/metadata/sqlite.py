"""SQLite the way a registry needs it: which library, which journal, whose connection, which error.

Choices that are not obvious:

* ``pysqlite3`` (its own, recent SQLite) is preferred to the standard library's module. Never open one file with both
  libraries in one process: closing a file descriptor in one drops the other's POSIX locks.
* Write-ahead log only from SQLite 3.51.3 on and not 3.52.0: older ones can corrupt the database when two checkpoints
  race a commit (sqlite.org/wal.html, "the WAL-reset bug"). Otherwise the rollback journal, 3 to 4 times slower.
* ``synchronous=FULL``: with NORMAL a power cut loses every acknowledged commit since the last checkpoint.
* Commits begin with ``BEGIN IMMEDIATE``: a deferred one that reads first cannot wait for its turn to write.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from modelyard.adapters.metadata import log_room
from modelyard.adapters.metadata.dialect import OTHER_TABLES
from modelyard.adapters.metadata.turns import Turn
from modelyard.domain.errors import (
    Conflict,
    IntegrityError,
    InvalidInput,
    ModelyardError,
    NotSupported,
    StorageError,
    StorageFull,
)
from modelyard.domain.names import fold

BUSY_SECONDS: Final = 30.0
"""How long a commit waits for its turn."""

_CACHE_KIB: Final = 8 * 1024
"""What one connection keeps of the database. With 32 MiB no question among 100,000 versions is quicker, with 4 MiB some
are a sixth slower, since the file's pages are then asked of the system again within one question."""
_MOST_IDLE: Final = 8
"""Connections that are kept: a moment with many threads costs no memory for ever. To open one more takes 0.2 ms."""
_CHECKPOINT_PAGES: Final = 4000
_PRAGMAS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}",
    "PRAGMA trusted_schema = OFF",
)
_abandoned: list[Any] = []
"""Connections inherited over a fork: never used and never closed, since closing would run a checkpoint."""


@cache
def driver() -> Any:
    """The module to use: ``pysqlite3`` if there is one, else the standard library's ``sqlite3``."""
    try:
        import pysqlite3
    except ImportError:
        import sqlite3

        return sqlite3
    return pysqlite3


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite's write-ahead log is free of the WAL-reset bug."""
    return version >= (3, 51, 3) and version[:3] != (3, 52, 0)


def journal() -> str:
    """``WAL`` or ``DELETE``: what the linked library can be trusted with."""
    return "WAL" if wal_is_safe(driver().sqlite_version_info) else "DELETE"


def connect(path: Path, *, create: bool = False) -> Any:
    """A connection in autocommit mode (transactions are begun by hand), usable from any one thread at a time.

    Raises:
        StorageError: The file is not there (unless ``create``), cannot be opened or is no database.
    """
    with translated(path):
        connection = _opened(path, create=create)
        try:
            _settle(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _opened(path: Path, *, create: bool) -> Any:
    if create:  # before SQLite does, which would let the umask decide who may read
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return driver().connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
        cached_statements=256,
    )


def is_frozen(path: Path) -> bool:
    """Whether a cleanly closed database lies where this process cannot write.

    SQLite opens such a file (its log would need a ``-shm`` beside it) only when told that nobody writes it.
    """
    log = path.with_name(path.name + "-wal")
    return path.exists() and not log.exists() and not os.access(path.parent, os.W_OK)


@contextmanager
def frozen(path: Path) -> Iterator[Any]:
    """A connection to a frozen file; whoever wrote to it meanwhile is noticed, and nothing read then counts.

    Raises:
        StorageError: Somebody else opened the registry for writing while it was read.
    """
    before = _stamp(path)
    with translated(path):
        connection = driver().connect(
            f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
    try:
        with translated(path):
            connection.create_function("fold", 1, fold, deterministic=True)
            yield connection
    finally:
        connection.close()
    if not is_frozen(path) or _stamp(path) != before:
        raise StorageError(f"database {path} was written by somebody else while it was read; read again")


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _settle(connection: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    connection.create_function("fold", 1, fold, deterministic=True)


def set_journal(connection: Any) -> None:
    """Switch to the right journal once per file; several processes may try at the same moment.

    SQLite answers "locked" at once here instead of waiting, so this waits.
    """
    wanted = journal()
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0].upper() == wanted:
                return
            connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
            return
        except driver().OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311


class Connections:
    """Idle connections to one file, and one turn to write at a time.

    Thread-safe. After a fork the child starts with none: an inherited connection shares locks and file offsets with
    the parent's and would damage the file silently.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: list[Any] = []
        self._commits = 0
        self.turn = Turn(self.path, patience=BUSY_SECONDS)

    def _here(self) -> None:
        if self._pid != os.getpid():
            _abandoned.extend(self._idle)
            self.turn.close()
            self._begin()
        if self._closed:
            raise StorageError(f"the metadata store {self.path} was closed: open the registry again")

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A connection for single statements, each of which sees one state."""
        self._here()
        if not self._idle and is_frozen(self.path):
            with frozen(self.path) as connection:
                yield connection
            return
        with translated(self.path):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = connect(self.path)
            try:
                yield connection
            except driver().Error:
                connection.close()  # whatever state it is in, nobody gets it
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A connection in a write transaction that is committed at the end, or rolled back on any error."""
        self._here()
        with self.turn.taken(), self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self._commits += 1
                if self._commits in log_room.SIZES:
                    log_room.make(self.path, log_room.SIZES[self._commits])
                connection.execute("COMMIT")
            except BaseException:
                with suppress(driver().Error):
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """A connection that sees one state over several statements."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(driver().Error):
                    connection.execute("ROLLBACK")

    def _give_back(self, connection: Any) -> None:
        if self._closed or connection.in_transaction or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close idle connections; those in use close when they come back."""
        self._closed = True
        self.turn.close()
        if self._pid == os.getpid():
            while self._idle:
                self._idle.pop().close()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, naming the file and the likely cause."""
    try:
        yield
    except ModelyardError:
        raise
    except driver().Error as error:
        raise _ours(error, path) from error
    except UnicodeDecodeError as error:
        raise IntegrityError(f"database {path}: stored text is damaged ({error}); {_DAMAGED}") from error
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"text cannot be stored: {error.reason} at {error.start}; expected valid Unicode"
        ) from error


def _ours(error: Exception, path: Path) -> ModelyardError:
    name = str(getattr(error, "sqlite_errorname", "") or "")
    text = str(error)
    if "disk I/O error" in text and _is_full(path):
        text = "the disk is full"  # not even the file that readers share fits on it
    if "UNIQUE constraint" in text or "PRIMARY KEY" in name:
        columns = text.rpartition(": ")[2]
        return Conflict(f"another record already has this {columns}; read again and decide again")
    for matches, make, hint in _CAUSES:
        if any(mark in text for mark in matches):
            return make(f"database {path}: {text}; {hint}")
    return StorageError(f"database {path}: {text}")


def _is_full(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _SHARED


_SHARED: Final = 32 * 1024
"""Bytes of the file by which SQLite's readers and writers find their places in the log: even reading needs it."""
_DAMAGED: Final = "stop writing, run `modelyard fsck`, restore a backup"
_CAUSES: Final[tuple[tuple[tuple[str, ...], type[ModelyardError], str], ...]] = (
    (
        ("locked", "busy", "locking protocol"),
        StorageError,
        f"waited {BUSY_SECONDS:.0f} s; if nobody writes, this disk does not keep locks (NFS?): use a local disk",
    ),
    (("full",), StorageFull, "free some space and try again; nothing was changed"),
    (
        ("readonly", "read-only"),
        StorageError,
        "the file or its folder cannot be written: check owner, mode and mount",
    ),
    (
        ("malformed", "not a database", "corrupt", "Could not decode"),
        IntegrityError,
        f"what is stored is damaged; {_DAMAGED}",
    ),
    (
        ("unable to open",),
        StorageError,
        "no registry is there, or it cannot be opened: check the path and its owner",
    ),
    (
        ("no such module",),
        NotSupported,
        "the database has a full-text index that this SQLite library cannot keep: install pysqlite3",
    ),
    (("disk I/O error",), StorageError, "the disk failed; nothing was changed"),
    (("no such table", "no such column"), StorageError, OTHER_TABLES),
)
