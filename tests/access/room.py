"""A registry with two teams, tokens of every kind, and a real server in front of it."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import uvicorn

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.domain.permissions import Grant, Principal, parse_grant
from modelyard.domain.records import Actor, FileEntry, LineageEdge, ModelStage, ModelVersion, Registry
from modelyard.edge.guard import Guarded
from modelyard.ports import service as ask
from modelyard.ports.metadata import Changes, Put
from modelyard.scanning.scanner import TracingScanner
from modelyard.server import build
from modelyard.service.local import LocalService
from modelyard.testing.clock import SettableClock

SHARED, SECRET = b"the same bytes in both models", b"only the other team has these"


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def empty(clock: SettableClock | None = None) -> LocalService:
    """A new registry in memory."""
    clock, store = clock or SettableClock(), MemoryMetadata()
    record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    blobs = MemoryBlobs(), MemoryBlobs()
    return LocalService(store, *blobs, clock=clock, scanner=TracingScanner(), actor=Actor(name="root"))


def register(service: LocalService, name: str, data: bytes = b"", **facts: object) -> ModelVersion:
    files = ()
    if data:
        info = service.put_blob([data])
        files = (FileEntry(path="m.txt", size=info.size, digest=info.digest),)
    return service.create_version(ask.CreateVersion(name=name, files=files, **facts))


def two_teams() -> LocalService:
    """``ours/fraud`` and ``theirs/secret``: theirs came of ours, ours of theirs, and both share some bytes."""
    service = empty()
    register(service, "theirs/secret", SECRET, tags={"plan": "takeover"}, metrics={"accuracy": 0.99})
    theirs = LineageEdge(kind="merged_from", target="theirs/secret#1")
    data = LineageEdge(kind="dataset", target="s3://shared")
    register(service, "ours/fraud", SHARED, lineage=(theirs, data), metrics={"accuracy": 0.5})
    register(service, "ours/fraud", b"second", metrics={"accuracy": 0.6})
    register(service, "theirs/secret", SHARED, parent="ours/fraud#1", lineage=(data,))
    register(service, "ours/fraud", b"third", parent="theirs/secret#2")
    for ref in ("ours/fraud#1", "theirs/secret#1"):
        service.promote(ask.Promote(ref=ref, target=ModelStage.STAGING))
        service.promote(ask.Promote(ref=ref, target=ModelStage.PRODUCTION))
    service.set_alias(ask.SetAlias(model="ours/fraud", alias="champion", ref="#1"))
    service.set_alias(ask.SetAlias(model="theirs/secret", alias="champion", ref="#1"))
    variants = {"A": "#1", "B": "#2"}
    for name in ("ours/fraud", "theirs/secret"):
        service.begin_experiment(ask.BeginExperiment(model=name, variants=variants, name="trial " + name[:5]))
    service.annotate(ask.Annotate(ref="ours/fraud", description="cards", whole_model=True))
    return service


def principal(*grants: str | Grant, name: str = "ann", **facts: object) -> Principal:
    given = tuple(g if isinstance(g, Grant) else parse_grant(g) for g in grants)
    return Principal(actor=Actor(name=name), grants=given, **facts)


def guarded(service: LocalService, *grants: str | Grant, **facts: object) -> Guarded:
    return Guarded(service, principal(*grants, **facts))


def make_token(service: LocalService, *grants: str, name: str = "ann", days: float | None = None) -> str:
    """The secret of a new token."""
    request = ask.CreateToken(
        name=name,
        grants=tuple(map(parse_grant, grants)),
        owner=Actor(name=name),
        expires_at=None if days is None else service.clock.now() + timedelta(days=days),
    )
    return service.create_token(request).secret


@contextlib.contextmanager
def serving(service: LocalService) -> Iterator[str]:
    """A server for ``service`` on a free port of this machine, as ``modelyard server`` builds it."""
    config = uvicorn.Config(build(service), log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def talking(url: str, secret: str = "") -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client
