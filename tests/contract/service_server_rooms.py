"""The ways around a local service over a database server that its contract asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.domain.records import Event, Model
from modelyard.ports.metadata import Changes, ModelKey, Put
from modelyard.service.local import LocalService
from modelyard.testing.clock import START, SettableClock

from .service_rooms import LocalRoom, MemoryBytes, local_service
from .sql_servers import database, emptied, rewritten


class ServerRoom(MemoryBytes, LocalRoom):
    """Two services over two databases of the server that the fixture ``server`` names; bytes are in memory."""

    @pytest.fixture
    def service(self, server: str, clock: SettableClock) -> Iterator[LocalService]:
        yield from opened(server, "modelyard_here", clock)

    @pytest.fixture
    def other(self, server: str) -> Iterator[LocalService]:
        yield from opened(server, "modelyard_there", SettableClock(START + timedelta(days=1)))

    def rewrite(self, service: LocalService, model: Model, events: Sequence[Event]) -> None:
        revision = service.store.get(ModelKey(model.key)).revision
        put = Put(record=replace(model, revision=revision + 1), expected=revision)
        rewritten(service.store, model.key, Changes(puts=(put,), events=tuple(events)))


def opened(server: str, name: str, clock: SettableClock) -> Iterator[LocalService]:
    service = local_service(emptied(database(server, name)), MemoryBlobs(), MemoryBlobs(), clock)
    yield service
    service.close()
