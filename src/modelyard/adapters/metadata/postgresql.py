"""PostgreSQL 14 and newer, over psycopg 3."""

from __future__ import annotations

import logging
from decimal import Decimal
from functools import cache
from typing import Any, Final

from modelyard.adapters.metadata.dialect import OTHER_TABLES, Dialect, Run, Way, plain_text
from modelyard.adapters.metadata.server_terms import folded_column, folded_term, server_terms, short
from modelyard.adapters.metadata.sessions import PATIENCE, Session
from modelyard.domain.errors import (
    Conflict,
    IntegrityError,
    InvalidConfig,
    InvalidInput,
    MissingDependency,
    ModelyardError,
    StorageError,
    StorageFull,
)
from modelyard.domain.records import ModelVersion

_log = logging.getLogger("modelyard")

STATEMENT_SECONDS: Final = 60
"""How long one statement may take, checks and migrations aside."""

COPIES: Final = 20
"""Rows from which on a ``COPY`` is quicker: psycopg sends each row of an ``executemany`` as a statement of its own."""

ARRAYS: Final = tuple(
    [(name, "bigint") for name in ("version", "ordinal", "created", "at", "sequence", "number")]
    + [
        (name, "text")
        for name in ("field", "type", "text", "digest", "kind", "target", "model_key", "pointer")
    ]
    + [("num", "numeric")]
)
"""Types of the columns of tables with several rows for one version or event."""

SPELLINGS: Final = (
    ("instr(", "strpos("),
    (" CROSS JOIN ", " JOIN "),
    ("+t.field", "t.field"),
    ("+t.text", "(t.text || '')"),
    ("+t.type", "(t.type || '')"),
    ("+deleted", "deleted"),
)
"""Numbers take the plus as it is, texts have none: there, an empty text keeps an index out as well."""

WORDS: Final = "ix_version_texts_words"
_LOCK: Final = 0x6D6F6479
"""First half of our advisory locks' numbers; the second one is the schema's, so that two registries in one database do
not wait for each other."""

_DEFAULTS: Final = {
    "application_name": "modelyard",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Of libpq, where the address says nothing else: a server that vanished is noticed within a minute."""

_PREFIX: Final = 200
"""Characters of a text that ``ix_version_terms_text`` holds: PostgreSQL's indexes take no more than 2,700 bytes."""


@cache
def driver() -> Any:
    """psycopg.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingDependency(
            "PostgreSQL needs psycopg, which cannot be imported here: pip install 'modelyard[postgresql]'"
        ) from error
    return psycopg


@cache
def _number_loader() -> Any:
    from psycopg.adapt import Loader

    class Number(Loader):
        """NUMERIC as the integer or float that was stored."""

        def load(self, data: Any) -> float:
            value = Decimal(bytes(data).decode("ascii"))
            if value.is_finite() and value == value.to_integral_value() and abs(value) < 2**63:
                return int(value)
            return float(value)

    return Number


# --- what differs ----------------------------------------------------------------------------------------------------


def _exact(value: Any) -> Any:
    """Floats as decimals with all their digits: compared as doubles, integers beyond 2**53 would be rounded."""
    return Decimal(value) if isinstance(value, float) else value


def _terms(version: ModelVersion) -> Any:
    return server_terms(version, _exact)


def _text(alias: str, op: str, name: str) -> str:
    """The index holds only the beginnings, which are in the same order; what it finds is compared as a whole."""
    if alias.startswith("+"):  # one version's own rows: no index of texts is asked
        return plain_text(alias, op, name)
    loose = {"<": "<=", ">": ">="}.get(op, op)
    return f"(left({alias}.text, {_PREFIX}) {loose} left({name}, {_PREFIX}) AND {alias}.text {op} {name})"


def _word_ids(word: str, add: Any) -> str:
    """Through the trigram index of ``pg_trgm``; the pattern is compared with the text by PostgreSQL itself."""
    pattern = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"SELECT id FROM version_texts WHERE search LIKE {add(f'%{pattern}%')}"  # noqa: S608


def _advance(run: Run, count: int) -> int:
    statement = "UPDATE event_log SET position = position + :count WHERE id = 1 RETURNING position"
    row = run(statement, {"count": count}).fetchone()
    if row is None:
        raise IntegrityError("table event_log lost its row: run `modelyard fsck` and restore a backup")
    return int(row[0]) - count


_CHOICES: Final = ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")
_OFF: Final = "'off'"
"""``NULL`` is what the server has it set to."""


def _without(*choices: str) -> str:
    """A statement that takes these choices from the planner until the transaction ends, and gives back all others."""
    values = {f"enable_{name}": name not in choices for name in _CHOICES} | {"jit": not choices}
    settings = (f"set_config('{name}', {'NULL' if on else _OFF}, true)" for name, on in values.items())
    return f"SELECT {', '.join(settings)}"


_ADVICE: Final = {
    Way.COUNT: _without("seqscan", "bitmapscan", "sort"),
    Way.PICK: _without("seqscan", "hashjoin", "mergejoin"),
    Way.WALK: _without("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"),
    Way.FREE: _without(),
}
"""PostgreSQL takes a field and its value for independent of each other, expects some 45 rows where there are a hundred
thousand, and so finds it cheap to read and sort them all; or it expects thousands where there is none, and reads the
table. What is counted here it cannot know, so the ways that do not fit are taken from it. Ways that are left out have
an enormous cost, which is what sets off compilation (``jit``): 100 ms that no page is worth."""


POSTGRESQL: Final = Dialect(
    name="PostgreSQL",
    terms=_terms,
    field=short,
    number=_exact,
    literal=_exact,
    zero="0",
    text=_text,
    folded_column=folded_column,
    folded_term=folded_term,
    word_ids=_word_ids,
    returning=" RETURNING id",
    number_of=lambda cursor: int(cursor.fetchone()[0]),
    advice=_ADVICE,
    texts_by_time=True,
    fence=" OFFSET 0",
    advance=_advance,
    ahead=True,
)


# --- the server ------------------------------------------------------------------------------------------------------


class PostgreSql:
    """One database of a PostgreSQL server.

    Args:
        url: ``postgresql://user:password@host:port/database``, with libpq's parameters behind ``?``. Of several hosts
            between commas the one that takes writes is used and, while there is none, any other to read from.
    """

    dialect = POSTGRESQL

    def __init__(self, url: str) -> None:
        driver()
        self._given = _parameters(url)
        host = self._given.get("host", "localhost")
        port = self._given.get("port", "5432")
        self.place = f"PostgreSQL {host}:{port}/{self._given.get('dbname', '')}"

    def __repr__(self) -> str:
        return f"PostgreSql({self.place!r})"

    def connect(self, *, patient: bool = False) -> Session:
        try:
            raw = self._connected()
        except driver().Error as error:
            raise self._refused(error) from None  # the driver's error may repeat the address
        raw.adapters.register_loader("numeric", _number_loader())
        session = Session(raw, SPELLINGS, copies=COPIES, arrays=ARRAYS, ahead=True)
        limit = 0 if patient else STATEMENT_SECONDS * 1000
        lock = 0 if patient else int(PATIENCE * 1000)
        session.execute(
            f"SET statement_timeout = {limit}; SET lock_timeout = {lock}; "
            f"SET idle_in_transaction_session_timeout = {2 * limit}; {_DURABLE}"
        )
        return session

    def _connected(self) -> Any:
        given: dict[str, Any] = {"autocommit": True, "client_encoding": "utf8"} | self._given
        if "," not in str(given.get("host", "")) or "target_session_attrs" in given:
            return driver().connect(**given)
        try:
            return driver().connect(**given, target_session_attrs="read-write")
        except driver().OperationalError:
            raw = driver().connect(**given)
        _log.warning("%s: none of the hosts takes writes: only reading", self.place)
        return raw

    def _refused(self, error: Exception) -> ModelyardError:
        text = str(error)
        for mark, advice in _REFUSALS:
            if mark in text:
                return StorageError(f"{self.place}: {advice}")
        return StorageError(f"{self.place}: no connection: {_last_line(text)}")

    def begin(self, session: Session, *, politely: bool = True) -> None:
        session.execute("BEGIN")
        if politely:
            session.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK}, {_SCHEMA_KEY})")

    def is_impolite(self, error: Exception) -> bool:
        """Of a wait for a row the server says which row it was."""
        return isinstance(error, driver().errors.LockNotAvailable) and not error.diag.context

    def begin_looking(self, session: Session) -> None:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def shut_others_out(self, session: Session) -> None:
        session.execute(f"SELECT pg_advisory_lock({_LOCK}, {_SCHEMA_KEY})")

    def let_others_in(self, session: Session) -> None:
        session.execute("SELECT pg_advisory_unlock_all()")

    def has_words(self, run: Run) -> bool:
        statement = "SELECT 1 FROM pg_indexes WHERE schemaname = current_schema() AND indexname = :name"
        return run(statement, {"name": WORDS}).fetchone() is not None

    def is_lost(self, error: Exception, session: Session) -> bool:
        if not isinstance(error, driver().Error):
            return False
        state = _state(error)
        return bool(session.raw.closed or session.raw.broken) or state[:4] in _GONE or state == _ONLY_READS

    def is_missing(self, error: Exception) -> bool:
        return isinstance(error, driver().errors.UndefinedTable)

    def ours(self, error: Exception) -> ModelyardError | None:
        if not isinstance(error, driver().Error):
            return None
        state = _state(error)
        if state == "23505":
            name = str(getattr(error, "diag").constraint_name or "key")  # noqa: B009
            columns = name.partition("_")[2] or name
            return Conflict(f"another record already has this {columns}; read again and decide again")
        if state in ("40001", "40P01"):
            return Conflict(f"{self.place} gave way to another transaction; read again and decide again")
        for begin, make, hint in _CAUSES:
            if state.startswith(begin):
                return make(f"{self.place}: {_last_line(str(error))}; {hint}")
        return StorageError(f"{self.place}: {_last_line(str(error))}")

    def upgrade(self, session: Session) -> None:
        from modelyard.adapters.metadata.migrations.servers import upgrade

        session.raw.autocommit = False
        upgrade(
            "postgresql+psycopg://",
            session.raw,
            lock=f"SELECT pg_advisory_xact_lock({_LOCK + 1}, {_SCHEMA_KEY})",
            transactional=True,
        )
        session.raw.autocommit = True


_SCHEMA_KEY: Final = "hashtext(coalesce(current_schema(), ''))"
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
"""A server may be set to answer before a commit is on its disk; what we acknowledge has to be there."""

_GONE: Final = ("57P0", "0800", "08P0")
_ONLY_READS: Final = "25006"
"""After a failover an old connection may lead to a server that only follows now; a new one finds who leads."""
_REFUSALS: Final = (
    (
        "password authentication failed",
        "the password or the user is wrong; check database.user and database.password",
    ),
    ("no password supplied", "it wants a password and none was given; set database.password"),
    ("does not exist", "there is no such database or user; create it or correct the address"),
    ("Connection refused", "nothing listens there; start the server or correct host and port"),
    ("No such file or directory", "there is no socket there; start the server or correct the host"),
    ("could not translate host name", "the host's name is not known; correct the address"),
    ("failed to resolve host", "the host's name is not known; correct the address"),
    ("timeout", "no answer within the time limit; check address, network and firewall"),
    ("too many", "it has no connection left; lower database.pool_size or raise its max_connections"),
    ("no pg_hba.conf entry", "it does not admit this user from this host; see its pg_hba.conf"),
    ("certificate", "its certificate cannot be verified; check sslrootcert and the host's name"),
    ("starting up", "it is just starting up; try again in a moment"),
)
_CAUSES: Final[tuple[tuple[str, type[ModelyardError], str], ...]] = (
    ("08", StorageError, "the connection was lost"),
    ("22021", InvalidInput, "expected text that UTF-8 can hold"),
    ("22P05", InvalidInput, "expected text that UTF-8 can hold"),
    ("22003", InvalidInput, "expected a number that fits"),
    (
        "25006",
        StorageError,
        "this server is read-only, probably a replica: connect to the primary; nothing was changed",
    ),
    ("42501", StorageError, "the user lacks a right; grant it"),
    ("42P01", StorageError, OTHER_TABLES),
    ("42703", StorageError, OTHER_TABLES),
    ("53100", StorageFull, "free some space on the server and try again; nothing was changed"),
    (
        "53300",
        StorageError,
        "it has no connection left; lower database.pool_size or raise its max_connections",
    ),
    ("53", StorageError, "the server ran out of something; nothing was changed"),
    (
        "54000",
        InvalidInput,
        "a name or target is longer than PostgreSQL can index (about 2,600 bytes): shorten it",
    ),
    ("55P03", StorageError, f"waited {PATIENCE:.0f} s for another transaction; nothing was changed"),
    ("57014", StorageError, f"it took longer than {STATEMENT_SECONDS} s; ask for less; nothing was changed"),
    (
        "XX001",
        IntegrityError,
        "what is stored is damaged; stop writing, run `modelyard fsck`, restore a backup",
    ),
    ("XX002", IntegrityError, "an index is damaged; stop writing, run REINDEX, then `modelyard fsck`"),
)


def _state(error: Exception) -> str:
    return str(getattr(error, "sqlstate", "") or "")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _parameters(url: str) -> dict[str, Any]:
    """libpq's parameters.

    Raises:
        InvalidConfig: The address cannot be read. It is not repeated: a password may be in the wrong place.
    """
    from psycopg.conninfo import conninfo_to_dict

    scheme, _, rest = url.partition("://")
    try:
        found = conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
    except driver().Error:
        raise _unreadable() from None
    port, name = str(found.get("port", "")), str(found.get("dbname", ""))
    if not all(part.isdigit() for part in port.split(",") if part) or "@" in name:
        raise _unreadable()  # the end of a password with a / in it, which libpq takes for a database
    return _DEFAULTS | found


def _unreadable() -> InvalidConfig:
    return InvalidConfig(
        "the address of the PostgreSQL database cannot be read: expected "
        "postgresql://user:password@host:port/database, with signs such as @ / : in a password percent-encoded"
    )
