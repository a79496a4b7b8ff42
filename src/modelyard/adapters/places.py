"""What the address of a registry says: a folder, a server, or a database and where the bytes beside it are.

An address is written out into settings, so that everything behind this reads one kind of configuration. What is left
of it, to be shown and to open the same registry again with these settings, has no credentials.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from modelyard.domain.errors import InvalidConfig, NotSupported
from modelyard.settings import Settings, resolve_location
from modelyard.settings.model import AzureSettings, DatabaseSettings, GcsSettings, S3Settings
from modelyard.wire.address import server_address

DATABASE: Final = "registry.db"
"""The database in a registry's folder."""

KINDS: Final = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mongodb": "mongodb",
    "sqlite": "sqlite",
}
"""What the address of a database begins with, and its ``database.type``; a driver may follow after ``+``."""

_ADDRESS: Final = "address"
"""Where a setting came from that an address brought."""


def settled(
    settings: Settings, location: str | Path | None = None, storage: str | None = None
) -> tuple[Settings, str]:
    """Settings that an address is written into, and the place: a folder, or an address without credentials.

    Settled again, these give the same. Bytes in a folder make that folder the place, wherever the records are.

    Args:
        settings: What is configured otherwise.
        location: A folder, ``http(s)://``, ``memory://`` or the address of a database, which may name the place of the
            bytes as ``?storage=``; ``None``: what is configured.
        storage: Where bytes are: a folder or the address of an object store.

    Raises:
        InvalidConfig: An address has the wrong form, or nothing says where the bytes of a database's registry are.
        NotSupported: The address is of a kind that is not known.
    """
    where = resolve_location(None if location is None else str(location), settings)
    scheme, separator, _ = where.partition("://")
    if separator and scheme.partition("+")[0] in KINDS:
        return _beside_database(settings, where, storage)
    if separator and scheme not in ("http", "https", "memory"):
        raise NotSupported(
            f"the location begins with {scheme + separator!r:.40}: expected a folder, http(s)://, or the address of a "
            f"database, which begins with one of {', '.join(KINDS)}; the address of a bucket is given as `storage`"
        )
    if scheme in ("http", "https") and separator:
        where = server_address(where)
    if storage is None:
        return settings, where
    if separator:
        raise InvalidConfig(f"storage: {scheme}:// keeps its bytes itself; leave `storage` out")
    return with_storage(settings, storage), where


def shown(location: str) -> str:
    """An address without user, password and options; anything else as it is."""
    scheme, separator, rest = location.partition("://")
    if not separator:
        return location
    address, asked = _asked(rest)
    host, slash, path = address.partition("?")[0].partition("/")
    bare = scheme + separator + host.rpartition("@")[2] + slash + path
    return f"{bare}?storage={shown(asked)}" if asked else bare


def _beside_database(settings: Settings, where: str, storage: str | None) -> tuple[Settings, str]:
    url, asked = _asked(where)
    if storage and asked and storage != asked:
        raise InvalidConfig("storage: given twice, as an argument and in the address; give it once")
    storage = storage or asked
    kind = KINDS[url.partition("://")[0].partition("+")[0]]
    if kind == "sqlite":
        return _beside_file(settings, _file(url), storage)
    settings = _with_database(settings, url, kind)
    if storage and (folder := _folder(storage)) is not None:
        return with_storage(settings, storage), str(folder)
    if storage:
        return with_storage(settings, storage), f"{shown(url)}?storage={shown(storage)}"
    if settings.storage.backend == "local" and settings.source("storage.s3.bucket") == "default":
        raise InvalidConfig(
            f"{shown(url)} holds records and no bytes: say where those are, with `storage` in the configuration or "
            "behind the address, such as ?storage=s3://bucket/prefix or ?storage=/a/folder"
        )
    return settings, shown(url)


def _beside_file(settings: Settings, file: Path, storage: str | None) -> tuple[Settings, str]:
    """An SQLite file; without ``storage``, and none configured, the bytes are in its folder."""
    folder = _folder(storage) if storage else None
    where = file.parent if folder is None else folder
    if where / DATABASE != file:
        settings = _with_database(settings, f"sqlite:///{file}", "sqlite")
    elif settings.database != DatabaseSettings():
        settings = replace(settings, database=DatabaseSettings())
    return with_storage(settings, storage) if storage else settings, str(where)


def _file(url: str) -> Path:
    path = url.partition("://")[2]
    if not path.startswith("/") or path == "/" or "?" in path:
        raise InvalidConfig(
            "the address of an SQLite database: expected sqlite:///relative.db or sqlite:////absolute.db, and no "
            "options"
        )
    return Path(path[1:]).expanduser().absolute()


def _with_database(settings: Settings, url: str, kind: str) -> Settings:
    """A configured address goes on counting where the given one is the same without credentials and options."""
    configured = settings.database.url
    if configured is not None and url == shown(url) == shown(configured):
        return settings
    database = DatabaseSettings(type=kind, url=url, pool_size=settings.database.pool_size)
    sources = (*settings.sources, ("database.type", _ADDRESS), ("database.url", _ADDRESS))
    return replace(settings, database=database, sources=sources)


def _asked(url: str) -> tuple[str, str | None]:
    """An address without ``storage`` among its options, and what that said."""
    address, question, query = url.partition("?")
    asked: str | None = None
    kept = []
    for option in query.split("&") if question else ():
        name, _, value = option.partition("=")
        if name == "storage":
            asked = unquote(value)
        else:
            kept.append(option)
    return address + (f"?{'&'.join(kept)}" if kept else ""), asked


def _folder(storage: str) -> Path | None:
    """The folder that a storage names, if it is one."""
    scheme, separator, rest = storage.partition("://")
    if not separator:
        return Path(storage).expanduser().absolute()
    if scheme != "file":
        return None
    if not rest.startswith("/"):
        raise InvalidConfig("storage: expected file:///absolute/folder, found a host behind file://")
    return Path(unquote(rest))


def with_storage(settings: Settings, storage: str) -> Settings:
    """Settings whose section ``storage`` keeps bytes there, with the keys and the region that were configured.

    Raises:
        InvalidConfig: It is neither a folder nor the address of an object store, or it has credentials.
    """
    from modelyard.adapters.blobs.object_place import place_of

    section = settings.storage
    if _folder(storage) is not None:
        section, backend = replace(section, backend="local"), "local"
    else:
        place = place_of(storage)
        backend = place.kind
        if backend == "s3":
            endpoint = place.endpoint or section.s3.endpoint_url
            s3: S3Settings = replace(
                section.s3, bucket=place.bucket, prefix=place.prefix, endpoint_url=endpoint
            )
            section = replace(section, backend=backend, s3=s3)
        elif backend == "gcs":
            gcs: GcsSettings = replace(section.gcs, bucket=place.bucket, prefix=place.prefix)
            section = replace(section, backend=backend, gcs=gcs)
        else:
            azure: AzureSettings = replace(section.azure, container=place.bucket, prefix=place.prefix)
            section = replace(section, backend=backend, azure=azure)
    return replace(settings, storage=section, sources=(*settings.sources, ("storage.backend", _ADDRESS)))
