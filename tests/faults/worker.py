"""A process that works on a registry and says what it did, so that it can be killed or starved at any moment.

    python worker.py '{"root": "...", "plan": "register", "inputs": "..."}'

Lines of JSON on standard output: ``{"intent": ...}`` before something that hides or frees, ``{"did": ...}`` after
each call that returned (an acknowledgement), ``{"refused": code}`` after each that ended in our own error. An error
of any other kind ends the process with a traceback. ``{"begin": true}`` says that all is imported and open.

``failpoint`` kills the process at a named step, ``broken`` swaps in a store or service that keeps its promises badly:
the controls need proof that the verdict can be bad.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelyard import ModelRegistry
from modelyard.domain.errors import BlobNotFound, Conflict, ModelyardError, NotAllowed, StorageError
from modelyard.domain.records import ModelVersion, ScanReport
from modelyard.ports.blobs import BlobInfo
from modelyard.settings import Settings

NAME = "fraud"


def say(**line: Any) -> None:
    """One line, in one system call."""
    os.write(1, json.dumps(line).encode() + b"\n")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Worker:
    """Does things and says so."""

    def __init__(self, registry: ModelRegistry, inputs: Path) -> None:
        self.registry = registry
        self.inputs = inputs

    def acknowledge(self, did: str, chain: str, **more: Any) -> None:
        """Say that a call returned, and how far its history had come: a fact that must hold for ever."""
        last = self.registry.history(chain, limit=1)  # the registry's own chain may be empty
        say(
            did=did,
            **({"chain": chain, "sequence": last[0].sequence, "hash": last[0].hash} if last else {}),
            **more,
        )

    def register(self, source: Path, **facts: Any) -> ModelVersion:
        """The digests in the acknowledgement are computed here, not asked of the registry."""
        parts = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
        files = {p.name: "sha256:" + hashlib.sha256(p.read_bytes()).hexdigest() for p in parts}
        made = self.registry.get_model(self.registry.register_model(source, NAME, **facts))
        self.acknowledge("register", NAME, model_id=made.model_id, digest=made.digest, files=files)
        return made

    # --- one call each: what the sweeps interrupt ---------------------------------------------------------------

    def plan_register(self) -> None:
        self.register(
            self.inputs / "new", version="9.0.0", alias="champion", performance_metrics={"accuracy": 0.9}
        )

    def plan_promote(self) -> None:
        self.registry.promote_model(f"{NAME}:1.2.0", "production", reason="better")
        self.acknowledge("promote", NAME)

    def plan_rollback(self) -> None:
        self.registry.rollback_model(NAME, reason="worse", check_load=False)
        self.acknowledge("rollback", NAME)

    def plan_delete(self) -> None:
        model_id = self.registry.get_model(f"{NAME}:1.2.0").model_id
        say(intent="delete", model_id=model_id)
        self.registry.delete_model(model_id, force=True, reason="never used")
        self.acknowledge("delete", NAME, model_id=model_id)

    def plan_gc(self) -> None:
        self.registry.gc(dry_run=False, grace_days=0)
        self.acknowledge("gc", "")

    def plan_import(self) -> None:
        self.registry.import_registry(self.inputs / "bundle.tar")
        self.acknowledge("import", "other")

    def plan_visit(self) -> None:
        """Look at everything, then try to write."""
        live = self.registry.status(NAME).live
        say(
            live=live and live.version,
            known=len(self.registry.list_models()),
            ok=self.registry.fsck(deep=True).ok,
        )
        self.registry.download(f"{NAME}@champion", Path(tempfile.mkdtemp()) / "copy")
        try:
            self.registry.promote_model(f"{NAME}:1.2.0", "production")
        except StorageError as refusal:
            say(refused=refusal.code, detail=refusal.detail)

    # --- all of them, for ever: what random kills interrupt --------------------------------------------------------

    def plan_storm(self, seed: int, limit: int = 10_000) -> None:
        """A stream of calls as a busy team makes them; refusals, and others who were faster, are part of the day."""
        chance = random.Random(seed)
        mine: list[ModelVersion] = []
        for step in range(limit):
            try:
                self.gust(chance, mine, f"{seed}-{step}")
            except (NotAllowed, BlobNotFound, Conflict) as refusal:
                say(refused=refusal.code)

    def gust(self, chance: random.Random, mine: list[ModelVersion], mark: str) -> None:
        kind = chance.choice(("register", "register", "promote", "rollback", "delete", "gc"))
        if kind == "register" or not mine:
            source = self.inputs / "storm" / f"{mark}.bin"
            source.parent.mkdir(exist_ok=True)
            source.write_bytes(chance.randbytes(chance.choice((10, 5_000, 1_500_000))))
            mine.append(self.register(source))
        elif kind == "promote":
            self.registry.promote_model(chance.choice(mine).model_id, "production", reason=mark)
            self.acknowledge("promote", NAME)
        elif kind == "rollback":
            self.registry.rollback_model(NAME, reason=mark, check_load=False)
            self.acknowledge("rollback", NAME)
        elif kind == "delete":
            gone = mine.pop(chance.randrange(len(mine)))
            say(intent="delete", model_id=gone.model_id)
            self.registry.delete_model(gone.model_id, force=True, reason=mark)
            self.acknowledge("delete", NAME, model_id=gone.model_id)
        else:
            self.plan_gc()

    def plan_try(self, plan: str) -> None:
        """Once while a fault may strike, and once more after it, in the same process."""
        self.attempt(plan, "first")
        say(again=True)
        if (refusal := self.attempt(plan, "second")) and refusal.code not in ALREADY:
            raise refusal
        say(tried=True)

    def attempt(self, plan: str, which: str) -> ModelyardError | None:
        try:
            getattr(self, f"plan_{plan}")()
        except ModelyardError as refusal:
            say(refused=refusal.code, attempt=which, detail=refusal.detail)
            return refusal
        return None


ALREADY = ("not_allowed", "transition_not_allowed", "version_not_found")
"""How a repeated call is refused when the first one took effect although its answer was an error."""


# --- failpoints -------------------------------------------------------------------------------------------------------


def plant(owner: object, method: str, when: str, nth: int) -> None:
    """Make the ``nth`` call of ``owner.method`` the last thing this process does, before or after its effect."""
    original: Callable[..., Any] = getattr(owner, method)
    calls = itertools.count(1)

    def wrapped(*given: Any, **named: Any) -> Any:
        mine = next(calls) == nth
        if mine and when == "before":
            die()
        answer = original(*given, **named)
        if mine:
            die()
        return answer

    setattr(owner, method, wrapped)


# --- broken on purpose ------------------------------------------------------------------------------------------------


def publish_before_hashing(service: Any) -> None:
    """A store that writes a blob in its place instead of renaming it there whole."""

    def put_file(path: Path, *, digest: str | None = None, progress: object = None) -> BlobInfo:
        data = Path(path).read_bytes()
        known = "sha256:" + hashlib.sha256(data).hexdigest()
        service.blobs.put([b""])  # makes the folders
        place = service.blobs._shelf.path(known.removeprefix("sha256:"))
        half = len(data) // 2
        with place.open("wb", buffering=0) as target:
            target.write(data[:half])
            target.write(data[half:])
        return service.blobs.stat(known)

    service.put_file = put_file


class Blind:
    """A scanner that judges without looking."""

    ruleset = "blind"

    def scan(self, stream: object, *, size: int) -> ScanReport:
        return ScanReport(verdict="clean", ruleset=self.ruleset)

    def recall(self, digest: str) -> None:
        return None


def commit_before_storing(service: Any) -> None:
    """A service whose record is visible before its bytes are there: it takes an announcement for the bytes."""
    announced: dict[str, tuple[Path, BlobInfo]] = {}
    create, stat, location = service.create_version, service.blobs.stat, service.blobs.location

    def put_file(path: Path, *, digest: str | None = None, progress: object = None) -> BlobInfo:
        info = service.blobs.put_file(path)
        service.blobs.delete(info.digest)
        announced[info.digest] = (Path(path), info)
        return info

    def create_version(request: Any) -> Any:
        done = create(request)
        for path, _ in announced.values():
            service.blobs.put_file(path)
        return done

    service.blobs.stat = lambda digest: announced[digest][1] if digest in announced else stat(digest)
    service.blobs.location = lambda digest: announced[digest][0] if digest in announced else location(digest)
    service.scanner = Blind()
    service.put_file, service.create_version = put_file, create_version


def acknowledge_in_spite(service: Any) -> None:
    """A store that takes a failed commit for a done one."""
    commit, get = service.store.commit, service.store.get
    believed: dict[str, ModelVersion] = {}

    def blind(changes: Any) -> None:
        try:
            commit(changes)
        except StorageError:
            found = [p.record for p in changes.puts if isinstance(p.record, ModelVersion)]
            believed.update((v.model_id, v) for v in found)

    service.store.commit = blind
    service.store.get = lambda key: get(key) or believed.get(getattr(key, "model_id", ""))


BROKEN: Mapping[str, Callable[[Any], None]] = {
    "publish_before_hashing": publish_before_hashing,
    "commit_before_storing": commit_before_storing,
    "acknowledge_in_spite": acknowledge_in_spite,
}


def main(order: Mapping[str, Any]) -> None:
    registry = ModelRegistry(order["root"], config=Settings())
    service: Any = registry._service
    if order.get("broken"):
        BROKEN[order["broken"]](service)
    for owner, method, when, nth in order.get("failpoints", ()):
        plant(getattr(service, owner) if owner else service, method, when, nth)
    worker = Worker(registry, Path(order["inputs"]))
    say(begin=True)
    getattr(worker, f"plan_{order['plan']}")(**order.get("with", {}))
    registry.close()
    say(end=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
