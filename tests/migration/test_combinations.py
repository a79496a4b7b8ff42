"""From every kind of store to every other one, over the real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from tests.contract.sql_servers import KINDS, database, emptied
from tests.services import azurite as azurite_server

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import StorageError
from modelyard.ports import service as ask
from modelyard.ports.metadata import RegistryKey
from modelyard.service.local import LocalService
from modelyard.testing.clock import SettableClock

from .registries import bare, full, moved, register
from .test_cut_short import Failing
from .test_moving import contents

pytestmark = pytest.mark.backends

RECORDS = ("sqlite", *KINDS, "mongodb")
BYTES = ("memory", "local", "seaweedfs", "gcs_stub") + (() if azurite_server.missing() else ("azurite",))
"""Azurite joins in where somebody brought one: without it, all the others shall go round all the same."""
Make = Callable[..., LocalService]


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes services over empty stores of the kinds that are named; ``name`` tells two of one kind apart."""
    with ExitStack() as stack:

        def records(kind: str, name: str) -> Any:
            if kind == "sqlite":
                return SqlMetadata(tmp_path / uuid.uuid4().hex / "registry.db")
            server = request.getfixturevalue(kind)
            if kind == "mongodb":
                return server.empty_store(f"migration_{name}")
            return emptied(database(server, f"modelyard_migration_{name}"))

        def kept(kind: str) -> tuple[Any, Any]:
            if kind == "memory":
                return MemoryBlobs(), MemoryBlobs()
            if kind == "local":
                root = tmp_path / uuid.uuid4().hex
                return LocalBlobs(root, folder="blobs"), LocalBlobs(root, folder="manifests")
            place = replace(request.getfixturevalue(kind), prefix=uuid.uuid4().hex)
            blobs = ObjectBlobs(place)
            return blobs, ObjectBlobs(place, folder="manifests", lease=blobs.lease)

        def make(
            of_records: str, of_bytes: str = "memory", name: str = "a", clock: SettableClock | None = None
        ) -> LocalService:
            service = bare(records(of_records, name), *kept(of_bytes), clock=clock)
            stack.callback(service.store.close)
            stack.callback(service.blobs.close)
            stack.callback(service.manifests.close)
            return service

        yield make


@pytest.mark.parametrize(("there", "here"), list(permutations(RECORDS, 2)))
def test_records_of_every_kind_are_moved_to_every_other(made: Make, here: str, there: str) -> None:
    source = full(made(here, name="from"))
    target = made(there, name="to")
    moved(source, target)
    assert contents(target) == contents(source)
    assert target.store.check() == ()


@pytest.mark.parametrize("kind", RECORDS)
def test_to_another_database_of_the_same_kind(made: Make, kind: str) -> None:
    source = full(made(kind, name="from"))
    target = made(kind, name="to")
    moved(source, target)
    assert contents(target) == contents(source)


def test_one_registry_goes_round_all_stores_and_is_used_in_each(made: Make) -> None:
    """Two rounds, the second with other pairs; in each place something happens."""
    clock = SettableClock()
    registry = full(made("sqlite", "local", name="start", clock=clock))
    for step in range(2 * len(BYTES)):
        kinds = RECORDS[(step + step // len(BYTES) + 1) % len(RECORDS)], BYTES[step % len(BYTES)]
        target = made(*kinds, name=f"step{step % 2}", clock=clock)
        moved(registry, target, deep=True)
        assert contents(target) == contents(registry)
        clock.advance(seconds=1)
        register(target, f"step {step}".encode(), name="fraud")
        target.set_alias(ask.SetAlias(model="fraud", alias="champion", ref=f"#{4 + step}"))
        registry = target
    assert registry.check(ask.Check(deep=True)).ok
    assert registry.verify_audit().ok


@pytest.mark.parametrize("kind", RECORDS)
def test_cut_off_somewhere_it_goes_on(made: Make, kind: str) -> None:
    source = full(bare())
    target = made(kind, name="to")
    failing = bare(Failing(target.store, [9], late=True), target.blobs, target.manifests)
    with pytest.raises(StorageError, match="cut off"):
        moved(source, failing)
    assert target.store.get(RegistryKey()).format == 0
    assert moved(source, target).resumed
    assert contents(target) == contents(source)
