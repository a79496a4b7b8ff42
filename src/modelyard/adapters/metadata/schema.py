"""The tables, as SQLAlchemy Core: the one description that migrations and statements are made from.

Records are kept as JSON text with a digest of their own row (SQLite has no page checksums, and its integrity check
sees fewer than half of single bit flips); what is searched, sorted or unique is repeated in columns and in
``version_terms``. Times are integers: microseconds since 1970, UTC. Texts are never NULL where they are compared, so
that every condition is plainly true or false.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

VERSION: Final = 5
"""Number of the newest migration; SQLite keeps it in ``PRAGMA user_version`` too."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

_ROWID: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite makes only a column called INTEGER the row's own number."""
_BINARY: Final = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}
"""Collations that compare code point by code point and tell ``a`` from ``a`` with a space behind it."""


def _text(name: str, *, key: bool = False, null: bool = False, length: int = 0) -> Column[str]:
    """A text compared by code points everywhere.

    Args:
        name: The column's name.
        key: Whether it is part of the primary key.
        null: Whether it may be missing.
        length: Most characters where MySQL needs to know (it indexes 3072 bytes, at four a character); 0: no limit.
    """
    type_: TypeEngine[str] = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
    for dialect, collation in _BINARY.items():
        made: TypeEngine[str] = (
            mysql.VARCHAR(length, charset="utf8mb4", collation=collation)
            if length
            else mysql.LONGTEXT(charset="utf8mb4", collation=collation)
        )
        type_ = type_.with_variant(made, dialect)
    return Column(name, type_, primary_key=key, nullable=null)


_PREFIX: Final = {"target": 250}
"""Characters of a target that MySQL indexes."""

_NUMBER: Final = (
    Numeric()
    .with_variant(mysql.VARCHAR(20, charset="ascii", collation="ascii_bin"), "mysql")
    .with_variant(mysql.VARCHAR(20, charset="ascii", collation="ascii_nopad_bin"), "mariadb")
)
"""Integers of 64 bits and floats, compared exactly. MySQL has no type that holds both: there they are texts that sort
as the numbers do (``dialect_mysql.sortable``)."""


def _only(*dialects: str) -> Any:
    """A condition for ``ddl_if``: this part of a table is made for these databases."""

    def holds(*_: Any, dialect: Any, **__: Any) -> bool:
        return dialect.name in dialects

    return holds


def _integer(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, BigInteger(), primary_key=key, nullable=null)


def _stored() -> tuple[Column[int], Column[str], Column[bytes]]:
    """What every record's row ends in."""
    return _integer("revision"), _text("doc"), Column("row_digest", LargeBinary(32), nullable=False)


registry = Table(
    "registry",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    *_stored(),
)

models = Table(
    "models",
    metadata,
    Column("id", _ROWID, primary_key=True),
    _text("key", length=500),
    _text("slug", length=100),
    _text("name", length=420),
    _text("search"),
    _text("single_stages"),
    *_stored(),
    UniqueConstraint("key"),
    UniqueConstraint("slug"),
    Index(None, "name", "key", mysql_length={"key": 250}, mariadb_length={"key": 250}),
)
"""``single_stages``: stages that only one version may hold, between commas; ``search``: folded words to look in."""

versions = Table(
    "versions",
    metadata,
    Column("id", _ROWID, primary_key=True),
    _text("model_id", length=64),
    _text("model_key", length=500),
    _text("name"),
    _integer("number"),
    _text("label"),
    _text("label_key", length=200),
    _text("label_rank"),
    _text("stage", length=32),
    _text("framework"),
    _text("algorithm"),
    _text("created_by"),
    _integer("created"),
    _integer("updated"),
    _integer("size"),
    _text("digest", length=80),
    _text("scan"),
    _integer("deleted"),
    _text("holder_key", null=True, length=540),
    _integer("revision"),
    UniqueConstraint("model_id"),
    UniqueConstraint("model_key", "number"),
    UniqueConstraint("model_key", "label_key"),
    UniqueConstraint("holder_key"),
    Index(None, "deleted", "created", "model_id"),
    Index(None, "model_key", "created", "model_id"),
    Index(None, "stage", "created", "model_id"),
    Index(None, "digest"),
)
"""What versions are found by. ``holder_key`` (``<model>/<stage>`` where the policy allows one holder, else NULL) makes
"at most one in production" a constraint of the database. ``deleted``: 0 or 1."""

version_docs = Table(
    "version_docs",
    metadata,
    Column("id", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("doc"),
    Column("row_digest", LargeBinary(32), nullable=False),
)
"""Documents apart from the columns, so that walking the columns reads a tenth of the pages."""

version_texts = Table(
    "version_texts",
    metadata,
    Column("id", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("search"),
)
"""Folded name, description and tags: what words are looked for in."""

version_files = Table(
    "version_files",
    metadata,
    Column("version", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("digest", key=True, length=80),
    Index(None, "digest"),
    sqlite_with_rowid=False,
)
"""Which bytes a version keeps alive; a collected version keeps none."""

version_edges = Table(
    "version_edges",
    metadata,
    Column("version", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("kind", key=True, length=64),
    _text("target", key=True),
    Index(None, "target", mysql_length=_PREFIX, mariadb_length=_PREFIX),
    sqlite_with_rowid=False,
)
version_edges.primary_key.ddl_if(callable_=_only("sqlite", "postgresql"))
"""What a version came from and what uses it, deleted ones included, to be found from either end (derived)."""

version_terms = Table(
    "version_terms",
    metadata,
    Column("version", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("field", key=True, length=300),
    Column("ordinal", Integer(), primary_key=True, autoincrement=False),
    _text("type", length=4),
    Column("num", _NUMBER, nullable=True),
    _text("text", null=True),
    _integer("created"),
    Index(
        "ix_version_terms_num",
        "field",
        "type",
        "num",
        sqlite_where=text("num IS NOT NULL"),
        postgresql_where=text("num IS NOT NULL"),
    ),
    Index(
        "ix_version_terms_text",
        "field",
        "text",
        "created",
        sqlite_where=text("text IS NOT NULL"),
        mysql_length={"text": 250},
        mariadb_length={"text": 250},
    ).ddl_if(callable_=_only("sqlite", "mysql", "mariadb")),
    Index(
        "ix_version_terms_text",
        "field",
        text("left(text, 200)"),
        "created",
        postgresql_where=text("text IS NOT NULL"),
    ).ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)
"""One row per searchable value: ``field`` is ``metrics.accuracy`` or ``alias``; ``type`` is ``n`` (number), ``b``
(boolean as 0 or 1), ``t`` (text) or ``o`` (something that exists but compares with nothing)."""

blobs = Table(
    "blobs",
    metadata,
    _text("digest", key=True, length=80),
    _integer("size"),
    _text("state", length=32),
    _integer("touched"),
    *_stored(),
    sqlite_with_rowid=False,
)

sources = Table(
    "sources",
    metadata,
    _text("kind", key=True, length=64),
    _text("target", key=True),
    *_stored(),
    Index("ix_sources_kind_target", "kind", "target", mysql_length=_PREFIX, mariadb_length=_PREFIX).ddl_if(
        callable_=_only("mysql", "mariadb")
    ),
    sqlite_with_rowid=False,
)
"""MySQL cannot index a whole target: there, its migration adds a column with the target's SHA-256 to keep it unique."""
sources.primary_key.ddl_if(callable_=_only("sqlite", "postgresql"))

receipts = Table("receipts", metadata, _text("key", key=True, length=740), *_stored())

events = Table(
    "events",
    metadata,
    Column("position", _ROWID, primary_key=True),
    _text("model_key", length=500),
    _integer("sequence"),
    _integer("at"),
    _text("subjects"),
    _text("doc"),
    Column("row_digest", LargeBinary(32), nullable=False),
    UniqueConstraint("model_key", "sequence"),
    Index(None, "model_key", "sequence", "subjects").ddl_if(dialect="sqlite"),
    sqlite_autoincrement=True,
)

event_log = Table(
    "event_log",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    _integer("position"),
    info={"servers": True},
)
"""One row: the last position given. Servers' writers take turns at it, at the end of their transactions, so positions
have no gaps and become visible in their order. SQLite has one writer at a time and counts by itself."""

moves = Table(
    "moves",
    metadata,
    _text("model_key", key=True, length=500),
    _text("pointer", key=True, length=200),
    _integer("at", key=True),
    _integer("sequence", key=True),
    _integer("number", null=True),
    sqlite_with_rowid=False,
)
"""An index over pointer movements; what is answered comes from the event it points at."""

experiments = Table(
    "experiments",
    metadata,
    _text("experiment_id", key=True, length=64),
    _text("model_key", length=500),
    _text("identity", length=200),
    *_stored(),
    UniqueConstraint("identity"),
    Index(None, "model_key", "experiment_id"),
)

outcomes = Table(
    "outcomes",
    metadata,
    _text("experiment_id", key=True, length=64),
    _text("unit", key=True, length=64),
    _text("draw", key=True, length=64),
    _text("variant"),
    Column("value", Double(), nullable=False),
    _integer("late"),
    *_stored(),
    sqlite_with_rowid=False,
)
"""By unit, so that the outcomes of one come one after the other and are summed in one walk. ``late``: 0 or 1."""

outcome_values = Table(
    "outcome_values",
    metadata,
    _text("experiment_id", key=True, length=64),
    _text("metric", key=True, length=280),
    _text("unit", key=True, length=64),
    _text("draw", key=True, length=64),
    _text("variant"),
    Column("value", Double(), nullable=False),
    _integer("late"),
    sqlite_with_rowid=False,
)
"""Values of guardrails' metrics, repeated from the outcomes' documents to be summed."""

exposures = Table(
    "exposures",
    metadata,
    _text("experiment_id", key=True, length=64),
    _text("writer", key=True, length=200),
    *_stored(),
    sqlite_with_rowid=False,
)

tokens = Table(
    "tokens",
    metadata,
    _text("token_id", key=True, length=64),
    _text("digest", length=80),
    *_stored(),
    UniqueConstraint("digest"),
    sqlite_with_rowid=False,
)
"""``digest``: SHA-256 of the secret, by which a token is found."""

sessions = Table(
    "sessions",
    metadata,
    _text("session_id", key=True, length=64),
    _text("digest", length=80),
    *_stored(),
    UniqueConstraint("digest"),
    sqlite_with_rowid=False,
)
"""``session_id``: a place of a person, taken again and again."""
