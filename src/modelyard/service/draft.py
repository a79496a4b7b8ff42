"""What a decision wants to write, collected while it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelyard.domain import events
from modelyard.domain.records import EMPTY, Event, Model, ModelVersion
from modelyard.ports.metadata import Changes, Drop, Guard, Put, Record

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


class Again(Exception):
    """Raised inside a decision that cannot be made this moment; the text says what it waits for."""


@dataclass(slots=True)
class Draft:
    """One commit in the making: each record once, with the revision it was read at."""

    records: list[Put] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)

    def put(self, record: Record) -> None:
        """Write a record whose ``revision`` is already one higher than what was read."""
        self.records.append(Put(record=record, expected=record.revision - 1))

    def changes(self) -> Changes:
        return Changes(
            puts=tuple(self.records),
            drops=tuple(self.drops),
            guards=tuple(self.guards),
            events=tuple(self.log),
        )


def change(
    service: LocalService,
    model: Model,
    versions: tuple[ModelVersion, ...],
    *,
    action: str,
    subject: str,
    before: Mapping[str, Any] = EMPTY,
    after: Mapping[str, Any] = EMPTY,
    reason: str = "",
) -> tuple[Model, tuple[ModelVersion, ...], Draft]:
    """The one shape of every change: a model (with its new chain head), the versions it touches, one event.

    ``versions`` come as they are to be, with the revision they were read at.
    """
    draft = Draft()
    model, event = events.append(
        model,
        now=service.clock.now(),
        actor=service.actor,
        action=action,
        subject=subject,
        before=before,
        after=after,
        reason=reason,
    )
    written = tuple(replace(v, revision=v.revision + 1, updated_at=event.at) for v in versions)
    draft.put(model)
    for version in written:
        draft.put(version)
    draft.log.append(event)
    return model, written, draft


def touched(version: ModelVersion) -> str:
    """How events name a version: ``version:7``."""
    return f"version:{version.number}"
