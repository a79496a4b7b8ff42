"""The ways around a local service over MongoDB that its contract asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.domain.records import Event, Model
from modelyard.ports.metadata import Changes, ModelKey, Put
from modelyard.service.local import LocalService
from modelyard.testing.clock import START, SettableClock

from .service_rooms import local_service


class MongodbRoom:
    """Two services over databases of their own."""

    @pytest.fixture
    def service(self, mongodb: Any, clock: SettableClock) -> Iterator[LocalService]:
        self.kept = mongodb.database("here")
        service = local_service(mongodb.empty_store("here"), MemoryBlobs(), MemoryBlobs(), clock)
        yield service
        service.close()

    @pytest.fixture
    def other(self, mongodb: Any) -> Iterator[LocalService]:
        clock = SettableClock(START + timedelta(days=1))
        service = local_service(mongodb.empty_store("there"), MemoryBlobs(), MemoryBlobs(), clock)
        yield service
        service.close()

    def blob_list(self, service: LocalService) -> Sequence[str]:
        return [info.digest for info in service.blobs.list()]

    def rewrite(self, service: LocalService, model: Model, events: Sequence[Event]) -> None:
        """Every digest computed anew, as a careful forger would."""
        kept = self.kept
        revision = service.store.get(ModelKey(model.key)).revision
        put = Put(record=replace(model, revision=revision + 1), expected=revision)
        gone = kept["events"].delete_many({"model_key": model.key}).deleted_count
        kept["counters"].update_one({"_id": "events"}, {"$inc": {"last": -gone}})
        for place, row in enumerate(kept["events"].find().sort("position", 1), 1):
            kept["events"].update_one({"_id": row["_id"]}, {"$set": {"position": place}})
        service.store.commit(Changes(puts=(put,), events=tuple(events)))
