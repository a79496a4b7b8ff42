"""A copy of a SQLite database that others are writing to meanwhile."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from modelyard.adapters.metadata.sqlite import connect, driver, set_journal, translated


def hot_copy(source: Path, target: Path) -> None:
    """One state of the database at ``source``, durably in the new file ``target``.

    SQLite's own backup, in one go: a reader among others, for which no writer waits. Copying the file instead would
    catch it between two pages of a change, and without what is still in the write-ahead log.

    Raises:
        StorageError: ``source`` is no database, or ``target`` cannot be written.
    """
    target.touch(mode=0o600, exist_ok=False)
    with (
        closing(connect(source)) as reading,
        translated(target),
        closing(driver().connect(str(target), isolation_level=None)) as writing,
    ):
        reading.backup(writing)
        set_journal(writing)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
