"""Tokens as rows; see ``rows`` for the form."""

from __future__ import annotations

from typing import Final

from modelyard.adapters.metadata.rows import Row, kept, kept_times, read_times
from modelyard.adapters.metadata.rows_secrets import SecretRows
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.tokens import Token

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


TOKENS: Final[SecretRows[Token]] = SecretRows(
    kind="token", encode=encode_token, decode=decode_token, remedy=", revoke it and make another"
)
