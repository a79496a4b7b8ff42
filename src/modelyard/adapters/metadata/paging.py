"""Opaque cursors: where a page ended, sealed against mix-ups.

A cursor holds the sort values of the last item and a checksum over them and the question. It protects against
mistakes (a cursor of another question, a damaged one), not against a forger, who would gain nothing: a cursor only
says where to continue.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import replace
from typing import Any

from modelyard.domain.errors import InvalidQuery
from modelyard.ports.lineage import BriefQuery, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    EventQuery,
    ExperimentQuery,
    ExposureQuery,
    ModelQuery,
    MoveQuery,
    OutcomeQuery,
    ReceiptQuery,
    SessionQuery,
    TallyQuery,
    TokenQuery,
    VersionQuery,
)

Question = (
    VersionQuery
    | ModelQuery
    | MoveQuery
    | EventQuery
    | BlobQuery
    | SourceQuery
    | EdgeQuery
    | BriefQuery
    | ExperimentQuery
    | OutcomeQuery
    | ExposureQuery
    | TallyQuery
    | TokenQuery
    | SessionQuery
    | ReceiptQuery
)


def seal(question: Question, values: list[Any]) -> str:
    """A cursor that continues ``question`` after the item with these sort values (JSON)."""
    payload = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_checksum(question, payload) + payload).decode().rstrip("=")


def unseal(question: Question, cursor: str) -> list[Any]:
    """The sort values in ``cursor``.

    Raises:
        InvalidQuery: The cursor is damaged, or belongs to another question.
    """
    try:
        sealed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if sealed[:8] == _checksum(question, sealed[8:]):
            values: list[Any] = json.loads(sealed[8:])
            return values
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise InvalidQuery(
        f"cursor {cursor[:40]!r} does not continue this question: expected the one that its previous page gave; "
        "start again without a cursor",
        data={"position": 0},
    )


def _checksum(question: Question, payload: bytes) -> bytes:
    asked = repr(replace(question, limit=1, **_NO_CURSOR.get(type(question), {})))
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass") + b"\0" + payload).digest()[:8]


_NO_CURSOR: dict[type, dict[str, Any]] = {
    kind: {"after": None}
    for kind in (
        VersionQuery,
        ModelQuery,
        MoveQuery,
        EventQuery,
        BlobQuery,
        SourceQuery,
        EdgeQuery,
        BriefQuery,
        ExperimentQuery,
        OutcomeQuery,
        ExposureQuery,
        TokenQuery,
        SessionQuery,
        ReceiptQuery,
    )
}
