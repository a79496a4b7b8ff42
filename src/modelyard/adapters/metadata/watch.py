"""Whether anything was committed to an SQLite file: asked in some microseconds, without reading a record."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from modelyard.adapters.metadata.sqlite import connect, driver, is_frozen, translated


class Watch:
    """Tells states of one file apart. Thread-safe.

    SQLite's ``PRAGMA data_version`` is another number after a commit of any other connection, of this process or of
    another one; the connection kept here never writes, so every commit is another's. The price of a question is a look
    at the write-ahead log's shared index, and of the object one open connection.

    Args:
        path: The database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Any = None
        self._born = (0, 0)
        self._turn = threading.Lock()

    def state(self) -> tuple[int, int, int]:
        """Equal answers mean that nothing was committed between the two questions.

        A forked child asks over a connection of its own, so its answers never equal those of its parent. Of a database
        that lies where this process cannot write, and is opened anew for each reading, no two answers are equal.

        Raises:
            StorageError: The file cannot be read.
        """
        with self._turn, translated(self._path):
            pid, times = self._born
            if self._connection is None or pid != os.getpid():
                self._connection = None
                self._born = pid, times = os.getpid(), times + 1
                if is_frozen(self._path):
                    return pid, times, 0
                self._connection = connect(self._path)
            try:
                return pid, times, self._connection.execute("PRAGMA data_version").fetchone()[0]
            except driver().Error:
                self._connection.close()
                self._connection = None
                raise

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._turn:
            if self._connection is not None and self._born[0] == os.getpid():
                self._connection.close()
            self._connection = None
