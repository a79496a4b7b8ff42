"""The tables, as SQLAlchemy Core: the one description that migrations and statements are made from.

Records are kept as JSON text with a digest of their own row (SQLite has no page checksums, and its integrity check
sees fewer than half of single bit flips); what is searched, sorted or unique is repeated in columns and in
``version_terms``. Times are integers: microseconds since 1970, UTC. Texts are never NULL where they are compared, so
that every condition is plainly true or false.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
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
from sqlalchemy.types import TypeEngine

VERSION: Final = 1
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


def _text(
    name: str, *, key: bool = False, null: bool = False, type_: TypeEngine[str] | None = None
) -> Column[str]:
    return Column(name, type_ or Text(), primary_key=key, nullable=null)


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
    _text("key"),
    _text("slug"),
    _text("name"),
    _text("search"),
    _text("single_stages"),
    *_stored(),
    UniqueConstraint("key"),
    UniqueConstraint("slug"),
    Index(None, "name", "key"),
)
"""``single_stages``: stages that only one version may hold, between commas; ``search``: folded words to look in."""

versions = Table(
    "versions",
    metadata,
    Column("id", _ROWID, primary_key=True),
    _text("model_id"),
    _text("model_key"),
    _text("name"),
    _integer("number"),
    _text("label"),
    _text("label_key"),
    _text("label_rank"),
    _text("stage"),
    _text("framework"),
    _text("algorithm"),
    _text("created_by"),
    _integer("created"),
    _integer("updated"),
    _integer("size"),
    _text("digest"),
    _text("content_digest"),
    _text("scan"),
    _integer("deleted"),
    _text("holder_key", null=True),
    _integer("revision"),
    UniqueConstraint("model_id"),
    UniqueConstraint("model_key", "number"),
    UniqueConstraint("model_key", "label_key"),
    UniqueConstraint("holder_key"),
    Index(None, "deleted", "created", "model_id"),
    Index(None, "model_key", "created", "model_id"),
    Index(None, "stage", "created", "model_id"),
    Index(None, "digest"),
    Index(None, "content_digest"),
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
    _text("digest", key=True),
    Index(None, "digest"),
    sqlite_with_rowid=False,
)
"""Which bytes a version keeps alive; a collected version keeps none."""

version_terms = Table(
    "version_terms",
    metadata,
    Column("version", _ROWID, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    _text("field", key=True),
    Column("ordinal", Integer(), primary_key=True, autoincrement=False),
    _text("type"),
    Column("num", Numeric(), nullable=True),
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
        postgresql_where=text("text IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""One row per searchable value: ``field`` is ``metrics.accuracy`` or ``alias``; ``type`` is ``n`` (number), ``b``
(boolean as 0 or 1), ``t`` (text) or ``o`` (something that exists but compares with nothing)."""

blobs = Table(
    "blobs",
    metadata,
    _text("digest", key=True),
    _integer("size"),
    _text("state"),
    _integer("touched"),
    *_stored(),
    sqlite_with_rowid=False,
)

receipts = Table("receipts", metadata, _text("key", key=True), *_stored())

events = Table(
    "events",
    metadata,
    Column("position", _ROWID, primary_key=True),
    _text("model_key"),
    _integer("sequence"),
    _integer("at"),
    _text("subjects"),
    _text("doc"),
    Column("row_digest", LargeBinary(32), nullable=False),
    UniqueConstraint("model_key", "sequence"),
    Index(None, "model_key", "sequence", "subjects"),
    sqlite_autoincrement=True,
)

moves = Table(
    "moves",
    metadata,
    _text("model_key", key=True),
    _text("pointer", key=True),
    _integer("at", key=True),
    _integer("sequence", key=True),
    _integer("number", null=True),
    sqlite_with_rowid=False,
)
"""An index over pointer movements; what is answered comes from the event it points at."""
