"""What a chain of events proves: one model's history replayed, and its records held against it.

Records say what holds now, events say how it came to be. Where they differ, somebody wrote a record without deciding.

Covered: the pointers, their protection and the rules; the model's description, tags and creator; of each version its
registration (number, label, identifier, digest, the reason given with it, aliases), stage, deletion, collection, legal
hold, successor, mark of a rollback, load check and checks; and every metric, tag, attribute, description and card, from
registration on.

Not covered, because no event holds it: sample size, deviation, data set digest, author and time of a metric; evidence,
author and time of a check; time and author of an alias; notes on a registration; what a file's scan says. Frozen facts
are proven by the digest (``domain.manifest``), not here. Nor does a chain prove that its events happened: who makes a
whole new chain up is found out only by comparing its head with a copy kept elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from modelyard.domain import lineage, metrics, policy, versioning
from modelyard.domain.canonical import canonical
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.pointers import TRACKED
from modelyard.domain.records import Event, Model, ModelStage, ModelVersion

BLANK: Final[Mapping[str, Any]] = {
    "deleted_at": None,
    "collected_at": None,
    "legal_hold": "",
    "withdrawn": None,
    "successor": None,
    "rolled_back_at": None,
    "load_check": None,
}
"""Facts that no registration sets: a value needs an event."""

_VERSION = re.compile(r"version:([1-9][0-9]{0,14})(?:\.(.+))?", re.ASCII | re.DOTALL)
_IDENTITY = ("model_id", "version", "digest", "override_reason")
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is left of a history when each fact has its last value.

    Attributes:
        aliases: Alias -> number, removed ones left out. ``protected`` are those that are.
        holders: Stage -> numbers, stages that nobody holds left out.
        experiments: Running experiment -> numbers it needs.
        registered: Number -> ``model_id``, ``version``, ``digest`` and ``override_reason`` as registered.
        facts: Number -> path such as ``stage`` or ``tags.team`` -> last value.
        model: The same for the model itself: ``description``, ``tags.team``, ``policy``.
        odd: The first entry that no registry writes, or nothing.
        first: Who wrote the first event, or nothing.
        last: Time of the last event, or nothing.
    """

    aliases: dict[str, int] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    holders: dict[str, tuple[int, ...]] = field(default_factory=dict)
    experiments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    registered: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    last: list[datetime] = field(default_factory=list)

    def of(self, number: int) -> dict[str, Any]:
        """Facts of one version."""
        return self.facts.get(number, {})


def replay(log: Iterable[Event]) -> Proof:
    """Take a model's events, oldest first, to what they prove. Whether the chain holds is not asked here."""
    proof = Proof()
    for event in log:
        proof.first[:] = proof.first or [event.actor]
        proof.last[:] = [event.at]
        for key, value in event.after.items():
            if not _apply(proof, event, key, value) and not proof.odd:
                proof.odd.append(f"event {event.sequence} sets {key!r:.80} to {value!r:.80}")
    return proof


def _apply(proof: Proof, event: Event, key: str, value: Any) -> bool:
    """Take one entry of a diff; ``False`` if no registry writes such a one."""
    kind, _, name = key.partition(":")
    if kind == "alias" and name:
        return _point(proof, name, value)
    if kind == "stage" and name:
        return _hold(proof.holders, name, value)
    if kind == "experiment" and name:
        return _hold(proof.experiments, name, [] if value is None else value)
    if kind == "protection" and name:
        (proof.protected.add if value is True else proof.protected.discard)(name)
    elif kind == "version" and name:
        return _version(proof, event, key, value)
    elif key == "load_check":
        return _version(proof, event, f"{event.subject}.load_check", value)
    elif key in ("description", "policy") or key.startswith("tags."):
        proof.model[key] = value
    return True


def _point(proof: Proof, alias: str, value: Any) -> bool:
    if value is None:
        proof.aliases.pop(alias, None)
        proof.protected.discard(alias)
    elif _is_number(value):
        proof.aliases[alias] = value
    return value is None or _is_number(value)


def _hold(holders: dict[str, tuple[int, ...]], stage: str, value: Any) -> bool:
    if not isinstance(value, list | tuple) or not all(map(_is_number, value)):
        return False
    holders.pop(stage, None)
    if value:
        holders[stage] = tuple(value)
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _version(proof: Proof, event: Event, key: str, value: Any) -> bool:
    found = _VERSION.fullmatch(key)
    if found is None:
        return False
    number, path = int(found[1]), found[2]
    if path is not None:
        proof.facts.setdefault(number, {})[path] = value
        return True
    if not isinstance(value, Mapping) or number in proof.registered:
        return False
    proof.registered[number] = {**value, "override_reason": event.reason}
    return True


# --- records held against it --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """What one pass over the versions leaves for the questions about all of them together."""

    numbers: dict[int, ModelStage | None] = field(default_factory=dict)
    best: tuple[str, str | None] = ("", None)
    twice: list[int] = field(default_factory=list)

    def add(self, version: ModelVersion) -> None:
        """Note a version: its stage, or nothing if it is deleted; and whether ``latest`` would mean it."""
        if version.number in self.numbers:
            self.twice.append(version.number)
        self.numbers[version.number] = None if version.deleted else version.stage
        if not version.deleted and version.stage is not ModelStage.ARCHIVED:
            rank = versioning.rank(version.version, version.number)
            self.best = max(self.best, (rank, version.model_id), key=lambda pair: pair[0])


def differences(model: Model, versions: Iterable[ModelVersion], log: Iterable[Event]) -> Iterator[str]:
    """Where a model's records do not follow from its events, one line each; nothing if they do.

    Args:
        model: The model's record.
        versions: Records of all its versions, deleted ones included; read once.
        log: Its events, oldest first; read once.
    """
    proof = replay(log)
    yield from proof.odd
    seen = _Seen()
    for version in versions:
        seen.add(version)
        yield from _of_version(version, proof)
    yield from _numbers(model, seen, proof)
    yield from _pointers(model, seen, proof)
    yield from _of_model(model, proof)


def _numbers(model: Model, seen: _Seen, proof: Proof) -> Iterator[str]:
    """Numbers 1 to ``last_number``, each there exactly once and registered."""
    for number in seen.twice:
        yield f"#{number} is there twice"
    if missing := sorted(proof.registered.keys() - seen.numbers.keys()):
        yield f"#{missing[0]} was registered and is not there"
    if unknown := sorted(proof.facts.keys() - proof.registered.keys()):
        yield f"#{unknown[0]} was changed and never registered"
    if sorted(proof.registered) != list(range(1, len(proof.registered) + 1)):
        yield "registered numbers are not 1, 2, 3 without a gap"
    if model.last_number != len(proof.registered):
        yield _said("the last number", model.last_number, len(proof.registered))


def _of_version(version: ModelVersion, proof: Proof) -> Iterator[str]:
    where = f"#{version.number}"
    identity = proof.registered.get(version.number)
    if identity is None:
        yield f"{where} is there and was never registered"
        return
    facts = {**BLANK, **proof.of(version.number)}
    for name in _IDENTITY:
        if getattr(version, name) != identity.get(name):
            yield _said(f"{name} of {where}", getattr(version, name), identity.get(name))
    named = sorted(alias for alias, number in proof.aliases.items() if number == version.number)
    if sorted(version.aliases) != named:
        yield _said(f"aliases of {where}", sorted(version.aliases), named)
    if extra := _paths(version) - facts.keys():
        yield f"{min(extra)} of {where} is there and was never recorded"
    for path, value in facts.items():
        found = _values(version, path)
        if found and not any(_alike(item, value) for item in found):
            yield _said(f"{path} of {where}", found[-1], value)
    if "stage" not in facts:
        yield f"{where} never got a stage"


def _paths(version: ModelVersion) -> set[str]:
    """What a version has of facts that may change, as paths of an event."""
    keyed = {f"{fact}.{key}" for fact in ("checks", "tags", "attributes") for key in getattr(version, fact)}
    measured = {f"metrics.{metrics.qualified(m)}" for m in version.metrics}
    linked = {f"links.{lineage.spelled(edge)}" for edge in version.links}
    return keyed | measured | linked | {fact for fact in ("description", "card") if getattr(version, fact)}


def _values(version: ModelVersion, path: str) -> list[Any]:
    """What a record says under a path of an event; nothing if it has no such fact.

    Metrics may give several: two places can be written alike, as data set ``test`` and split ``test`` are.
    """
    name, _, key = path.partition(".")
    if name == "metrics":
        latest = metrics.latest(version.metrics).values()
        return [m.value for m in latest if metrics.qualified(m) == key] or [None]
    if name == "checks":
        return [version.checks[key].passed if key in version.checks else None]
    if name == "links":
        return [lineage.details_in(version.links, key)]
    if name in ("tags", "attributes"):
        return [getattr(version, name).get(key)]
    known = name in ModelVersion.__slots__ and not key
    return [getattr(version, name)] if known else []


def _pointers(model: Model, seen: _Seen, proof: Proof) -> Iterator[str]:
    yield from _aliases(model, seen, proof)
    yield from _holders(model, seen, proof)
    rank, latest = seen.best
    if (model.latest, model.latest_rank) != (latest, rank):
        yield _said("latest", model.latest, latest)


def _aliases(model: Model, seen: _Seen, proof: Proof) -> Iterator[str]:
    here = {name: alias.number for name, alias in model.aliases.items()}
    if here != proof.aliases:
        yield _said("the aliases", here, proof.aliases)
    protected = {name for name, alias in model.aliases.items() if alias.protected}
    if protected != proof.protected:
        yield _said("the protected aliases", sorted(protected), sorted(proof.protected))
    for name, alias in model.aliases.items():
        if alias.name != name or alias.model_id != proof.registered.get(alias.number, {}).get("model_id"):
            yield f"alias {name!r} names another version than #{alias.number}"
        if seen.numbers.get(alias.number) is None:
            yield f"alias {name!r} names #{alias.number}, which is not there or deleted"


def _holders(model: Model, seen: _Seen, proof: Proof) -> Iterator[str]:
    holders = {stage: tuple(numbers) for stage, numbers in model.holders.items()}
    if holders != proof.holders:
        yield _said("the holders", holders, proof.holders)
    running = {name: tuple(numbers) for name, numbers in model.experiments.items()}
    if running != proof.experiments:
        yield _said("the running experiments", running, proof.experiments)
    for stage in TRACKED:
        standing = [number for number, now in seen.numbers.items() if now is stage]
        if sorted(standing) != sorted(holders.get(stage.value, ())):
            yield _said(f"the holders of {stage.value}", holders.get(stage.value, ()), standing)


def _of_model(model: Model, proof: Proof) -> Iterator[str]:
    if not _alike(policy.to_mapping(model.policy), _rules(proof.model.get("policy", _ABSENT))):
        yield "the policy is not the one last set"
    if proof.first not in ([], [model.created_by]):
        yield _said("who created the model", model.created_by, proof.first[0])
    last = proof.last[0] if proof.last else None
    if model.head_at != last:
        yield _said("the time of the last event", model.head_at, last)
    if model.description != proof.model.get("description", ""):
        yield _said("the model's description", model.description, proof.model.get("description", ""))
    tags = {path.removeprefix("tags."): v for path, v in proof.model.items() if path.startswith("tags.")}
    if dict(model.tags) != (kept := {key: value for key, value in tags.items() if value is not None}):
        yield _said("the model's tags", dict(model.tags), kept)


def _rules(given: Any) -> dict[str, Any] | None:
    """The policy an event set, in full; the default where none did; ``None`` for what is no policy."""
    try:
        return policy.to_mapping(policy.DEFAULT if given is _ABSENT else policy.from_mapping(given))
    except InvalidInput:
        return None


def _alike(one: Any, other: Any) -> bool:
    """Equal as JSON: records hold times, enums and NaN, events hold what those are written as."""
    return canonical(one) == canonical(other)


def _said(what: str, record: Any, history: Any) -> str:
    return f"{what}: its record says {record!s:.120}, its events say {history!s:.120}"
