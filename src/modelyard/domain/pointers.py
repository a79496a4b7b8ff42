"""Moving versions between stages and aliases between versions, as one diff over a model and its versions.

Purely: a ``Board`` is laid out from what was read, moves are made on it, and its diff is what gets committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import Actor, Alias, Model, ModelStage, ModelVersion, Move

TRACKED: Final = (ModelStage.TESTING, ModelStage.STAGING, ModelStage.PRODUCTION)
"""Stages that are pointers with a history. The others may hold every version a model ever had: a list of them in the
model's record would grow without end, and nobody asks what was *the* archived version last Tuesday."""


ROLLED_BACK: Final = "pointer.rolled_back"
"""The action of a rollback's event."""


@dataclass(slots=True)
class Board:
    """A model and the versions that a decision touches, with the diff so far.

    Attributes:
        model: As it is to be written.
        changed: Number -> version as it is to be written, in the order first touched.
        before, after: The event's diff.
    """

    model: Model
    at: datetime
    actor: Actor
    changed: dict[int, ModelVersion] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def now(self, version: ModelVersion) -> ModelVersion:
        """The version with the changes made so far."""
        return self.changed.get(version.number, version)

    def versions(self) -> tuple[ModelVersion, ...]:
        """Versions to write: those that make room first, so that a stage never has two holders in between."""
        rank = {number: i for i, number in enumerate(self.model.holders.get("production", ()))}
        return tuple(sorted(self.changed.values(), key=lambda v: rank.get(v.number, -1)))

    def facts(self, version: ModelVersion, **facts: Any) -> ModelVersion:
        """Change facts of a version and note each in the diff as ``version:7.<fact>``."""
        current = self.now(version)
        for name, value in facts.items():
            key = f"version:{version.number}.{name}"
            self.before.setdefault(key, getattr(current, name))
            self.after[key] = value
        self.changed[version.number] = replace(current, **facts)
        return self.changed[version.number]

    def stage(self, version: ModelVersion, target: ModelStage, **facts: Any) -> ModelVersion:
        """Move a version to a stage; tracked stages gain and lose it as a holder."""
        source = self.now(version).stage
        moved = self.facts(version, stage=target, **facts)
        self.changed[version.number] = moved = replace(moved, staged_at=self.at)
        self._hold(source, [n for n in self.model.holders.get(source, ()) if n != version.number])
        self._hold(target, [*self.model.holders.get(target, ()), version.number])
        return moved

    def release(self, version: ModelVersion) -> None:
        """Take a version out of the holders of its stage, as when it is deleted."""
        stage = self.now(version).stage
        self._hold(stage, [n for n in self.model.holders.get(stage, ()) if n != version.number])

    def regain(self, version: ModelVersion) -> None:
        """Put a version back among the holders of its stage, as when it is undeleted."""
        stage = self.now(version).stage
        self._hold(stage, [*self.model.holders.get(stage, ()), version.number])

    def _hold(self, stage: ModelStage, numbers: list[int]) -> None:
        if stage not in TRACKED:
            return
        present = self.model.holders.get(stage.value, ())
        if tuple(numbers) == present:
            return
        key = f"stage:{stage.value}"
        self.before.setdefault(key, list(present))
        self.after[key] = numbers
        holders = {**self.model.holders, stage.value: tuple(numbers)}
        self.model = replace(self.model, holders={k: v for k, v in holders.items() if v})

    def alias(self, name: str, version: ModelVersion | None, holder: ModelVersion | None) -> None:
        """Point an alias at ``version`` (``None``: remove it); ``holder`` is the version it points at now."""
        present = self.model.aliases.get(name)
        self.before.setdefault(f"alias:{name}", present.number if present else None)
        self.after[f"alias:{name}"] = version.number if version else None
        if holder is not None:
            left = self.now(holder)
            kept = tuple(a for a in left.aliases if a != name)
            self.changed[holder.number] = replace(left, aliases=kept)
        aliases = {k: v for k, v in self.model.aliases.items() if k != name}
        if version is not None:
            aliases[name] = self._alias(name, version, protected=bool(present and present.protected))
            joined = self.now(version)
            names = tuple(sorted({*joined.aliases, name}))
            self.changed[version.number] = replace(joined, aliases=names)
        self.model = replace(self.model, aliases=aliases)

    def _alias(self, name: str, version: ModelVersion, *, protected: bool) -> Alias:
        return Alias(
            name=name,
            number=version.number,
            model_id=version.model_id,
            protected=protected,
            at=self.at,
            by=self.actor.name,
        )

    def latest(self, version: ModelVersion | None, rank: str) -> None:
        """Say what ``latest`` means from now on."""
        self.model = replace(
            self.model, latest=version.model_id if version else None, latest_rank=rank if version else ""
        )


def left_by_rollback(moves: Iterable[Move]) -> dict[int, datetime]:
    """Numbers that a rollback took a pointer away from, and when; read from its moves, oldest first.

    A later decision for such a number (a promotion, an alias set, a rollback to it) takes it off the list.
    """
    left: dict[int, datetime] = {}
    present: int | None = None
    for move in moves:
        if move.number is not None:
            left.pop(move.number, None)
        if move.action == ROLLED_BACK and present is not None and present != move.number:
            left[present] = move.at
        present = move.number
    return left


def reaches(model: Model, version: ModelVersion) -> tuple[str, ...]:
    """What protects a version: aliases on it, stage ``production``, a stage its policy protects, a legal hold, a
    running experiment.
    """
    found = [f"alias {a.name!r}" for a in model.aliases.values() if a.number == version.number]
    if version.number in model.holders.get(ModelStage.PRODUCTION.value, ()):
        found.append("stage 'production'")
    if version.stage in model.policy.protected_stages:
        found.append(f"stage {version.stage.value!r}, which the policy protects")
    if version.legal_hold:
        found.append(f"legal hold ({version.legal_hold})")
    found += [
        f"running experiment {name}" for name, needed in model.experiments.items() if version.number in needed
    ]
    return tuple(found)


def pointers_of(model: Model) -> Mapping[str, int]:
    """Every pointer of a model and the number it names now."""
    stages = {f"stage:{stage}": numbers[-1] for stage, numbers in model.holders.items() if numbers}
    return {**stages, **{f"alias:{a.name}": a.number for a in model.aliases.values()}}
