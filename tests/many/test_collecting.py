"""Freeing bytes while others register the very same ones: nothing that is named is ever lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelyard.domain.errors import BlobNotFound
from modelyard.domain.records import FileEntry, ModelVersion
from modelyard.ports.metadata import VersionQuery
from modelyard.ports.service import Check, Collect, CreateVersion, Delete
from modelyard.service.local import LocalService
from modelyard.service.pages import every

from .stores import BYTES, DATABASES, bytes_of, opener, records

WRITERS = 6
CONTENTS, EPOCH = 3, 12
"""How many different bytes are registered at a time, and after how many registrations others are."""
NOW = Collect(dry_run=False, grace_days=0)
PATIENCE = 120.0
TRIES = 20


@dataclass(slots=True)
class Tally:
    """What happened so far; lists only grow."""

    registered: list[ModelVersion] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def delayed(service: LocalService, seed: int, tally: Tally) -> LocalService:
    """A service that dawdles before and after each look at bytes and each change of them, and tells what it frees."""
    mind, delete = random.Random(seed), service.blobs.delete
    for name in ("put", "stat", "delete"):
        real = getattr(service.blobs, name)

        def slow(*given: object, real: Callable[..., object] = real, **named: object) -> object:
            time.sleep(mind.random() * 0.004)
            done = real(*given, **named)
            time.sleep(mind.random() * 0.004)
            if real == delete:
                tally.freed.append(str(given[0]))
            return done

        setattr(service.blobs, name, slow)
    return service


def register(service: LocalService, name: str, data: bytes) -> ModelVersion:
    """As every client does: send the bytes unless they are there, and again if they were collected since."""
    for attempt in range(TRIES):
        info = service.put_blob([data])
        entry = FileEntry(path="m", size=info.size, digest=info.digest)
        try:
            return service.create_version(CreateVersion(name=name, files=(entry,)))
        except BlobNotFound:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def write(service: LocalService, tally: Tally, seed: int, stop: threading.Event) -> None:
    """Register, look whether the bytes are there, and delete, so that there is something to free."""
    mind = random.Random(seed)
    while not stop.is_set():
        data = f"{mind.randrange(CONTENTS)} of {len(tally.registered) // EPOCH}".encode()
        made = register(service, f"model {seed}", data)
        tally.registered.append(made)
        try:
            if b"".join(service.open_blob(made.files[0].digest)) != data:
                tally.lost.append(f"#{made.number} reads otherwise")
        except BlobNotFound:
            tally.lost.append(f"#{made.number} has no bytes")
        if mind.random() < 0.97:
            service.delete(Delete(ref=made.model_id))


def free(service: LocalService, stop: threading.Event) -> None:
    """All that may be freed at once, again and again."""
    while not stop.is_set():
        service.collect(NOW)


@contextmanager
def working(opened: Callable[[], LocalService], tally: Tally) -> Iterator[None]:
    """Six writers and a collector, until the block is left."""
    stop = threading.Event()
    services = [delayed(opened(), seed, tally) for seed in range(WRITERS + 1)]
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        work = [pool.submit(free, services[0], stop)]
        work += [pool.submit(write, each, tally, n, stop) for n, each in enumerate(services[1:])]
        try:
            yield
        finally:
            stop.set()
    for each in work:
        each.result()
    for service in services:
        service.close()


def stress(opened: Callable[[], LocalService], seconds: float, registered: int, freed: int) -> Tally:
    """At least so long, and until that much was done."""
    tally, began = Tally(), time.monotonic()
    with working(opened, tally):
        pause = threading.Event()
        while (
            time.monotonic() - began < seconds
            or len(tally.registered) < registered
            or len(tally.freed) < freed
        ):
            assert time.monotonic() - began < seconds + PATIENCE, (len(tally.registered), len(tally.freed))
            pause.wait(0.05)
    return tally


@pytest.mark.parametrize("kept", BYTES)
@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize(
    ("seconds", "registered", "freed"),
    [
        pytest.param(0, 30, 4, id="short", marks=pytest.mark.backends),
        pytest.param(15, 60, 6, id="long", marks=pytest.mark.long),
    ],
)
def test_F25_no_bytes_are_lost_between_registering_and_collecting(
    kind: str,
    kept: str,
    seconds: float,
    registered: int,
    freed: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    with records(kind, request, tmp_path) as store:
        opened = opener(tmp_path, store, bytes_of(kept, request, tmp_path))
        tally = stress(opened, seconds, registered, freed)
        assert tally.lost == []
        after = opened()
        for version in visible(after):
            assert b" of " in b"".join(after.open_blob(version.files[0].digest))
        assert after.check(Check(deep=True)).findings == ()
        assert after.verify_audit().ok
        after.collect(NOW)
        named = {v.files[0].digest for v in visible(after)}
        assert {info.digest for info in after.blobs.list()} == named
        after.close()
    print(f"{kind}, {kept}: {len(tally.registered)} registered, {len(tally.freed)} freed, 0 lost")


def visible(service: LocalService) -> list[ModelVersion]:
    """What was registered and not deleted."""
    return list(every(service.store, VersionQuery()))
