"""A look at PostgreSQL, MariaDB or MySQL: who answers, what may be done there, and what is promised."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from modelyard.adapters.metadata.looked import Looked, ahead, stays_here
from modelyard.adapters.metadata.sessions import PATIENCE, Engine, Session
from modelyard.adapters.metadata.statements_sqlite import SCHEMA_VERSION
from modelyard.domain.errors import ModelyardError

_Ask = Callable[[str], Any]
"""The first column of the first row that a statement gives."""

_NO_ROW: Final = (
    "INSERT INTO events SELECT * FROM events WHERE 1 = 0",
    "UPDATE events SET model_key = model_key WHERE 1 = 0",
    "DELETE FROM events WHERE 1 = 0",
    "UPDATE event_log SET position = position WHERE id = 1",
)
"""What needs every right that a commit needs, and changes nothing."""
_ADVICE: Final = "the server may lose what it acknowledged when its machine fails; set"


def look(engine: Engine, pool_size: int, schema_of: Callable[[Session], int]) -> Looked:
    """Connect as a store does, ask, and let go again. Nothing is made: a database without tables stays without.

    Args:
        engine: The server.
        pool_size: Connections that one process opens at most.
        schema_of: Number of the schema that is there.

    Raises:
        StorageError: There is no connection to be had; the message says what to look at.
    """
    session = engine.connect()
    name = engine.dialect.name
    try:
        before = datetime.now(UTC)
        skew = ahead(_moment(session.execute(_NOW[name]).fetchone()[0]), before)
        answer = _postgresql if name == "PostgreSQL" else _mysql
        return answer(engine, session, skew, schema_of(session), pool_size)
    except ModelyardError:
        raise
    except Exception as error:
        ours = engine.ours(error)
        if ours is None:
            raise
        raise ours from error
    finally:
        session.close()


_NOW: Final = {"PostgreSQL": "SELECT clock_timestamp()", "MySQL": "SELECT UTC_TIMESTAMP(6)"}


def _moment(told: datetime) -> datetime:
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told


def _postgresql(engine: Engine, session: Session, skew: float, schema: int, pool: int) -> Looked:
    ask = _asking(session)
    version = ask("SHOW server_version")
    host = str(session.raw.info.host or "")
    return Looked(
        place=engine.place,
        version=f"PostgreSQL {version.split()[0]}",
        too_old="" if _at_least(version, 14) else "PostgreSQL 14 or newer is expected",
        schema=schema,
        newest=SCHEMA_VERSION,
        refusal=_refusal(engine, session, schema) or _cannot_make(ask, schema),
        isolation=ask("SHOW transaction_isolation"),
        skew=skew,
        limits=f"a statement {ask('SHOW statement_timeout')}, a lock {ask('SHOW lock_timeout')}",
        encrypted=bool(session.raw.pgconn.ssl_in_use),
        local=stays_here(host),
        careless=_off(ask, {"fsync": "on", "full_page_writes": "on"}, "SHOW {}"),
        room=int(ask("SHOW max_connections")),
        pool=pool,
    )


def _cannot_make(ask: _Ask, schema: int) -> str:
    """Why tables cannot be made or changed where that is still to be done."""
    if schema >= SCHEMA_VERSION or ask("SELECT has_schema_privilege(current_schema(), 'CREATE')"):
        return ""
    return (
        "the user may not make tables, which setting up or bringing up to date needs: GRANT CREATE ON SCHEMA"
    )


def _mysql(engine: Engine, session: Session, skew: float, schema: int, pool: int) -> Looked:
    ask = _asking(session)
    version = str(session.raw.get_server_info())
    mariadb = "MariaDB" in version
    # MariaDB prefixes its version with 5.5.5- for old replicas' sake.
    number = version.removeprefix("5.5.5-")
    oldest = (10, 6) if mariadb else (8, 0)
    name = "MariaDB" if mariadb else "MySQL"
    seconds = ask("SELECT @@max_statement_time") if mariadb else ask("SELECT @@max_execution_time") / 1000
    cipher = session.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'").fetchone()
    host = "" if session.raw.unix_socket else str(session.raw.host)
    return Looked(
        place=engine.place,
        version=f"{name} {number.partition('-')[0]}",
        too_old=""
        if _at_least(number, *oldest)
        else f"{name} {'.'.join(map(str, oldest))} or newer is expected",
        schema=schema,
        newest=SCHEMA_VERSION,
        refusal=_refusal(engine, session, schema),
        isolation=str(ask(f"SELECT @@{'tx' if mariadb else 'transaction'}_isolation"))
        .replace("-", " ")
        .lower(),
        skew=skew,
        limits=f"a statement {float(seconds):.0f}s, a lock {PATIENCE:.0f}s",
        encrypted=bool(cipher and cipher[1]),
        local=stays_here(host),
        careless=_off(
            ask, {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "1|ON"}, "SELECT @@{}"
        ),
        room=int(ask("SELECT @@max_connections")),
        pool=pool,
    )


def _asking(session: Session) -> _Ask:
    return lambda statement: session.execute(statement).fetchone()[0]


def _refusal(engine: Engine, session: Session, schema: int) -> str:
    """Why a commit would be refused, found out by one that changes nothing and is taken back."""
    if not schema:
        return ""
    try:
        engine.begin(session)
        for statement in _NO_ROW:
            session.execute(statement, {})
    except Exception as error:
        ours = engine.ours(error)
        if ours is None:
            raise
        return ours.detail.removeprefix(f"{engine.place}: ")
    finally:
        session.execute("ROLLBACK")
    return ""


def _off(ask: _Ask, wanted: dict[str, str], question: str) -> str:
    """Advice about settings of the server that are not as a durable commit needs them."""
    wrong = [
        f"{name} = {value.partition('|')[0]}"
        for name, value in wanted.items()
        if str(ask(question.format(name))) not in value.split("|")
    ]
    return f"{_ADVICE} {' and '.join(wrong)}" if wrong else ""


def _at_least(version: str, *wanted: int) -> bool:
    return tuple(map(int, re.findall(r"\d+", version)[: len(wanted)])) >= wanted
