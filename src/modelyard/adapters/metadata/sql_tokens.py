"""Questions about tokens: one by place or secret, and a page of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_tokens import TOKENS
from modelyard.adapters.metadata.sql_listed import listed
from modelyard.ports.metadata import SecretKey, TokenKey, TokenQuery

GETTERS: Mapping[type, tuple[str, Any]] = {
    TokenKey: (sql.GET_TOKEN, TOKENS.read),
    SecretKey: (sql.GET_SECRET, TOKENS.read),
}
FINDERS: Mapping[type, Any] = {TokenQuery: listed(sql.TOKENS, TOKENS.read)}
