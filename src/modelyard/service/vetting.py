"""Judging a bundle before anything of it is written: chains, records, digests, and what is here under the same ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.domain import events as chains
from modelyard.domain import manifest, replay
from modelyard.domain import names as domain_names
from modelyard.domain.errors import AuditBroken, IntegrityError
from modelyard.domain.experiments import Experiment
from modelyard.domain.records import Event, Model, ModelVersion
from modelyard.ports.metadata import VersionKey
from modelyard.ports.service import Bundle
from modelyard.service import blobs, vetting_besides
from modelyard.service.lineage import refuse_cycles

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


@dataclass(slots=True)
class Part:
    """What a bundle says of one model."""

    model: Model
    versions: list[ModelVersion] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)
    trials: list[Experiment] = field(default_factory=list)


def parts_of(service: LocalService, bundle: Bundle) -> list[Part]:
    """The bundle by model, once everything about it has been found right that can be judged without its bytes.

    Raises:
        AuditBroken: A chain does not hold.
        IntegrityError: A record does not follow from its model's events, or a version from its digest.
    """
    parts = _parts(bundle)
    for part in parts:
        _verify(part)
        for version in part.versions:
            same(service.store.get(VersionKey(version.model_id)), version)
    refuse_cycles(service, bundle.versions)
    vetting_besides.verify(bundle)
    return parts


def _parts(bundle: Bundle) -> list[Part]:
    """The bundle by model; each model once, and nothing without its model."""
    for key, times in Counter(model.key for model in bundle.models).items():
        if times > 1:
            raise IntegrityError(f"the bundle has the model {key!r} {times} times; nothing was imported")
    parts: dict[str, Part] = {model.name: Part(model) for model in bundle.models}
    for name in (*(v.name for v in bundle.versions), *(e.model for e in bundle.events)):
        if name not in parts:
            raise IntegrityError(
                f"the bundle has versions or events of {name!r}, but not that model; nothing was imported"
            )
    for version in bundle.versions:
        parts[version.name].versions.append(version)
    for event in bundle.events:
        parts[event.model].log.append(event)
    return list(parts.values())


def _verify(part: Part) -> None:
    """The chain holds, every record follows from it, every version from its digest."""
    model, log = part.model, part.log
    broken = _first_break(log)
    if broken is None and (log[-1].hash if log else "", len(log)) != (model.head, model.sequence):
        broken = (len(log) + 1, "the chain does not end at the model's head")
    if broken is not None:
        raise AuditBroken(
            f"the bundle's history of {model.name!r} is broken at event {broken[0]}: {broken[1]}; nothing was imported",
            data={"model": model.name, "sequence": broken[0]},
        )
    if domain_names.fold(domain_names.check_model_name(model.name)) != model.key:
        raise IntegrityError(f"the bundle's {model.name!r} does not match its own key; nothing was imported")
    for version in part.versions:
        _verify_version(version)
    for difference in replay.differences(model, part.versions, log):
        raise IntegrityError(
            f"the bundle's records of {model.name!r} do not follow from its history: {difference}; "
            "nothing was imported: export it again where it comes from"
        )


def _first_break(log: Sequence[Event]) -> tuple[int, str] | None:
    """As the domain finds it; text that has no bytes, such as half a surrogate pair, has no hash either."""
    try:
        return chains.first_break(log)
    except ValueError as error:
        return 1, f"an event cannot be hashed ({error})"


def _verify_version(version: ModelVersion) -> None:
    domain_names.check_label(version.version)
    domain_names.check_paths(domain_names.check_path(entry.path) for entry in version.files)
    for entry in version.files:
        domain_names.check_digest(entry.digest)
    contents = manifest.content_digest(version.files)
    if (manifest.build(version).digest, contents) != (version.digest, version.content_digest):
        raise IntegrityError(
            f"the bundle's {version.name}:{version.version} does not match its own digest; nothing was imported"
        )


def same(here: ModelVersion | None, version: ModelVersion) -> ModelVersion | None:
    """What is here under the same ``model_id`` must be the same version: a bundle overwrites nothing else."""
    if here is not None and here.digest != version.digest:
        raise IntegrityError(
            f"the bundle's {version.name}:{version.version} has the model_id of {here.name}:{here.version}, "
            "which is another version; its model was not imported"
        )
    return here


def require_bytes(service: LocalService, part: Part) -> None:
    """Bytes that are missing are found before another model is written."""
    for version in part.versions:
        for entry in version.files if version.collected_at is None else ():
            blobs.look_at(service.blobs, entry)
