"""Records that are listed by their own key alone: a fixed statement, one page each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelyard.adapters.metadata import paging
from modelyard.ports.metadata import Page


def listed(statement: str, read: Callable[[Sequence[Any]], Any]) -> Callable[[Any, Any, Any], Page[Any]]:
    """A finder over a table whose first column is the key.

    Args:
        statement: Takes ``after`` and ``limit``.
        read: Makes a record of a row.
    """

    def find(_: Any, connection: Any, query: Any) -> Page[Any]:
        (after,) = paging.unseal(query, query.after) if query.after else ("",)
        found = connection.execute(statement, {"after": after, "limit": query.limit + 1}).fetchall()
        kept = found[: query.limit]
        more = len(found) > query.limit
        cursor = paging.seal(query, [kept[-1][0]]) if more else None
        return Page(items=tuple(read(row) for row in kept), next=cursor)

    return find
