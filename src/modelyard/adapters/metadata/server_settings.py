"""From the settings, section ``database``, to a store in PostgreSQL, MariaDB or MySQL.

Every registry asks here whether its records are there, so nothing heavy is imported before the answer is yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from modelyard.adapters.metadata.engines import POOL_SIZE, SCHEMES, open_server, scheme_of
from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings

if TYPE_CHECKING:
    from modelyard.adapters.metadata.servers import ServerMetadata

_PORTS: Final = {"postgresql": 5432, "mysql": 3306}


def is_sql_server(settings: Settings) -> bool:
    """Whether the settings ask for one; an address says so by its scheme, whatever ``database.type`` says."""
    database = settings.database
    if database.url:
        return scheme_of(database.url) in SCHEMES
    return database.type in _PORTS


def server_store(settings: Settings) -> ServerMetadata:
    """The store that the settings describe; nothing is connected yet.

    Raises:
        InvalidConfig: The address cannot be read, or there is no name for the database.
        MissingDependency: The driver is not installed.
    """
    database = settings.database
    return open_server(database.url or _address(settings), pool_size=database.pool_size or POOL_SIZE)


def _address(settings: Settings) -> str:
    database = settings.database
    if not database.name:
        raise InvalidConfig(
            f"database.name is missing: say which database of the {database.type} server holds the registry"
        )
    login = ""
    if database.user is not None:
        secret = "" if database.password is None else f":{quote(database.password, safe='')}"
        login = f"{quote(database.user, safe='')}{secret}@"
    host = database.host or "localhost"
    if ":" in host and not host.startswith("["):  # an IPv6 address
        host = f"[{host}]"
    name, further = quote(database.name, safe=""), ""
    if host.startswith("/"):  # a socket: its folder for PostgreSQL, itself for MySQL
        socket = quote(host, safe="")
        host, further = ("localhost", f"?unix_socket={socket}") if database.type == "mysql" else (socket, "")
    port = database.port or _PORTS[database.type]
    return f"{database.type}://{login}{host}:{port}/{name}{further}"
