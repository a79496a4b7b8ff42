"""Questions about tokens: fixed statements, one page each, and what is wrong with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_tokens import TOKEN, read_token
from modelyard.domain.errors import IntegrityError
from modelyard.domain.tokens import Token
from modelyard.ports.metadata import Page, SecretKey, TokenKey, TokenQuery

GETTERS: Mapping[type, tuple[str, Any]] = {
    TokenKey: (sql.GET_TOKEN, read_token),
    SecretKey: (sql.GET_SECRET, read_token),
}


def tokens(connection: Any, query: TokenQuery) -> Page[Token]:
    (after,) = paging.unseal(query, query.after) if query.after else ("",)
    found = connection.execute(sql.TOKENS, {"after": after, "limit": query.limit + 1}).fetchall()
    kept = tuple(read_token(row) for row in found[: query.limit])
    more = len(found) > query.limit
    return Page(items=kept, next=paging.seal(query, [kept[-1].token_id]) if more else None)


FINDERS: Mapping[type, Any] = {TokenQuery: lambda _, connection, query: tokens(connection, query)}


def findings(connection: Any) -> Iterator[str]:
    """One line per row that does not hold."""
    for row in connection.execute(f"SELECT {', '.join(TOKEN)} FROM tokens"):  # noqa: S608
        try:
            token = read_token(row)
        except IntegrityError:
            yield f"token {row[0]}: the row does not match its digest"
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"token {row[0]}: the document cannot be read: {error}"
        else:
            if (token.token_id, token.digest, token.revision) != tuple(row[:3]):
                yield f"token {row[0]}: its columns are not those of its document"
