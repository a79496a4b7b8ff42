"""Which server an address means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelyard.domain.errors import NotSupported

if TYPE_CHECKING:
    from modelyard.adapters.metadata.servers import ServerMetadata
    from modelyard.adapters.metadata.sessions import Engine

SCHEMES: Final = ("postgresql", "postgres", "mysql", "mariadb")
"""What an address begins with; ``+driver`` behind it is read over."""

POOL_SIZE: Final = 10
"""Connections of one process, unless said otherwise."""


def open_server(url: str, *, pool_size: int = POOL_SIZE) -> ServerMetadata:
    """The records in the database at ``url``; nothing is connected yet.

    Raises:
        InvalidConfig: The address cannot be read.
        MissingDependency: The driver is not installed.
        NotSupported: The address is of another kind.
    """
    from modelyard.adapters.metadata.servers import ServerMetadata

    return ServerMetadata(_engine(url), pool_size=pool_size)


def scheme_of(url: str) -> str:
    """What stands before ``://``, without a driver."""
    return url.partition("://")[0].partition("+")[0]


def _engine(url: str) -> Engine:
    scheme = scheme_of(url)
    if scheme not in SCHEMES:
        raise NotSupported(
            f"database address: expected one of {', '.join(SCHEMES)} before '://', found {scheme!r:.40}"
        )
    if scheme.startswith("postgres"):
        from modelyard.adapters.metadata.postgresql import PostgreSql

        return PostgreSql(url)
    from modelyard.adapters.metadata.mysql import MySql

    return MySql(url)
