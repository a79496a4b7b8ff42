"""Whether everything that callers were promised is so, asked of the registry itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modelyard import ModelRegistry
from modelyard.domain.errors import BlobNotFound
from modelyard.domain.events import moves as moved
from modelyard.domain.records import ModelVersion

from .load import MODELS, Said


def broken(registry: ModelRegistry, said: Said) -> list[str]:
    """Every promise that was broken, and whatever is damaged; empty if all is well."""
    everything = list(registry.list_models(include_deleted=True))
    return [
        *said.wrong,
        *_versions(said, everything),
        *_numbers(everything),
        *_changes(registry, said),
        *_bytes(registry, everything),
        *(f"fsck: {f.kind} {f.subject}: {f.detail}" for f in registry.fsck(deep=True).findings),
        *(f"audit: {line}" for line in registry.verify_audit().breaks),
    ]


def _versions(said: Said, everything: list[ModelVersion]) -> Iterator[str]:
    """What was acknowledged is there as it was told; what was asked for once was made once at most."""
    found = {version.model_id: version for version in everything}
    for told in said.registered:
        version = found.get(told.model_id)
        if version is None or (version.number, version.digest) != (told.number, told.digest):
            yield f"acknowledged {told.name} #{told.number} is {version}"
    made = Counter(version.tags["intent"] for version in everything)
    yield from (f"{intent} was registered {times} times" for intent, times in made.items() if times > 1)


def _numbers(everything: list[ModelVersion]) -> Iterator[str]:
    for model in MODELS:
        numbers = sorted(version.number for version in everything if version.name == model)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{model} has the numbers {numbers}"


def _changes(registry: ModelRegistry, said: Said) -> Iterator[str]:
    """Each acknowledged change is in the history of its model; no change is there twice.

    An alias that was there already is not moved again, so then somebody else's move is looked for.
    """
    for model in MODELS:
        events = registry.history(model)
        known = {(move.pointer, move.number) for event in events for move in moved(event)}
        reasons = Counter(event.reason for event in events if event.reason)
        yield from (f"{model}: {reason} took effect {n} times" for reason, n in reasons.items() if n > 1)
        for name, reason in said.changed:
            if name == model and not reasons[reason]:
                yield f"{model}: the acknowledged change {reason} is not in the history"
        for name, reason, pointer, number in said.pointed:
            if name == model and not reasons[reason] and (pointer, number) not in known:
                yield f"{model}: {pointer} never was at {number}, which was acknowledged"


def _bytes(registry: ModelRegistry, everything: list[ModelVersion]) -> Iterator[str]:
    """Every version that can be seen can be read; reading a whole blob verifies it."""
    for version in everything:
        if version.deleted:
            continue
        for entry in version.files:
            try:
                for _ in registry._service.open_blob(entry.digest):
                    pass
            except BlobNotFound:
                yield f"{version.name} #{version.number} has lost {entry.digest}"
