"""Questions about tokens: a page of them, and what is wrong with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_tokens import TOKEN, read_token
from modelyard.adapters.metadata.sql_listed import listed
from modelyard.domain.errors import IntegrityError
from modelyard.ports.metadata import SecretKey, TokenKey, TokenQuery

GETTERS: Mapping[type, tuple[str, Any]] = {
    TokenKey: (sql.GET_TOKEN, read_token),
    SecretKey: (sql.GET_SECRET, read_token),
}


FINDERS: Mapping[type, Any] = {TokenQuery: listed(sql.TOKENS, read_token)}


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
