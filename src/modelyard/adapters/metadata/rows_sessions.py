"""Sessions as rows; see ``rows`` for the form."""

from __future__ import annotations

from typing import Final

from modelyard.adapters.metadata.rows import Row, kept, kept_times, read_times
from modelyard.adapters.metadata.rows_secrets import SecretRows
from modelyard.adapters.metadata.rows_tokens import decode_grant, encode_grant
from modelyard.domain.records import Actor
from modelyard.domain.sessions import Session

_FIXED = ("session_id", "digest", "idle_seconds", "revision")
_TIMES = ("opened_at", "used_at", "ends_at", "ended_at")


def encode_session(session: Session) -> Row:
    row: Row = {name: getattr(session, name) for name in _FIXED}
    row["owner"] = {"name": session.owner.name, "kind": session.owner.kind}
    row["grants"] = [encode_grant(grant) for grant in session.grants]
    return kept_times(session, _TIMES, kept(session, ("challenge",), row))


def decode_session(row: Row) -> Session:
    read_times(row, _TIMES)
    row["owner"] = Actor(**row["owner"])
    row["grants"] = tuple([decode_grant(grant) for grant in row["grants"]])
    return Session(**row)


SESSIONS: Final[SecretRows[Session]] = SecretRows(
    kind="session", encode=encode_session, decode=decode_session, remedy=" and log in again"
)
