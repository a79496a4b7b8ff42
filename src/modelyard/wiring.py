"""The composition root: the one place that names adapters."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.domain.errors import Conflict, IntegrityError, InvalidConfig, NotSupported, StorageError
from modelyard.domain.quota import Quotas
from modelyard.domain.records import Actor, Registry
from modelyard.ports.blobs import BlobStore
from modelyard.ports.clock import Clock
from modelyard.ports.metadata import Changes, MetadataStore, Put, RegistryKey
from modelyard.ports.service import RegistryService
from modelyard.ports.uploads import Uploads
from modelyard.service.local import LocalService
from modelyard.settings import Settings, not_active, resolve_location

if TYPE_CHECKING:
    from modelyard.adapters.blobs.object_place import Place

FORMAT = 1
DATABASE = "registry.db"


def open_service(
    settings: Settings, location: str | Path | None = None, *, token: str | None = None
) -> tuple[str, RegistryService]:
    """The service behind a location, and the location in the form that opens it again from anywhere.

    Raises:
        NotSupported: The location or a setting names a backend that this build does not have.
    """
    settings, where = settle(settings, location)
    _refuse_unbuilt(settings)
    _tell_inactive(settings)
    if where.startswith(("http://", "https://")):
        return where, over_http(where, token, cache_limit=settings.cache.limit)
    if where != "memory://" and "://" not in where:
        where = str(Path(where).expanduser().absolute())
    return where, _introduced(stores_at(settings, where), where)


def settle(
    settings: Settings, location: str | Path | None = None, storage: str | None = None
) -> tuple[Settings, str]:
    """Settings that the address of a registry is written into, and its place, fit to be shown and to be opened again.

    Args:
        settings: What is configured.
        location: A folder or an address; ``None``: what is configured.
        storage: Where the bytes are, if elsewhere than configured: a folder or the address of an object store.

    Raises:
        InvalidConfig: An address has the wrong form, or nothing says where the bytes beside a database are.
        NotSupported: It is of a kind that is not known.
    """
    where = resolve_location(None if location is None else str(location), settings)
    if storage is None and "://" not in where:
        return settings, where
    from modelyard.adapters.places import settled

    return settled(settings, where, storage)


def stores_at(settings: Settings, where: str) -> LocalService:
    """The service over the stores at a settled place, set up but not introduced: nothing says yet which registry it is.

    Raises:
        StorageError: A store cannot be reached, or a folder cannot be made.
    """
    given: dict[str, Any] = {"enforce_steps": settings.versioning.enforce, "quotas": quotas_of(settings)}
    if where == "memory://":
        from modelyard.adapters.blobs.memory import MemoryBlobs
        from modelyard.adapters.metadata.memory import MemoryMetadata

        return _over(MemoryMetadata(), (MemoryBlobs(), MemoryBlobs()), **given)
    if "://" not in where:
        _make(Path(where))
    kept = blob_stores(settings, Path(where))
    return _over(_records_at(settings, where), kept, **given)


def is_made(settings: Settings, where: str) -> bool:
    """Whether a registry's records were ever kept at a settled place; makes nothing."""
    with closing(_records_at(settings, where)) as store:
        return store.is_made()


def is_older(settings: Settings, where: str) -> bool:
    """Whether opening what is at a settled place would upgrade its schema; changes nothing."""
    with closing(_records_at(settings, where)) as store:
        return store.is_older()


def over_http(url: str, token: str | None = None, *, cache_limit: int | None = None) -> RegistryService:
    """The registry behind a server, with the token given, ``MODELYARD_TOKEN``, or that of ``modelyard login``."""
    from modelyard.adapters.blobs.cache import LIMIT, CachedBlobs
    from modelyard.adapters.blobs.uploads.local import LocalUploads
    from modelyard.remote.credentials import stored
    from modelyard.remote.service import RemoteService
    from modelyard.remote.transport import Transport

    transport = Transport(url, token or os.environ.get("MODELYARD_TOKEN") or stored(url))
    cache = CachedBlobs(cache_folder(), limit=LIMIT if cache_limit is None else cache_limit)
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
    from modelyard.adapters.blobs.rooms import Rooms
    from modelyard.adapters.blobs.uploads.objects import ObjectUploads

    if isinstance(blobs, Rooms):
        blobs = blobs.main
    return ObjectUploads(blobs) if isinstance(blobs, ObjectBlobs) else MemoryUploads(blobs)


def cache_folder() -> Path:
    """Where this user keeps bytes fetched from servers: ``MODELYARD_CACHE``, else the usual place for caches."""
    if chosen := os.environ.get("MODELYARD_CACHE"):
        return Path(chosen).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "modelyard"


def quotas_of(settings: Settings) -> Quotas:
    """How much the settings let a registry take in."""
    given = settings.quotas
    return Quotas(**{name: getattr(given, name) for name in Quotas.__slots__})


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
    if settings.database.type != "sqlite" or not (settings.database.url or "sqlite:").startswith("sqlite:"):
        raise NotSupported(
            "no database of this kind is known: set database.type to sqlite, postgresql, mysql or mongodb, and "
            "database.url to its address; or leave `database` out for a SQLite file in the registry's folder"
        )


def metadata_store(settings: Settings) -> MetadataStore | None:
    """The database that the settings name, or ``None`` for the SQLite file in the registry's folder.

    Raises:
        InvalidConfig: Its address is not one.
        MissingDependency: Its driver is not installed.
    """
    from modelyard.adapters.metadata.mongo_settings import is_mongo, mongo_store
    from modelyard.adapters.metadata.server_settings import is_sql_server, server_store

    if is_sql_server(settings):
        return server_store(settings)
    if is_mongo(settings):
        return mongo_store(settings)
    if not settings.database.url:
        return None
    from modelyard.adapters.metadata.sql import SqlMetadata

    return SqlMetadata(settings.database.url)


def blob_stores(settings: Settings, root: Path) -> tuple[BlobStore, BlobStore]:
    """Where ``storage.backend`` keeps blobs and manifests: below ``root``, or in an object store.

    Raises:
        InvalidConfig: What an object store needs is missing.
        MissingDependency: obstore is not installed.
    """
    from modelyard.adapters.blobs.backend import LOCAL, backend_of
    from modelyard.adapters.blobs.local import LocalBlobs

    if backend_of(settings) == LOCAL:
        if settings.storage.buckets:
            raise InvalidConfig(
                "storage.buckets: only an object store has buckets; set storage.backend to s3, gcs or azure, or leave "
                "it out"
            )
        return LocalBlobs(root, folder="blobs"), LocalBlobs(root, folder="manifests")
    from modelyard.adapters.blobs.object_settings import in_rooms, manifests_beside, object_store

    blobs = object_store(settings)
    return in_rooms(blobs, settings), manifests_beside(blobs)


def object_places(settings: Settings) -> tuple[Place, ...]:
    """The buckets that the settings keep bytes in; none for a folder.

    Raises:
        InvalidConfig: What an object store needs is missing.
    """
    from modelyard.adapters.blobs.backend import LOCAL, backend_of

    if backend_of(settings) == LOCAL:
        return ()
    from modelyard.adapters.blobs.object_settings import places_from

    return places_from(settings)


def in_folder(
    root: Path,
    *,
    actor: Actor | None = None,
    enforce_steps: str = "warn",
    kept: tuple[BlobStore, BlobStore] | None = None,
    store: MetadataStore | None = None,
    quotas: Quotas = Quotas(),  # noqa: B008  (frozen)
) -> LocalService:
    """A registry in a folder: SQLite beside a content-addressed store, or the stores that are given in their places."""
    from modelyard.adapters.blobs.local import LocalBlobs

    _make(root)
    kept = kept or (LocalBlobs(root, folder="blobs"), LocalBlobs(root, folder="manifests"))
    service = _over(store or _file_in(root), kept, actor=actor, enforce_steps=enforce_steps, quotas=quotas)
    return _introduced(service, str(root))


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"the registry folder {str(root)!r} cannot be made: {error.strerror}") from error


def _file_in(root: Path) -> MetadataStore:
    from modelyard.adapters.metadata.sql import SqlMetadata

    return SqlMetadata(root / DATABASE)


def _records_at(settings: Settings, where: str) -> MetadataStore:
    return metadata_store(settings) or _file_in(Path(where))


def in_memory(
    *,
    actor: Actor | None = None,
    enforce_steps: str = "warn",
    quotas: Quotas = Quotas(),  # noqa: B008  (frozen)
) -> LocalService:
    """A registry that lives as long as its process: for tests and trials."""
    from modelyard.adapters.blobs.memory import MemoryBlobs
    from modelyard.adapters.metadata.memory import MemoryMetadata

    kept = MemoryBlobs(), MemoryBlobs()
    service = _over(MemoryMetadata(), kept, actor=actor, enforce_steps=enforce_steps, quotas=quotas)
    return _introduced(service, "memory://")


def _over(
    store: MetadataStore,
    kept: tuple[BlobStore, BlobStore],
    *,
    actor: Actor | None = None,
    enforce_steps: str,
    quotas: Quotas,
) -> LocalService:
    """The service over stores, of which that of the records is brought to the newest schema."""
    from modelyard.adapters.clock import SystemClock
    from modelyard.adapters.statistics import ScipyStatistics
    from modelyard.scanning.late import LateScanner

    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return LocalService(
        store,
        *kept,
        clock=SystemClock(),
        scanner=LateScanner(),
        actor=actor or current_user(),
        enforce_steps=enforce_steps,
        statistics=ScipyStatistics(),
        quotas=quotas,
    )


def _introduced(service: LocalService, place: str) -> LocalService:
    """The service, once it is sure that its registry has an identity; its stores are closed if it must not be opened.

    Raises:
        IntegrityError: Its database was lost.
        NotAllowed: It is the target of a migration that has not ended.
        NotSupported: A newer version wrote it.
    """
    try:
        found = service.store.get(RegistryKey())
        if found is None:
            _refuse_lost(service.store, Path(place))
            found = _introduce(service.store, service.clock)
        if found is not None and found.format != FORMAT:
            _refuse_format(found, service.store, place)
    except BaseException:
        for store in (service.store, service.blobs, service.manifests):
            store.close()
        raise
    return service


def holds_versions(root: Path) -> bool:
    """Whether a registry's folder has manifests of versions, whatever its database says."""
    return any(each.is_file() for each in (root / "manifests").rglob("*"))


def _refuse_lost(store: MetadataStore, root: Path) -> None:
    """A folder with versions whose database knows of no registry is none that begins: to go on would bury the loss.

    The folder itself is looked at: to ask a store elsewhere begins threads, and a server has yet to fork.
    """
    if not (root / DATABASE).is_file() or not holds_versions(root):
        return
    if store.get(RegistryKey()) is None:  # else somebody else began it this moment
        raise IntegrityError(
            f"{str(root / DATABASE)!r} is empty or new, but {str(root / 'manifests')!r} holds versions: the database "
            "was lost. Their bytes are untouched. Put the database back with 'modelyard restore BACKUP --registry "
            "NEW_FOLDER'; for a new registry, name a new folder"
        )


def _introduce(store: MetadataStore, clock: Clock) -> Registry | None:
    """Give a new registry its identity; two openers may try, one wins, both go on."""
    record = Registry(registry_id=clock.new_id(), format=FORMAT, created_at=clock.now(), revision=1)
    # A read-only registry without a record can still be read.
    with suppress(Conflict, StorageError):
        store.commit(Changes(puts=(Put(record=record, expected=0),)))
    return store.get(RegistryKey())


def _refuse_format(found: Registry, store: MetadataStore, place: str) -> None:
    from modelyard.service.migration import refuse_unfinished

    refuse_unfinished(found, store, place)
    raise NotSupported(
        f"the registry at {place} has format {found.format}, this version of modelyard knows {FORMAT}: it was written "
        "by a newer modelyard; update this one"
    )


def current_user() -> Actor:
    """The operating system's name for whoever runs this process."""
    try:
        return Actor(name=getpass.getuser())
    except (OSError, KeyError):
        return Actor(name="unknown")
