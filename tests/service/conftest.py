"""A local service whose stores are at hand."""

from __future__ import annotations

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.domain.records import Actor, Registry
from modelyard.ports.metadata import Changes, Put
from modelyard.scanning import scanner, twins
from modelyard.scanning.scanner import TracingScanner
from modelyard.service.local import LocalService
from modelyard.testing.clock import SettableClock


@pytest.fixture(autouse=True)
def no_verdicts() -> None:
    """What a test scans was scanned by no test before it."""
    scanner._REMEMBERED.clear()
    twins._TWINS.clear()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store() -> MemoryMetadata:
    return MemoryMetadata()


@pytest.fixture
def service(store: MemoryMetadata, clock: SettableClock) -> LocalService:
    introduction = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=introduction, expected=0),)))
    actor = Actor(name="ann")
    return LocalService(
        store, MemoryBlobs(), MemoryBlobs(), clock=clock, scanner=TracingScanner(), actor=actor
    )
