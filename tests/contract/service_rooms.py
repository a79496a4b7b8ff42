"""The ways around a local service that its contract asks for, per kind of store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.names import fold
from modelyard.domain.records import Actor, Event, Model, Registry
from modelyard.ports.metadata import Changes, ModelKey, Positioned, Put
from modelyard.scanning.scanner import TracingScanner
from modelyard.service.local import LocalService
from modelyard.testing.clock import START, SettableClock

RAM = Path("/dev/shm")


def local_service(store, blobs, manifests, clock) -> LocalService:
    """A service over empty stores, introduced as a new registry."""
    store.migrate()
    record = Registry(registry_id=clock.new_id(), format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    actor = Actor(name="ann")
    return LocalService(store, blobs, manifests, clock=clock, scanner=TracingScanner(), actor=actor)


class LocalRoom:
    """Two services built by ``build(folder, clock)``."""

    build: Callable[[Path, SettableClock], LocalService]

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        """In memory where there is such a place: thousands of syncs prove nothing here but the disk's patience."""
        with TemporaryDirectory(prefix="modelyard-", dir=RAM if RAM.is_dir() else None) as name:
            yield Path(name)

    @pytest.fixture
    def service(self, folder: Path, clock: SettableClock) -> Iterator[LocalService]:
        service = self.build(folder / "here", clock)
        yield service
        service.close()

    @pytest.fixture
    def other(self, folder: Path) -> Iterator[LocalService]:
        service = self.build(folder / "there", SettableClock(START + timedelta(days=1)))
        yield service
        service.close()

    def blob_list(self, service: LocalService) -> Sequence[str]:
        return [info.digest for info in service.blobs.list()]


class MemoryRecords:
    """``rewrite`` over dictionaries."""

    def rewrite(self, service: LocalService, model: Model, events: Sequence[Event]) -> None:
        store = service.store
        kept = [item.event for item in store._log if fold(item.event.model) != model.key]
        store._log = [Positioned(position=n, event=e) for n, e in enumerate([*kept, *events], 1)]
        store._records[ModelKey(model.key)] = model


class SqliteRecords:
    """``rewrite`` over SQL, every row digest computed anew as a careful forger would."""

    def rewrite(self, service: LocalService, model: Model, events: Sequence[Event]) -> None:
        revision = service.store.get(ModelKey(model.key)).revision
        connection = driver().connect(str(service.store.path), isolation_level=None)
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for table in ("moves", "events"):
            cursor.execute(f"DELETE FROM {table} WHERE model_key = ?", (model.key,))
        put = Put(record=replace(model, revision=revision + 1), expected=revision)
        Writer(cursor, words=False).apply(Changes(puts=(put,), events=tuple(events)))
        cursor.execute("COMMIT")
        connection.close()


class MemoryBytes:
    """``damage`` in dictionaries."""

    def damage(self, service: LocalService, digest: str, data: bytes | None) -> None:
        kept = service.blobs._kept
        _, modified = kept.pop(digest.removeprefix("sha256:"))
        if data is not None:
            kept[digest.removeprefix("sha256:")] = (data, modified)


class LocalBytes:
    """``damage`` in files."""

    def damage(self, service: LocalService, digest: str, data: bytes | None) -> None:
        path = service.location(digest)
        assert path is not None
        path.chmod(0o600)
        path.unlink() if data is None else path.write_bytes(data)


def memory_memory(folder: Path, clock: SettableClock) -> LocalService:
    return local_service(MemoryMetadata(), MemoryBlobs(), MemoryBlobs(), clock)


def memory_local(folder: Path, clock: SettableClock) -> LocalService:
    return local_service(MemoryMetadata(), *local_blobs(folder), clock)


def sqlite_memory(folder: Path, clock: SettableClock) -> LocalService:
    return local_service(SqlMetadata(folder / "registry.db"), MemoryBlobs(), MemoryBlobs(), clock)


def sqlite_local(folder: Path, clock: SettableClock) -> LocalService:
    return local_service(SqlMetadata(folder / "registry.db"), *local_blobs(folder), clock)


def local_blobs(folder: Path) -> tuple[LocalBlobs, LocalBlobs]:
    return LocalBlobs(folder, folder="blobs"), LocalBlobs(folder, folder="manifests")
