"""MariaDB 10.6 and MySQL 8.4 and newer, over PyMySQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from math import isinf
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from modelyard.adapters.metadata.dialect import OTHER_TABLES, Dialect, Run, last_row, plain_text
from modelyard.adapters.metadata.server_terms import (
    folded_column,
    folded_term,
    server_terms,
    short,
    sortable,
)
from modelyard.adapters.metadata.sessions import PATIENCE, Session
from modelyard.domain.errors import (
    Conflict,
    IntegrityError,
    InvalidConfig,
    InvalidInput,
    MissingDependency,
    ModelyardError,
    NotSupported,
    StorageError,
    StorageFull,
)
from modelyard.domain.records import ModelVersion

STATEMENT_SECONDS: Final = 60
"""How long one statement may take, checks and migrations aside."""

SPELLINGS: Final = ((" CROSS JOIN ", " STRAIGHT_JOIN "), ("+t.", "t."), ("+deleted", "deleted"))
_TURN: Final = "modelyard-turn-"
_BEYOND: Final = 1.7976931348623157e308
"""The largest double: PyMySQL writes no infinity, and no column that is compared with one holds more."""


@cache
def driver() -> Any:
    """PyMySQL.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import pymysql
    except ImportError as error:
        raise MissingDependency(
            "MySQL and MariaDB need PyMySQL, which cannot be imported here: pip install 'modelyard[mysql]'"
        ) from error
    return pymysql


# --- what differs ----------------------------------------------------------------------------------------------------


def _terms(version: ModelVersion) -> Any:
    return server_terms(version, sortable)


def _literal(value: Any) -> Any:
    if isinstance(value, float) and isinf(value):
        return _BEYOND if value > 0 else -_BEYOND
    return value


def _word_ids(word: str, add: Any) -> str:
    raise NotSupported("MySQL has no index of words here")  # never asked: ``has_words`` says so


def _advance(run: Run, count: int) -> int:
    """``LAST_INSERT_ID(expression)`` hands the new value back with the answer to the UPDATE itself."""
    statement = "UPDATE event_log SET position = LAST_INSERT_ID(position + :count) WHERE id = 1"
    return last_row(run(statement, {"count": count})) - count


MYSQL: Final = Dialect(
    name="MySQL",
    terms=_terms,
    field=short,
    number=sortable,
    literal=_literal,
    zero="''",
    text=plain_text,
    folded_column=folded_column,
    folded_term=folded_term,
    word_ids=_word_ids,
    returning="",
    number_of=last_row,
    advice={},
    texts_by_time=False,
    fence="",
    advance=_advance,
)


# --- the server ------------------------------------------------------------------------------------------------------


def _number(text: str) -> float:
    """DECIMAL, which is what sums of integers come as."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


@cache
def _decoders() -> dict[int, Any]:
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions

    return {**conversions, FIELD_TYPE.DECIMAL: _number, FIELD_TYPE.NEWDECIMAL: _number}


class MySql:
    """One database of a MariaDB or MySQL server.

    Args:
        url: ``mysql://user:password@host:port/database`` (or ``mariadb://``). Behind ``?``: ``unix_socket``,
            ``ssl_ca``, ``ssl_cert``, ``ssl_key``, ``ssl_verify_cert``, ``ssl_verify_identity``.
    """

    dialect = MYSQL

    def __init__(self, url: str) -> None:
        driver()
        self._given = _parameters(url)
        where = self._given.get("unix_socket") or f"{self._given['host']}:{self._given['port']}"
        self.place = f"MySQL {where}/{self._given['database']}"

    def __repr__(self) -> str:
        return f"MySql({self.place!r})"

    def connect(self, *, patient: bool = False) -> Session:
        limits: dict[str, Any] = {"connect_timeout": 10}
        if not patient:
            # Longer than a wait for a lock may take: only a server that vanished is this quiet.
            limits |= {"read_timeout": STATEMENT_SECONDS + 15, "write_timeout": STATEMENT_SECONDS + 15}
        try:
            raw = driver().connect(
                autocommit=True, charset="utf8mb4", conv=_decoders(), **limits, **self._given
            )
        except (driver().Error, RuntimeError) as error:
            raise self._refused(error) from None  # the driver's error may repeat what it was given
        session = Session(raw, SPELLINGS)
        try:
            self._settle(session, 0 if patient else STATEMENT_SECONDS)
        except driver().Error as error:
            session.close()
            raise self._refused(error) from error
        return session

    def _settle(self, session: Session, seconds: int) -> None:
        """Double quotes around names, no silent truncation, and limits in the words of this server."""
        limit = (
            f"max_statement_time = {seconds}"
            if _is_mariadb(session)
            else f"max_execution_time = {seconds * 1000}"
        )
        session.execute(
            "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
            f"SESSION {limit}, SESSION innodb_lock_wait_timeout = {int(PATIENCE)}, SESSION max_sort_length = 4096, "
            "SESSION default_storage_engine = 'InnoDB'"
        )
        session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def _refused(self, error: Exception) -> ModelyardError:
        if isinstance(error, RuntimeError):
            return MissingDependency(
                f"{self.place}: this user's password needs the package cryptography unless TLS is used: "
                "pip install 'modelyard[mysql]'"
            )
        advice = _REFUSALS.get(_number_of(error))
        return StorageError(f"{self.place}: {advice or f'no connection: {_text_of(error)}'}")

    def begin(self, session: Session, *, politely: bool = True) -> None:
        session.execute("START TRANSACTION")

    def is_impolite(self, error: Exception) -> bool:
        return False

    def begin_looking(self, session: Session) -> None:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def shut_others_out(self, session: Session) -> None:
        """Only those who ask for it too: MySQL has no named lock that many may share."""
        session.execute(f"SELECT GET_LOCK({_NAME}, {int(PATIENCE)})").fetchone()

    def let_others_in(self, session: Session) -> None:
        session.execute(f"SELECT RELEASE_LOCK({_NAME})").fetchone()

    def has_words(self, run: Run) -> bool:
        return False

    def is_lost(self, error: Exception, session: Session) -> bool:
        if not isinstance(error, driver().Error):
            return False
        return not session.raw.open or _number_of(error) in _GONE + _ONLY_READS

    def is_missing(self, error: Exception) -> bool:
        return _number_of(error) == _NO_TABLE

    def ours(self, error: Exception) -> ModelyardError | None:
        if not isinstance(error, driver().Error):
            return None
        number, text = _number_of(error), _text_of(error)
        if number == _DUPLICATE:
            return _duplicate(text)
        if number in _GAVE_WAY:
            return Conflict(f"{self.place} gave way to another transaction; read again and decide again")
        if number in _GONE:
            return StorageError(f"{self.place}: the connection was lost")
        make, hint = _CAUSES.get(number, (StorageError, ""))
        return make(f"{self.place}: {text}{'; ' if hint else ''}{hint}")

    def upgrade(self, session: Session) -> None:
        from modelyard.adapters.metadata.migrations.servers import upgrade

        kind = "mariadb" if _is_mariadb(session) else "mysql"
        session.raw.autocommit(False)
        upgrade(
            f"{kind}+pymysql://",
            session.raw,
            lock=f"SELECT GET_LOCK(concat('modelyard-schema-', left(sha2(database(), 256), 40)), {600})",
            transactional=False,
        )
        session.raw.autocommit(True)


_NAME: Final = f"concat('{_TURN}', left(sha2(database(), 256), 40))"
"""Locks are the server's, not the database's; a name may have 64 characters."""

_DUPLICATE: Final = 1062
_NO_TABLE: Final = 1146
_GAVE_WAY: Final = (1213, 1020)
"""A deadlock; on newer MariaDB also a row that changed since it was read."""

_GONE: Final = (0, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2055)
_ONLY_READS: Final = (1290, 1792, 1836)
"""After a failover an old connection may lead to a server that only follows now; a new one finds who leads."""
_REFUSALS: Final[Mapping[int, str]] = {
    1040: "it has no connection left; lower database.pool_size or raise its max_connections",
    1044: "this user has no right to this database; grant it or correct the address",
    1045: "the password or the user is wrong; check database.user and database.password",
    1049: "there is no such database; create it or correct the address",
    1130: "it does not admit connections from this host; see its users' hosts",
    1698: "the password or the user is wrong; check database.user and database.password",
    2002: "no answer from there; start the server or correct the address",
    2003: "nothing listens there, or the host's name is not known; start the server or correct host and port",
    2026: "no secure connection; check ssl_ca and the host's name",
}
_CAUSES: Final[Mapping[int, tuple[type[ModelyardError], str]]] = {
    28: (StorageFull, "free some space on the server and try again; nothing was changed"),
    1021: (StorageFull, "free some space on the server and try again; nothing was changed"),
    1114: (StorageFull, "free some space on the server and try again; nothing was changed"),
    1034: (IntegrityError, "an index is damaged; stop writing, run `modelyard fsck`, restore a backup"),
    1054: (StorageError, OTHER_TABLES),
    1142: (StorageError, "the user lacks a right; grant it"),
    1146: (StorageError, OTHER_TABLES),
    1153: (StorageError, "a record is larger than the server's max_allowed_packet; raise it"),
    1205: (StorageError, f"waited {PATIENCE:.0f} s for another transaction; nothing was changed"),
    1264: (InvalidInput, "expected a number that fits"),
    1290: (StorageError, "this server is read-only, probably a replica: connect to the primary"),
    1366: (InvalidInput, "expected text that UTF-8 can hold"),
    1406: (
        InvalidInput,
        "a name is longer than MySQL can index (500 characters of a model's folded name): shorten it",
    ),
    1792: (StorageError, "this server is read-only, probably a replica: connect to the primary"),
    1836: (StorageError, "this server is read-only, probably a replica: connect to the primary"),
    1969: (StorageError, f"it took longer than {STATEMENT_SECONDS} s; ask for less; nothing was changed"),
    3024: (StorageError, f"it took longer than {STATEMENT_SECONDS} s; ask for less; nothing was changed"),
}


def _number_of(error: Exception) -> int:
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else -1


def _text_of(error: Exception) -> str:
    return str(error.args[1] if len(error.args) > 1 else error) or "no reason given"


def _duplicate(text: str) -> ModelyardError:
    """``Duplicate entry '...' for key 'uq_models_slug'``: the key's name says which columns."""
    match = re.search(r"for key '(?:\w+\.)?(?:uq_|pk_)?([^']+)'", text)
    columns = match[1] if match else "key"
    return Conflict(f"another record already has this {columns}; read again and decide again")


def _is_mariadb(session: Session) -> bool:
    return "MariaDB" in str(session.raw.get_server_info())


def _parameters(url: str) -> dict[str, Any]:
    """PyMySQL's arguments.

    Raises:
        InvalidConfig: The address cannot be read. It is not repeated: a password may be in the wrong place.
    """
    try:
        parts = urlsplit(url)
        found: dict[str, Any] = {
            "host": parts.hostname or "localhost",
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": unquote(parts.path.removeprefix("/")),
        }
        further = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _unreadable() from None
    # An @ or / there is the end of a password that had to be encoded.
    if not found["database"] or set("@/") & set(found["database"]) or set(further) - _FURTHER:
        raise _unreadable()
    for name in ("ssl_verify_cert", "ssl_verify_identity"):
        if name in further:
            found[name] = further.pop(name).lower() in ("1", "true", "yes", "on")
    return found | further


_FURTHER: Final = {"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"}


def _unreadable() -> InvalidConfig:
    return InvalidConfig(
        "the address of the MySQL database cannot be read: expected mysql://user:password@host:port/database, with "
        "signs such as @ / : in a password percent-encoded; behind '?' only " + ", ".join(sorted(_FURTHER))
    )
