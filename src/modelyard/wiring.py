"""The composition root: the one place that names adapters."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.domain.errors import Conflict, NotSupported, StorageError
from modelyard.domain.records import Actor, Registry
from modelyard.ports.clock import Clock
from modelyard.ports.metadata import Changes, MetadataStore, Put, RegistryKey
from modelyard.ports.service import RegistryService
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
        return where, in_memory()
    if "://" in where:
        raise NotSupported(f"{where!r} names a server or database; this build opens folders only")
    root = Path(where).expanduser().absolute()
    return str(root), in_folder(root)


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
    if settings.storage.backend != "local":
        raise NotSupported(f"storage.backend {settings.storage.backend!r} is not built yet; use 'local'")
    if settings.database.type != "sqlite" or settings.database.url:
        raise NotSupported(
            "only the SQLite database inside the registry folder is built yet; leave `database` out"
        )


def in_folder(root: Path, *, actor: Actor | None = None) -> LocalService:
    """A registry in a folder: SQLite beside a content-addressed store."""
    from modelyard.adapters.blobs.local import LocalBlobs
    from modelyard.adapters.clock import SystemClock
    from modelyard.adapters.metadata.sql import SqlMetadata
    from modelyard.scanning.scanner import TracingScanner

    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"the registry folder {str(root)!r} cannot be made: {error.strerror}") from error
    store = SqlMetadata(root / DATABASE)
    store.migrate()
    clock = SystemClock()
    _introduce(store, clock)
    return LocalService(
        store,
        LocalBlobs(root, folder="blobs"),
        LocalBlobs(root, folder="manifests"),
        clock=clock,
        scanner=TracingScanner(),
        actor=actor or current_user(),
    )


def in_memory(*, actor: Actor | None = None) -> LocalService:
    """A registry that lives as long as its process: for tests and trials."""
    from modelyard.adapters.blobs.memory import MemoryBlobs
    from modelyard.adapters.clock import SystemClock
    from modelyard.adapters.metadata.memory import MemoryMetadata
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
