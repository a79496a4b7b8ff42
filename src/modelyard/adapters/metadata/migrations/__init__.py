"""Bringing a database to the newest schema.

Opening a current file reads one number and imports nothing. An empty file is made from statements compiled beforehand,
in one transaction, and marked as if every migration had run (a test compares both ways). Only an older file needs
Alembic, which costs 0.4 s to import.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any, Final

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.sqlite import connect, driver, frozen, is_frozen, set_journal, translated
from modelyard.domain.errors import NotSupported

ALEMBIC_TABLE: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"  # noqa: E501
ONE_AT_A_TIME: Final = Lock()
"""Alembic keeps what it is doing in global variables: two threads would mix up their databases."""

REPEATED: Final = ("mysql", "mariadb")
"""Databases that cannot undo a CREATE TABLE: a migration may find there what it made before it was cut short."""

FULL_TEXT: Final = (
    "CREATE VIRTUAL TABLE version_words USING fts5("
    "search, content='', detail='none', tokenize='trigram case_sensitive 1')"
)
"""Three-letter pieces of ``version_texts.search``; without ``detail`` it is half as large. What it finds is compared
with the text itself afterwards."""


def migrate(path: Path) -> None:
    """Make ``path`` or bring it to the newest schema. Any number of processes may do so at once.

    Raises:
        NotSupported: The file's schema is newer than this version knows.
        StorageError: The file cannot be opened or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_frozen(path):
        with frozen(path) as connection:
            if schema_version(connection) == sql.SCHEMA_VERSION:
                return
    connection = connect(path, create=True)
    try:
        with translated(path):
            _bring_up(connection, path)
    finally:
        connection.close()


def _bring_up(connection: Any, path: Path) -> None:
    if (found := schema_version(connection)) == sql.SCHEMA_VERSION:
        return
    if found > sql.SCHEMA_VERSION:
        raise NotSupported(
            f"database {path} has schema {found}, this version of modelyard knows up to {sql.SCHEMA_VERSION}: "
            "it was written by a newer modelyard; update this one"
        )
    if found:
        from modelyard.adapters.metadata.migrations.upgrade import upgrade

        upgrade(connection, sql.SCHEMA_VERSION)
        return
    set_journal(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if schema_version(connection) == 0:  # else somebody else was first
            _create(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def schema_version(connection: Any) -> int:
    """Number of the schema of an SQLite file; 0 if it has none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _create(connection: Any) -> None:
    for statement in (*sql.DDL, ALEMBIC_TABLE):
        connection.execute(statement)
    add_full_text(connection)
    connection.execute("INSERT INTO alembic_version VALUES (?)", (f"{sql.SCHEMA_VERSION:04}",))
    connection.execute(f"PRAGMA user_version = {sql.SCHEMA_VERSION}")


def add_full_text(connection: Any) -> None:
    """Make the full-text table; a library without FTS5 or its trigram tokenizer goes without and reads row by row."""
    connection.execute("SAVEPOINT full_text")
    try:
        connection.execute(FULL_TEXT)
    except driver().OperationalError:
        connection.execute("ROLLBACK TO full_text")
    connection.execute("RELEASE full_text")
