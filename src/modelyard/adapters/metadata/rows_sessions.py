"""Sessions as rows; see ``rows`` for the form. What they are found by is covered by the row's digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from modelyard.adapters.metadata.rows import Row, digest, dump, kept, kept_times, read_times
from modelyard.adapters.metadata.rows_tokens import decode_grant, encode_grant
from modelyard.domain.errors import IntegrityError
from modelyard.domain.records import Actor
from modelyard.domain.sessions import Session

SESSION = ("session_id", "digest", "revision", "doc", "row_digest")
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


def session_row(record: Session) -> Row:
    row: Row = {
        "session_id": record.session_id,
        "the_session_id": record.session_id,
        "digest": record.digest,
        "revision": record.revision,
        "doc": dump(encode_session(record)),
    }
    return row | {"row_digest": digest_of(row)}


def digest_of(row: Row) -> bytes:
    return digest(row["doc"], "session", *(row[name] for name in ("session_id", "digest", "revision")))


def read_session(found: Sequence[Any]) -> Session:
    """The session of a table's row.

    Raises:
        IntegrityError: The row does not match its digest, so what it grants cannot be relied on.
    """
    row = dict(zip(SESSION, found, strict=True))
    if row["row_digest"] != digest_of(row):
        raise IntegrityError(
            f"the stored row of session {row['session_id']} does not match its own digest: it was changed or damaged "
            "on disk; run `modelyard fsck` and log in again"
        )
    return decode_session(json.loads(row["doc"]))
