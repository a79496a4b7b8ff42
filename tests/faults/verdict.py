"""What must hold after any fault, judged by means of its own where it can: files are hashed here, not asked about."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard import ModelRegistry
from modelyard.domain.errors import ModelyardError
from modelyard.domain.events import moves
from modelyard.domain.records import Model, ModelVersion
from modelyard.settings import Settings

Ack = Mapping[str, Any]


def sound(root: Path, lines: Iterable[Ack], *, works: bool = True) -> list[str]:
    """Everything that is wrong with the registry in ``root``; empty if all promises were kept.

    Acknowledged versions are there and have their bytes; every visible version does; every acknowledged change is in
    the history; pointers say what the history says last; collection leaves nothing that no version names; the deep
    check and the audit find nothing; and the registry goes on working.

    Args:
        root: Folder of the registry. Collected with no grace, and one version is registered, so it changes.
        lines: What the workers said, in the order of each.
        works: Whether to write into it too.
    """
    said = list(lines)
    with ModelRegistry(root, config=Settings()) as registry:
        steps: list[Callable[[], Iterable[str]]] = [
            lambda: _acknowledged(registry, said),
            lambda: _history(registry, said),
            lambda: _whole(registry, root),
            lambda: _pointers(registry),
            lambda: _checked(registry),
        ]
        if works:
            steps += [
                lambda: _goes_on(registry),
                lambda: _collected(registry, root),
                lambda: _checked(registry),
                lambda: _acknowledged(registry, said),
            ]
        return [complaint for step in steps for complaint in _caught(step)]


def _caught(step: Callable[[], Iterable[str]]) -> Iterator[str]:
    try:
        yield from step()
    except ModelyardError as error:
        yield f"{type(error).__name__}: {error.detail}"


def _acknowledged(registry: ModelRegistry, said: Sequence[Ack]) -> Iterator[str]:
    hidden = {line["model_id"] for line in said if line.get("intent") == "delete"}
    for line in said:
        if line.get("did") == "register" and line["model_id"] not in hidden:
            found = registry.get_model(line["model_id"])
            if found.digest != line["digest"]:
                yield f"acknowledged {line['model_id']} has digest {found.digest}, not {line['digest']}"
            if {f.path: f.digest for f in found.files} != dict(line["files"]):
                yield f"acknowledged {line['model_id']} names other bytes than were given"
    visible = {v.model_id for v in registry.list_models()}
    for line in said:
        if line.get("did") == "delete" and line["model_id"] in visible:
            yield f"{line['model_id']} is visible although its deletion was acknowledged"


def _history(registry: ModelRegistry, said: Sequence[Ack]) -> Iterator[str]:
    for chain in {line["chain"] for line in said if "chain" in line}:
        known = {e.sequence: e.hash for e in registry.history(chain)}
        for line in said:
            if line.get("chain") == chain and known.get(line["sequence"]) != line["hash"]:
                yield f"acknowledged {line['did']} (event {line['sequence']} of {chain!r}) is not in the history"


def _whole(registry: ModelRegistry, root: Path) -> Iterator[str]:
    """Every visible version downloads as its digests say, and every stored file is what it is called."""
    for version in registry.list_models():
        yield from _downloads(registry, version)
    for path in stored(root):
        if (found := _sha256(path)) != path.name:
            yield f"stored bytes {path.name} are {found}"


def _downloads(registry: ModelRegistry, version: ModelVersion) -> Iterator[str]:
    if not version.files:
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = registry.download(version.model_id, Path(scratch) / "copy")
        for entry in version.files:
            if f"sha256:{_sha256(folder / entry.path)}" != entry.digest:
                yield f"{version.name}:{version.version}/{entry.path} downloads as other bytes"


def _pointers(registry: ModelRegistry) -> Iterator[str]:
    """The last word of the history on each pointer is what the model's record says."""
    for model in registry.iterate_models():
        told: dict[str, int | None] = {}
        for event in registry.history(model.name, newest_first=False):
            told.update((move.pointer, move.number) for move in moves(event))
        now = _now(model)
        for pointer in told.keys() | now.keys():
            if told.get(pointer) != now.get(pointer):
                yield f"{model.name} {pointer}: the history says {told.get(pointer)}, the record {now.get(pointer)}"


def _now(model: Model) -> dict[str, int]:
    aliases = {f"alias:{alias.name}": alias.number for alias in model.aliases.values()}
    return aliases | {f"stage:{stage}": held[-1] for stage, held in model.holders.items() if held}


def _checked(registry: ModelRegistry) -> Iterator[str]:
    yield from (f"fsck: {f.kind} {f.subject}: {f.detail}" for f in registry.fsck(deep=True).findings)
    yield from (f"audit: {broken}" for broken in registry.verify_audit().breaks)


def _goes_on(registry: ModelRegistry) -> Iterator[str]:
    """The next team registers, promotes and loads as if nothing had happened."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "sign-of-life.bin"
        source.write_bytes(b"alive")
        made = registry.register_model(source, "sign of life")
        registry.promote_model(made, "staging")
        if registry.get_model("sign of life@staging").model_id != made:
            yield "a new version does not take its stage"


def _collected(registry: ModelRegistry, root: Path) -> Iterator[str]:
    """After one collection without grace nothing is left that no version names."""
    registry.gc(dry_run=False, grace_days=0)
    everyone = registry.list_models(include_deleted=True)
    named = {f.digest.removeprefix("sha256:") for v in everyone if v.collected_at is None for f in v.files}
    if left := {p.name for p in stored(root)} - named:
        yield f"after collection {len(left)} stored files are named by no version"
    if lost := named - {p.name for p in stored(root)}:
        yield f"after collection the bytes {sorted(lost)} are gone"
    for folder in ("tmp", "quarantine"):
        if left := {p.name for p in (root / folder).glob("*")}:
            yield f"after collection {folder} holds {sorted(left)}"
    if again := registry.gc(dry_run=True, grace_days=0).blobs:
        yield f"a second collection would free {again}"


def stored(root: Path) -> list[Path]:
    """Every file of the blob store, whatever it is called."""
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
