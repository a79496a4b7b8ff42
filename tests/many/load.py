"""Callers of all kinds who write down what they were promised."""

from __future__ import annotations

import hashlib
import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelyard.domain.errors import (
    BlobNotFound,
    Conflict,
    GateRefused,
    ModelyardError,
    NotFound,
    Protected,
    StorageError,
    TransitionNotAllowed,
)
from modelyard.domain.records import FileEntry, ModelStage, ModelVersion
from modelyard.ports import service as ask
from modelyard.remote.service import RemoteService

MODELS = ("churn", "fraud", "prices")
GOOD, BAD = 0.9, 0.4
POLICY = {"gates": {"production": {"min_accuracy": 0.6}}}
SHARED = [f"shared bytes {n}".encode() * 40 for n in range(5)]
LARGE = 9 << 20
"""Bytes that go in pieces."""

NO = (Conflict, GateRefused, NotFound, Protected, TransitionNotAllowed)
"""Refusals: nothing was done. A ``StorageError`` leaves it open, anything else is wrong."""


@dataclass(slots=True)
class Said:
    """What was promised to all callers together. Lists only grow, so threads may share them."""

    registered: list[ModelVersion] = field(default_factory=list)
    intended: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    pointed: list[tuple[str, str, str, int]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Caller:
    """One of several callers, with a random but repeatable mind of its own.

    Args:
        service: The way to the servers.
        said: Where promises go.
        seed: Of its mind.
    """

    def __init__(self, service: RemoteService, said: Said, seed: int) -> None:
        self._service, self._said, self._random = service, said, random.Random(seed)

    def run(self, stop: threading.Event) -> None:
        """One thing after the other."""
        while not stop.is_set():
            chosen = self._random.choices(
                (self.register, self.promote, self.move_alias, self.load, self.delete), (5, 3, 2, 3, 2)
            )
            self.attempt(chosen[0])

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it, and count how it ended."""
        try:
            action()
            ended = "done"
        except NO as error:
            ended = type(error).__name__
        except StorageError as error:
            ended = f"in doubt: {type(error).__name__}"
        except Exception as error:
            ended = "WRONG"
            self._said.wrong.append(f"{action.__name__}: {type(error).__name__}: {error}")
        self._said.outcomes[f"{action.__name__} {ended}"] += 1

    # --- what they do ------------------------------------------------------------------------------------------------

    def register(self) -> None:
        """New bytes, bytes that others register too, or many bytes."""
        draw = self._random.random()
        if draw < 0.4:
            data = self._random.choice(SHARED)
        else:
            data = self._random.randbytes(LARGE if draw > 0.97 else self._random.randrange(20, 4000))
        request = ask.CreateVersion(
            name=self._random.choice(MODELS),
            metrics={"accuracy": self._random.choice((GOOD, BAD))},
            tags={"intent": self._intent()},
        )
        self._said.registered.append(stored(self._service, data, request))

    def promote(self) -> None:
        """Up to production, whoever is there."""
        version = self._some()
        for stage in (ModelStage.STAGING, ModelStage.PRODUCTION):
            reason = self._intent()
            done = self._service.promote(ask.Promote(ref=version.model_id, target=stage, reason=reason))
            if done.moved:
                self._said.changed.append((version.name, reason))

    def move_alias(self) -> None:
        version, reason = self._some(), self._intent()
        alias = self._random.choice(("champion", "canary"))
        self._service.set_alias(
            ask.SetAlias(model=version.name, alias=alias, ref=version.model_id, reason=reason)
        )
        self._said.pointed.append((version.name, reason, f"alias:{alias}", version.number))

    def delete(self) -> None:
        version, reason = self._some(), self._intent()
        self._service.delete(ask.Delete(ref=version.model_id, reason=reason))
        self._said.changed.append((version.name, reason))

    def load(self) -> None:
        """What a pointer names, to the last byte."""
        version = self._service.get_version(f"{self._random.choice(MODELS)}@champion")
        for entry in version.files:
            try:
                data = b"".join(self._service.open_blob(entry.digest))
            except BlobNotFound:
                self._service.get_version(version.model_id)  # deleted since, or its bytes are lost
                raise AssertionError(f"{version.model_id} is there and its bytes are not") from None
            assert f"sha256:{hashlib.sha256(data).hexdigest()}" == entry.digest
        self._said.loaded.append(version.model_id)

    def _intent(self) -> str:
        intent = uuid.uuid4().hex
        self._said.intended.append(intent)
        return intent

    def _some(self) -> ModelVersion:
        """One of the newest versions that anybody was promised."""
        if not self._said.registered:
            raise NotFound("there is no version yet")
        return self._random.choice(self._said.registered[-12:])


def stored(service: RemoteService, data: bytes, request: ask.CreateVersion) -> ModelVersion:
    """Register a version over ``data``; sent again if a collector took it for unused in between."""
    from dataclasses import replace

    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    entry = FileEntry(path="model.bin", size=len(data), digest=digest)
    for attempt in range(5):
        service.put_blob([data], digest=digest)
        try:
            return service.create_version(replace(request, files=(entry,)))
        except BlobNotFound:
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


def watched(service: RemoteService, said: Said, stop: threading.Event) -> None:
    """Look at who is in production, again and again: one at most, and one that may be."""
    while not stop.is_set():
        for model in MODELS:
            try:
                held = service.get_model(model).holders.get("production", ())
                found = service.search(ask.Search(model=model, text="stage = production")).items
            except (NotFound, StorageError):
                continue
            if len(held) > 1 or len(found) > 1:
                said.wrong.append(
                    f"{model}: {held} and {[v.number for v in found]} are in production at once"
                )
            if any(accuracy(version) != GOOD for version in found):
                said.wrong.append(f"{model}: {found[0].number} passed a gate that it does not meet")
            said.outcomes["looked"] += 1


def accuracy(version: ModelVersion) -> float:
    return next(metric.value for metric in version.metrics if metric.name == "accuracy")


def collecting(collect: Callable[[ask.Collect], Any], said: Said, stop: threading.Event) -> None:
    """Free what can be freed, at once, again and again."""
    while not stop.wait(0.5):
        try:
            collect(ask.Collect(dry_run=False, grace_days=0))
        except Conflict:
            said.outcomes["collect Conflict"] += 1
        except StorageError:
            said.outcomes["collect in doubt"] += 1
        except ModelyardError as error:
            said.wrong.append(f"collect: {type(error).__name__}: {error}")
        else:
            said.outcomes["collect done"] += 1
