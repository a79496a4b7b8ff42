"""Sessions of people in SQL: found by place and by secret, and what is wrong with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_sessions import SESSION, read_session
from modelyard.adapters.metadata.sql_listed import listed
from modelyard.domain.errors import IntegrityError
from modelyard.ports.metadata import SessionKey, SessionQuery, SessionSecretKey

GETTERS: Mapping[type, tuple[str, Any]] = {
    SessionKey: (sql.GET_SESSION, read_session),
    SessionSecretKey: (sql.GET_SESSION_SECRET, read_session),
}
FINDERS: Mapping[type, Any] = {SessionQuery: listed(sql.SESSIONS, read_session)}


def findings(connection: Any) -> Iterator[str]:
    """One line per row that does not hold."""
    for row in connection.execute(f"SELECT {', '.join(SESSION)} FROM sessions"):  # noqa: S608
        try:
            session = read_session(row)
        except IntegrityError:
            yield f"session {row[0]}: the row does not match its digest"
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"session {row[0]}: the document cannot be read: {error}"
        else:
            if (session.session_id, session.digest, session.revision) != tuple(row[:3]):
                yield f"session {row[0]}: its columns are not those of its document"
