"""The composition root: the one place that names adapters."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.domain.errors import Conflict, InvalidConfig, NotSupported, StorageError
from modelyard.domain.records import Actor, Registry
from modelyard.ports.blobs import BlobStore
from modelyard.ports.clock import Clock
from modelyard.ports.metadata import Changes, MetadataStore, Put, RegistryKey
from modelyard.ports.service import RegistryService
from modelyard.ports.uploads import Uploads
from modelyard.service.local import LocalService
from modelyard.settings import Settings, not_active, resolve_location

FORMAT = 1
DATABASE = "registry.db"


def open_service(
    settings: Settings, location: str | Path | None = None, *, token: str | None = None
) -> tuple[str, RegistryService]:
    """The service behind a location, and the location in the form that opens it again from anywhere.

    Raises:
        NotSupported: The location or a setting names a backend that this build does not have.
    """
    where = resolve_location(None if location is None else str(location), settings)
    _refuse_unbuilt(settings)
    _tell_inactive(settings)
    if where == "memory://":
        return where, in_memory(enforce_steps=settings.versioning.enforce)
    if where.startswith(("http://", "https://")):
        return where, over_http(where, token)
    if "://" in where:
        raise NotSupported(
            f"{where!r} is neither a folder nor a http(s) address; a database's address goes under `database.url` in "
            "the configuration"
        )
    root = Path(where).expanduser().absolute()
    kept, store = blob_stores(settings, root), metadata_store(settings)
    return str(root), in_folder(root, enforce_steps=settings.versioning.enforce, kept=kept, store=store)


def over_http(url: str, token: str | None = None) -> RegistryService:
    """The registry behind a server, with the token given, ``MODELYARD_TOKEN``, or that of ``modelyard login``."""
    from modelyard.adapters.blobs.cache import CachedBlobs
    from modelyard.adapters.blobs.uploads.local import LocalUploads
    from modelyard.remote.credentials import stored
    from modelyard.remote.service import RemoteService
    from modelyard.remote.transport import Transport

    transport = Transport(url, token or os.environ.get("MODELYARD_TOKEN") or stored(url))
    cache = CachedBlobs(cache_folder(), limit=cache_limit())
    return RemoteService(transport, cache, LocalUploads(cache, notes=False), notes=cache_folder() / "notes")


def uploads_of(service: RegistryService) -> Uploads:
    """Where bytes that arrive in pieces wait until they are whole, for the server of a registry."""
    from modelyard.adapters.blobs.local import LocalBlobs
    from modelyard.adapters.blobs.memory import MemoryBlobs
    from modelyard.adapters.blobs.uploads.local import LocalUploads
    from modelyard.adapters.blobs.uploads.memory import MemoryUploads

    if not isinstance(service, LocalService):
        raise NotSupported("a server answers for a registry in a folder or in memory, not for another server")
    blobs = service.blobs
    if isinstance(blobs, LocalBlobs):
        return LocalUploads(blobs)
    if isinstance(blobs, MemoryBlobs):
        return MemoryUploads(blobs)
    from modelyard.adapters.blobs.objectstore import ObjectBlobs
    from modelyard.adapters.blobs.uploads.objects import ObjectUploads

    return ObjectUploads(blobs) if isinstance(blobs, ObjectBlobs) else MemoryUploads(blobs)


def cache_folder() -> Path:
    """Where this user keeps bytes fetched from servers: ``MODELYARD_CACHE``, else the usual place for caches."""
    if chosen := os.environ.get("MODELYARD_CACHE"):
        return Path(chosen).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "modelyard"


def cache_limit() -> int:
    """Bytes that the cache may have: ``MODELYARD_CACHE_LIMIT``, such as ``20GiB``, ``500MB`` or a plain number.

    Raises:
        InvalidConfig: It says something else.
    """
    from modelyard.adapters.blobs.cache import LIMIT

    given = os.environ.get("MODELYARD_CACHE_LIMIT", "").strip()
    if not given:
        return LIMIT
    found = re.fullmatch(r"([0-9]{1,15})\s*(?:([KMGT])(i?)B?|B)?", given, re.ASCII | re.IGNORECASE)
    if found is None:
        raise InvalidConfig(
            f"MODELYARD_CACHE_LIMIT must be a number of bytes such as 20GiB, 500MB or 1000000, not {given!r:.80}"
        )
    power = " KMGT".index((found[2] or " ").upper())
    unit: int = (1024 if found[3] else 1000) ** power
    return int(found[1]) * unit


@contextmanager
def inspect_database(location: str) -> Iterator[Any]:
    """A read-only connection to the database of a registry folder, closed afterwards."""
    from modelyard.adapters.metadata.sqlite import driver

    path = Path(location) / DATABASE
    if not path.is_file():
        raise NotSupported(f"{location!r} is not a registry folder, so there is no database to look into")
    connection = driver().connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _tell_inactive(settings: Settings) -> None:
    """One line in the log for settings that ask for something this build does not do."""
    if keys := [row.key for row in not_active(settings)]:
        import logging

        logging.getLogger("modelyard").warning("not active yet, so without effect: %s", ", ".join(keys))


def _refuse_unbuilt(settings: Settings) -> None:
    """Silently writing somewhere else than configured would be worse than refusing."""
    from modelyard.adapters.metadata.mongo_settings import is_mongo
    from modelyard.adapters.metadata.server_settings import is_sql_server

    if is_mongo(settings) or is_sql_server(settings):
        return
    if settings.database.type != "sqlite" or settings.database.url:
        raise NotSupported(
            "no database of this kind is known: set database.type to sqlite, postgresql, mysql or mongodb, and "
            "database.url to its address; or leave `database` out for a SQLite file in the registry's folder"
        )


def metadata_store(settings: Settings) -> MetadataStore | None:
    """The database server that the settings name, or ``None`` for the SQLite file in the registry's folder.

    Raises:
        InvalidConfig: Its address is not one.
        MissingDependency: Its driver is not installed.
    """
    from modelyard.adapters.metadata.mongo_settings import is_mongo, mongo_store
    from modelyard.adapters.metadata.server_settings import is_sql_server, server_store

    if is_sql_server(settings):
        return server_store(settings)
    return mongo_store(settings) if is_mongo(settings) else None


def blob_stores(settings: Settings, root: Path) -> tuple[BlobStore, BlobStore]:
    """Where ``storage.backend`` keeps blobs and manifests: below ``root``, or in an object store.

    Raises:
        InvalidConfig: What an object store needs is missing.
        MissingDependency: obstore is not installed.
    """
    from modelyard.adapters.blobs.backend import LOCAL, backend_of
    from modelyard.adapters.blobs.local import LocalBlobs

    if backend_of(settings) == LOCAL:
        return LocalBlobs(root, folder="blobs"), LocalBlobs(root, folder="manifests")
    from modelyard.adapters.blobs.object_settings import manifests_beside, object_store

    blobs = object_store(settings)
    return blobs, manifests_beside(blobs)


def in_folder(
    root: Path,
    *,
    actor: Actor | None = None,
    enforce_steps: str = "warn",
    kept: tuple[BlobStore, BlobStore] | None = None,
    store: MetadataStore | None = None,
) -> LocalService:
    """A registry in a folder: SQLite beside a content-addressed store, or the stores that are given in their places."""
    from modelyard.adapters.blobs.local import LocalBlobs
    from modelyard.adapters.clock import SystemClock
    from modelyard.adapters.metadata.sql import SqlMetadata
    from modelyard.adapters.statistics import ScipyStatistics
    from modelyard.scanning.scanner import TracingScanner

    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"the registry folder {str(root)!r} cannot be made: {error.strerror}") from error
    store = SqlMetadata(root / DATABASE) if store is None else store
    store.migrate()
    clock = SystemClock()
    _introduce(store, clock)
    return LocalService(
        store,
        *(kept or (LocalBlobs(root, folder="blobs"), LocalBlobs(root, folder="manifests"))),
        clock=clock,
        scanner=TracingScanner(),
        actor=actor or current_user(),
        enforce_steps=enforce_steps,
        statistics=ScipyStatistics(),
    )


def in_memory(*, actor: Actor | None = None, enforce_steps: str = "warn") -> LocalService:
    """A registry that lives as long as its process: for tests and trials."""
    from modelyard.adapters.blobs.memory import MemoryBlobs
    from modelyard.adapters.clock import SystemClock
    from modelyard.adapters.metadata.memory import MemoryMetadata
    from modelyard.adapters.statistics import ScipyStatistics
    from modelyard.scanning.scanner import TracingScanner

    store, clock = MemoryMetadata(), SystemClock()
    _introduce(store, clock)
    return LocalService(
        store,
        MemoryBlobs(),
        MemoryBlobs(),
        clock=clock,
        scanner=TracingScanner(),
        actor=actor or current_user(),
        enforce_steps=enforce_steps,
        statistics=ScipyStatistics(),
    )


def _introduce(store: MetadataStore, clock: Clock) -> None:
    """Give a new registry its identity; two openers may try, one wins, both go on."""
    if store.get(RegistryKey()) is not None:
        return
    record = Registry(registry_id=clock.new_id(), format=FORMAT, created_at=clock.now(), revision=1)
    try:
        store.commit(Changes(puts=(Put(record=record, expected=0),)))
    except Conflict:
        return
    except StorageError:
        # A read-only registry without a record can still be read.
        return


def current_user() -> Actor:
    """The operating system's name for whoever runs this process."""
    try:
        return Actor(name=getpass.getuser())
    except (OSError, KeyError):
        return Actor(name="unknown")
