"""PostgreSQL and SeaweedFS together, at the moments when one of them knows what the other does not yet."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.many.databases import drop, new_database
from tests.many.stores import bytes_of, opener
from tests.services.fault_proxy import Fault, proxying

from modelyard.adapters.blobs.object_place import Patience, Place
from modelyard.adapters.blobs.object_settings import manifests_beside
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.metadata.engines import open_server
from modelyard.domain.errors import (
    AlreadyExists,
    BlobNotFound,
    Conflict,
    ModelyardError,
    NotAllowed,
    NotFound,
    StorageError,
)
from modelyard.domain.records import FileEntry, ModelStage, ModelVersion
from modelyard.ports.metadata import VersionQuery
from modelyard.ports.service import Check, Collect, CreateVersion, Delete, Promote, RollBack
from modelyard.service.local import LocalService
from modelyard.service.pages import every
from modelyard.wiring import in_folder

Opened = Callable[[], LocalService]
NOW = Collect(dry_run=False, grace_days=0)
LARGE = random.Random(1).randbytes(9 << 20)
"""Bytes that go in parts."""


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    made = new_database(postgresql)
    yield made
    drop(postgresql, made)


@pytest.fixture
def opened(url: str, seaweedfs: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Opens one registry over both, each time as another process would."""
    made: list[LocalService] = []
    again = opener(tmp_path, lambda: open_server(url), bytes_of("seaweedfs", request, tmp_path))

    def once() -> LocalService:
        made.append(again())
        return made[-1]

    yield once
    for service in made:
        service.close()


def register(service: LocalService, data: bytes, **facts: Any) -> ModelVersion:
    info = service.put_blob([data])
    entry = FileEntry(path="m", size=info.size, digest=info.digest)
    return service.create_version(CreateVersion(name="fraud", files=(entry,), **facts))


def whole(service: LocalService) -> None:
    """All that can be seen can be read, and nothing is damaged."""
    for version in every(service.store, VersionQuery()):
        for entry in version.files:
            assert sum(map(len, service.open_blob(entry.digest))) == entry.size
    assert service.check(Check(deep=True)).findings == ()
    assert service.verify_audit().ok


# --- the network between ----------------------------------------------------------------------------------------------

FAULTS = {
    "refused": Fault("refuse", times=3),
    "busy": Fault("503", times=3),
    "cut on the way up": Fault("cut", up=True, after=1 << 20),
    "cut on the way down": Fault("cut", after=100),
    "a bit turned over on the way up": Fault("flip", up=True, after=1 << 20),
    "a bit turned over on the way down": Fault("flip", after=100),
    "the answer lost": Fault("drop", when=b"PUT "),
    "away for good": Fault("refuse", times=1000),
}


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("kind", FAULTS)
def test_F20_a_registration_over_a_bad_line_is_whole_or_told_of_and_may_be_repeated(
    kind: str, data: bytes, url: str, seaweedfs: Place, opened: Opened, tmp_path: Path
) -> None:
    direct = opened()
    parts = urlsplit(direct.blobs.place.endpoint)
    with proxying(parts.hostname, parts.port) as proxy:
        short = Patience(connect=1, silence=5, tries=5, budget=5)
        through = replace(direct.blobs.place, endpoint=f"http://127.0.0.1:{proxy.port}", patience=short)
        blobs = ObjectBlobs(through)
        far = in_folder(tmp_path, kept=(blobs, manifests_beside(blobs)), store=open_server(url))
        proxy.fault = replace(FAULTS[kind])
        with suppress(StorageError):
            register(far, data, idempotency_key="once")
        whole(direct)
        assert proxy.connections <= 100
        proxy.fault = None
        proxy.cut()
        made = register(far, data, idempotency_key="once")
        assert made.number == 1
        proxy.fault = Fault("refuse", times=1000)  # closing copies what is outstanding, and must not fail
        far.close()
    assert [version.model_id for version in every(direct.store, VersionQuery(deleted=None))] == [
        made.model_id
    ]
    whole(direct)


# --- collecting -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As near to a kill as one comes inside a process: no handler of errors runs. Only the lease is given back."""


def dying(service: LocalService, steps: int) -> LocalService:
    """Dies at that many steps: each commit and each removal is one before and one after."""
    left = [steps]

    def step() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    for owner, name in ((service.store, "commit"), (service.blobs, "delete")):
        real = getattr(owner, name)

        def watched(*given: Any, real: Callable[..., Any] = real) -> Any:
            step()
            done = real(*given)
            step()
            return done

        setattr(owner, name, watched)
    return service


def revived(service: LocalService) -> None:
    """So that it can be closed."""
    for owner, name in ((service.store, "commit"), (service.blobs, "delete")):
        delattr(owner, name)


def test_F26_a_collection_killed_at_any_step_loses_nothing_and_is_finished_by_the_next(
    opened: Opened,
) -> None:
    careful, ended, steps = opened(), False, 0
    while not ended:
        kept = register(careful, b"shared", tags={"step": str(steps)})
        gone = register(careful, f"only {steps}".encode())
        both = register(careful, b"shared")
        for version in (gone, both):
            careful.delete(Delete(ref=version.model_id))
        victim = dying(opened(), steps)
        try:
            victim.collect(NOW)
            ended = True
        except Killed:
            pass
        revived(victim)
        whole(careful)
        careful.collect(NOW)
        whole(careful)
        assert {info.digest for info in careful.blobs.list()} == {kept.files[0].digest}
        steps += 1
    assert steps > 6


def test_F26_a_database_restored_from_an_older_copy_loses_no_newer_bytes_to_a_collection_with_grace(
    url: str, postgresql: str, seaweedfs: Place, opened: Opened, tmp_path: Path
) -> None:
    service = opened()
    old = register(service, b"old")
    service.close()  # a template may have no other session
    keeper, copy = open_server(postgresql), f"{url.rpartition('/')[2]}_copy"
    with keeper._session() as session:
        session.execute(f"CREATE DATABASE {copy} TEMPLATE {url.rpartition('/')[2]}")
    newer = opened()
    new = register(newer, b"new")
    blobs = ObjectBlobs(newer.blobs.place)
    restored = in_folder(tmp_path, kept=(blobs, manifests_beside(blobs)), store=open_server(f"{url}_copy"))
    assert restored.collect(Collect(dry_run=False, grace_days=7)).blobs == ()
    whole(restored)
    whole(newer)
    assert {info.digest for info in blobs.list()} == {old.files[0].digest, new.files[0].digest}
    restored.close()
    drop(postgresql, f"{url}_copy")
    keeper.close()


# --- races ------------------------------------------------------------------------------------------------------------


def together(*works: Callable[[], Any]) -> list[Any]:
    """All at one moment; what each gave, or the refusal that it got."""
    ready = threading.Barrier(len(works))

    def work(each: Callable[[], Any]) -> Any:
        ready.wait()
        try:
            return each()
        except (Conflict, NotAllowed, NotFound, AlreadyExists) as refused:
            return refused

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(work, works))


def in_production(service: LocalService) -> list[int]:
    found = every(service.store, VersionQuery())
    return [version.number for version in found if version.stage is ModelStage.PRODUCTION]


@pytest.mark.parametrize("rounds", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_F27_promotions_and_rollbacks_at_one_moment_leave_one_in_production(
    rounds: int, opened: Opened
) -> None:
    services = [opened() for _ in range(4)]
    versions = [register(services[0], f"{n}".encode()) for n in range(4)]
    for version in versions[:2]:
        services[0].promote(Promote(ref=version.model_id, target=ModelStage.PRODUCTION))

    def promotion(service: LocalService, version: ModelVersion) -> Callable[[], Any]:
        return lambda: service.promote(Promote(ref=version.model_id, target=ModelStage.PRODUCTION))

    mind, refused = random.Random(27), 0
    for _ in range(rounds):
        fresh = register(services[0], b"fresh")
        chosen = [fresh, *mind.sample(versions, 2)]
        works = [promotion(each, version) for each, version in zip(services, chosen, strict=False)]
        works.append(lambda: services[3].roll_back(RollBack(ref="fraud", reason="a race")))
        ended = together(*works)
        refused += sum(isinstance(each, ModelyardError) for each in ended)
        held = services[0].get_model("fraud").holders["production"]
        assert in_production(services[1]) == list(held)
        assert len(held) == 1
    assert refused < 4 * rounds
    whole(services[0])


@pytest.mark.parametrize("rounds", [15, pytest.param(300, marks=pytest.mark.long)])
def test_F28_a_registration_that_meets_a_deletion_is_whole_or_refused(rounds: int, opened: Opened) -> None:
    """The same label and bytes again, while the version is deleted and its bytes are freed."""
    first, second, third = opened(), opened(), opened()
    for round_ in range(rounds):
        data, label = f"bytes {round_}".encode(), f"{round_}.0.0"
        made = register(first, data, version=label)
        again, other, _, _ = together(
            lambda data=data, label=label: register(first, data, version=label),
            lambda data=data: register(second, data),
            lambda ref=made.model_id: second.delete(Delete(ref=ref)),
            lambda: third.collect(NOW),
        )
        assert again == made or isinstance(again, AlreadyExists | BlobNotFound | ModelVersion)
        assert isinstance(other, ModelVersion | BlobNotFound)
        if isinstance(other, ModelVersion):
            assert b"".join(first.open_blob(other.files[0].digest)) == data
    whole(first)
