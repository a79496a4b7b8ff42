"""Records in an SQLite file.

Tables are SQLAlchemy Core (``schema.py``), statements are compiled from Core beforehand (``statements.py``), filters
are built as portable SQL text (``sql_query.py``). The embedded path runs on the driver itself: SQLAlchemy is imported
only to compile or to migrate. ``servers.py`` is the same over a server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

from modelyard.adapters.metadata import reserve
from modelyard.adapters.metadata.changes import check_form
from modelyard.adapters.metadata.dialect import SQLITE
from modelyard.adapters.metadata.migrations import migrate, schema_version
from modelyard.adapters.metadata.sql_records import SqlRecords
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.adapters.metadata.sqlite import Connections, driver
from modelyard.adapters.metadata.statements_sqlite import SCHEMA_VERSION
from modelyard.adapters.metadata.watch import Watch
from modelyard.domain.errors import NotSupported, StorageError, StorageFull
from modelyard.ports.metadata import Changes

T = TypeVar("T")


class SqlMetadata(SqlRecords):
    """A :class:`~modelyard.ports.metadata.MetadataStore` in one SQLite file.

    Thread-safe and safe for several processes; writers take turns, readers never wait for them. Event positions are
    given inside the one write transaction that SQLite allows at a time, so a reader can never see a later position
    before an earlier one.

    Args:
        location: A path, or ``sqlite:///relative.db``, ``sqlite:////absolute.db``.
    """

    dialect = SQLITE

    def __init__(self, location: str | Path) -> None:
        self.path = _path(location)
        self._connections = Connections(self.path)
        self._watch = Watch(self.path)
        self._words: bool | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, work: Callable[[Any], T]) -> T:
        with self._connections.reading() as connection:
            return work(connection)

    def _look(self, work: Callable[[Any], T]) -> T:
        with self._connections.snapshot() as connection:
            return work(connection)

    def state(self) -> tuple[int, int, int]:
        """Equal answers mean that nothing was committed between the two questions, by whatever process."""
        return self._watch.state()

    # --- writing -----------------------------------------------------------------------------------------------------

    def commit(self, changes: Changes) -> None:
        """One transaction, durable when it returns.

        Raises:
            Conflict: An expected revision did not hold, or a name, number or label is taken.
            StorageError: The database refused; nothing was changed.
        """
        check_form(changes)
        try:
            self._apply(changes)
        except StorageFull:
            self._make_room(changes)
            self._apply(changes)

    def alone(self) -> AbstractContextManager[None]:
        """The turn to write, which every writer of this file takes."""
        return self._connections.turn.taken()

    def _make_room(self, changes: Changes) -> None:
        """Write home the pages of the log that can go there in place; for what frees space, give up the reserve too."""
        with suppress(StorageError), self._connections.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if reserve.frees(changes):
            reserve.spend(self.path)

    def _apply(self, changes: Changes) -> None:
        with self._connections.writing() as connection:
            Writer(connection.cursor(), words=self._has_words(connection)).apply(changes)

    def _has_words(self, connection: Any) -> bool:
        if self._words is None:
            row = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'version_words'").fetchone()
            self._words = row is not None
        return self._words

    # --- the rest ----------------------------------------------------------------------------------------------------

    def is_made(self) -> bool:
        """Whether the file is there and holds something."""
        return self.path.is_file() and self.path.stat().st_size > 0

    def is_older(self) -> bool:
        """Whether the file has a schema of ours that is not the newest."""
        return self.is_made() and 0 < self._read(schema_version) < SCHEMA_VERSION

    def migrate(self) -> None:
        """Make the file or bring it to the newest schema; safe when many processes do so at once.

        Raises:
            NotSupported: The file was written by a newer version.
        """
        migrate(self.path)
        reserve.keep(self.path)
        self._words = None

    def check(self) -> Sequence[str]:
        """Recompute what can be recomputed, over one snapshot; one line per finding."""
        from modelyard.adapters.metadata.sql_check import findings

        lines: list[str] = []
        with self._connections.snapshot() as connection:
            try:
                lines.extend(findings(connection, words=self._has_words(connection)))
            except (driver().DatabaseError, UnicodeDecodeError) as error:
                lines.append(f"SQLite: cannot be read any further: {error}")
        return tuple(lines)

    def close(self) -> None:
        """Close idle connections; calls still running finish first."""
        self._watch.close()
        self._connections.close()


def _path(location: str | Path) -> Path:
    text = str(location)
    if "://" not in text:
        return Path(text)
    scheme, _, rest = text.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise NotSupported(f"metadata location {text!r}: expected a path or sqlite:///path")
    return Path(rest[1:])
