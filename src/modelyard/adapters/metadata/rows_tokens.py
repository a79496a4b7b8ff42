"""Tokens as rows; see ``rows`` for the form. What they are found by is covered by the row's digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from modelyard.adapters.metadata.rows import Row, digest, dump, kept, kept_times, read_times
from modelyard.domain.errors import IntegrityError
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.tokens import Token

TOKEN = ("token_id", "digest", "revision", "doc", "row_digest")
_FIXED = ("token_id", "name", "created_by", "digest", "revision")
_TIMES = ("created_at", "expires_at", "used_at", "revoked_at")


def encode_token(token: Token) -> Row:
    row: Row = {name: getattr(token, name) for name in _FIXED}
    if token.first:
        row["first"] = True
    row["owner"] = {"name": token.owner.name, "kind": token.owner.kind}
    row["grants"] = [encode_grant(grant) for grant in token.grants]
    return kept_times(token, _TIMES, kept(token, ("revoked_by",), row))


def encode_grant(grant: Grant) -> Row:
    """One of ``grants``, which sessions have too."""
    row: Row = {"role": grant.role, "models": grant.models}
    return row | {
        name: [word.value for word in getattr(grant, name)]
        for name in ("stages", "actions")
        if getattr(grant, name)
    }


def decode_token(row: Row) -> Token:
    read_times(row, _TIMES)
    row["owner"] = Actor(**row["owner"])
    row["grants"] = tuple([decode_grant(grant) for grant in row["grants"]])
    return Token(**row)


def decode_grant(row: Row) -> Grant:
    stages = tuple([ModelStage(word) for word in row.pop("stages", ())])
    return Grant(stages=stages, actions=tuple([Action(word) for word in row.pop("actions", ())]), **row)


def token_row(record: Token) -> Row:
    row: Row = {
        "token_id": record.token_id,
        "the_token_id": record.token_id,
        "digest": record.digest,
        "revision": record.revision,
        "doc": dump(encode_token(record)),
    }
    return row | {"row_digest": digest_of(row)}


def digest_of(row: Row) -> bytes:
    return digest(row["doc"], "token", *(row[name] for name in ("token_id", "digest", "revision")))


def read_token(found: Sequence[Any]) -> Token:
    """The token of a table's row.

    Raises:
        IntegrityError: The row does not match its digest, so what it grants cannot be relied on.
    """
    row = dict(zip(TOKEN, found, strict=True))
    if row["row_digest"] != digest_of(row):
        raise IntegrityError(
            f"the stored row of token {row['token_id']} does not match its own digest: it was changed or damaged on "
            "disk; run `modelyard fsck`, revoke it and make another"
        )
    return decode_token(json.loads(row["doc"]))
