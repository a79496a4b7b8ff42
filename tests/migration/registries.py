"""Registries to move: with something of everything in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.domain import abtest
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor, FileEntry, LineageEdge, ModelStage, ModelVersion, Registry
from modelyard.domain.sessions import Person
from modelyard.ports import service as ask
from modelyard.ports.metadata import Changes, Put
from modelyard.scanning.scanner import TracingScanner
from modelyard.service.local import LocalService
from modelyard.service.migration import Migrated, Side, migrate
from modelyard.service.sessions import ServiceSessions
from modelyard.testing.clock import SettableClock


def silent(_title: str, _total: int) -> Callable[[int], None]:
    """Nobody watches."""
    return lambda _count: None


def bare(store: Any = None, blobs: Any = None, manifests: Any = None, clock: Any = None) -> LocalService:
    """A service over empty stores, in memory where none are given, that nobody introduced."""
    store = store or MemoryMetadata()
    store.migrate()
    return LocalService(
        store,
        blobs or MemoryBlobs(),
        manifests or MemoryBlobs(),
        clock=clock or SettableClock(),
        scanner=TracingScanner(),
        actor=Actor(name="ann"),
    )


def introduced(service: LocalService, name: str = "r") -> LocalService:
    """The service as that of a new registry."""
    record = Registry(registry_id=name, format=1, created_at=service.clock.now(), revision=1)
    service.store.commit(Changes(puts=(Put(record=record, expected=0),)))
    return service


def full(service: LocalService | None = None) -> LocalService:
    """A registry in which nearly everything was done once."""
    service = introduced(service or bare())
    for number in range(1, 4):
        register(service, f"fraud {number}".encode(), name="fraud", metrics={"accuracy": 0.9 + number / 100})
    register(service, b"churn", name="Churn é 𝛼", tags={"team": "risk"}, attributes={"a": [1, 2.5, None]})
    data = (LineageEdge(kind="dataset", target="s3://data"),)
    register(service, b"fraud 1", name="copy", description="the same bytes", lineage=data)
    for ref in ("fraud#1", "fraud#2"):
        for stage in (ModelStage.STAGING, ModelStage.PRODUCTION):
            service.promote(ask.Promote(ref=ref, target=stage, reason="ship"))
    service.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#1"))
    service.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#2", reason="better"))
    service.record_check(ask.RecordCheck(ref="fraud#3", check="tests", passed=True, evidence={"run": 7}))
    service.set_policy(ask.SetPolicy(model="copy", policy={"holders": {"production": 2}}))
    service.withdraw(ask.Withdraw(target="s3://data", kind="dataset", reason="leak"))
    experiment(service)
    service.create_token(ask.CreateToken(name="nightly", grants=(Grant(role="writer", models="fraud"),)))
    person = Person(key="p" * 32, name="eve@example.org", grants=(Grant(role="reader"),))
    hours = timedelta(hours=2)
    ServiceSessions(service).open(person, life=hours, idle=hours, once="o")
    gone = register(service, b"gone", name="gone")
    service.delete(ask.Delete(ref=gone.model_id, reason="old"))
    return service


def register(service: LocalService, data: bytes, **facts: Any) -> ModelVersion:
    """A version over one file."""
    info = service.put_blob([data])
    files = (FileEntry(path="m.txt", size=info.size, digest=info.digest),)
    return service.create_version(
        ask.CreateVersion(files=files, idempotency_key=f"{facts['name']} {data!r}", **facts)
    )


def experiment(service: LocalService) -> None:
    """An experiment under way, with outcomes and exposures."""
    begun = service.begin_experiment(
        ask.BeginExperiment(model="fraud", variants={"A": "2", "B": "3"}, minimum_sample=20)
    )
    units = [abtest.place(begun.identity, f"u{number}")[:16].hex() for number in range(5)]
    sealed = [abtest.sealed(begun.experiment_id, begun.identity, unit, "0" * 16) for unit in units]
    outcomes = tuple(ask.GivenOutcome(assignment=each, value=True) for each in sealed)
    service.record_outcomes(ask.RecordOutcomes(experiment_id=begun.experiment_id, outcomes=outcomes))
    service.count_exposures(
        ask.CountExposures(experiment_id=begun.experiment_id, writer="w" * 32, counts={"A": 3})
    )


def sides(source: LocalService, target: LocalService) -> tuple[Side, Side]:
    return Side(place="here", service=source), Side(place="there", service=target)


def moved(source: LocalService, target: LocalService, **given: Any) -> Migrated:
    """The outcome of a migration from the one to the other."""
    return migrate(*sides(source, target), watch=silent, **given)
