"""From the settings, section ``database``, to a store in MongoDB.

Every registry asks here whether its records are there, so nothing heavy is imported before the answer is yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from modelyard.adapters.metadata.mongo_client import SCHEMES
from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings

if TYPE_CHECKING:
    from modelyard.adapters.metadata.mongo import MongoMetadata

PORT = 27017


def is_mongo(settings: Settings) -> bool:
    """Whether the settings ask for MongoDB; an address says so by its scheme, whatever ``database.type`` says."""
    database = settings.database
    return database.url.startswith(SCHEMES) if database.url else database.type == "mongodb"


def mongo_store(settings: Settings) -> MongoMetadata:
    """The store that the settings describe; nothing is connected yet.

    ``database.name`` goes before the database that ``database.url`` names, which then only says where the user is kept.

    Raises:
        InvalidConfig: There is a user without a password, or the other way round.
    """
    from modelyard.adapters.metadata.mongo import MongoMetadata

    database = settings.database
    url = database.url or _address(settings)
    return MongoMetadata(url, database=database.name, pool_size=database.pool_size)


def _address(settings: Settings) -> str:
    database = settings.database
    if (database.user is None) is not (database.password is None):
        raise InvalidConfig(
            "database.user and database.password belong together: give both, or neither for a MongoDB without users"
        )
    login = ""
    if database.user is not None and database.password is not None:
        login = f"{quote_plus(database.user)}:{quote_plus(database.password)}@"
    host = database.host or "localhost"
    if ":" in host and not host.startswith("["):  # an IPv6 address
        host = f"[{host}]"
    return f"mongodb://{login}{host}:{database.port or PORT}/"
