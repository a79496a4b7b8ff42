"""Sessions of people in SQL: one by place or secret, and a page of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_sessions import SESSIONS
from modelyard.adapters.metadata.sql_listed import listed
from modelyard.ports.metadata import SessionKey, SessionQuery, SessionSecretKey

GETTERS: Mapping[type, tuple[str, Any]] = {
    SessionKey: (sql.GET_SESSION, SESSIONS.read),
    SessionSecretKey: (sql.GET_SESSION_SECRET, SESSIONS.read),
}
FINDERS: Mapping[type, Any] = {SessionQuery: listed(sql.SESSIONS, SESSIONS.read)}
