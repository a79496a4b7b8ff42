"""One collector at a time over all servers, and another one when it dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from modelyard.domain.errors import Conflict, StorageError
from modelyard.ports import service as ask
from modelyard.ports.metadata import BlobKey, BlobQuery

from .farm import Farm
from .load import stored

NOW = ask.Collect(dry_run=False, grace_days=0)
COUNT = 60
PATIENCE = 240.0


def rubbish(farm: Farm) -> list[str]:
    """Digests of bytes that only deleted versions name."""
    service = farm.client(0)
    made = [stored(service, f"rubbish {n}".encode(), ask.CreateVersion(name="fraud")) for n in range(COUNT)]
    for version in made:
        service.delete(ask.Delete(ref=version.model_id))
    return [version.files[0].digest for version in made]


def test_a_collector_killed_at_its_work_is_succeeded_by_another_server(farm: Callable[..., Farm]) -> None:
    many = farm(2, life=12.0)
    digests = rubbish(many)
    with many.registry() as beside:
        store = beside._service.store

        def begun() -> bool:
            return bool(store.find(BlobQuery(state="deleting", limit=1)).items)

        first, second = many.client(0), many.client(1)

        told: list[str] = []

        def collect() -> None:
            try:
                first.collect(NOW)
            except (Conflict, StorageError) as error:
                told.append(error.detail)

        dying = threading.Thread(target=collect)
        dying.start()
        while not begun() and dying.is_alive():
            pass
        many.die(0)
        dying.join()
        left = [digest for digest in digests if store.get(BlobKey(digest)).state != "deleted"]
        assert told or not left, "it was killed at its work, or had done all of it before"
        kept = stored(second, b"kept", ask.CreateVersion(name="fraud"))  # others go on meanwhile
        freed, ends = [], time.monotonic() + PATIENCE
        while not set(left) <= set(freed):
            assert time.monotonic() < ends, "nobody took over"
            with suppress(
                Conflict, StorageError
            ):  # it is not over yet, or this machine was too slow to renew
                freed += second.collect(NOW).blobs
        assert all(store.get(BlobKey(digest)).state == "deleted" for digest in digests)
        assert b"".join(second.open_blob(kept.files[0].digest)) == b"kept"
        assert [info.digest for info in beside._service.blobs.list()] == [kept.files[0].digest]
        assert beside.fsck(deep=True).findings == ()


def test_of_many_who_collect_at_once_each_is_told_or_frees_and_none_frees_twice(
    farm: Callable[..., Farm],
) -> None:
    many = farm(3)
    digests = rubbish(many)
    freed: list[str] = []
    told: list[str] = []
    together = threading.Barrier(3)

    def collect(number: int) -> None:
        client = many.client(number)
        together.wait()
        try:
            freed.extend(client.collect(NOW).blobs)
        except Conflict as error:
            told.append(error.detail)

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(freed) == sorted(digests)
    assert all("Another collection is running" in detail for detail in told)
