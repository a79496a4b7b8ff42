"""The event chain: how a change is written down so that nobody can rewrite it unseen, and what follows from it.

Each model has a chain, the registry has one more (``model=""``). An event's ``hash`` covers every other field,
``previous_hash`` included; the first one's ``previous_hash`` is 64 zeros. Order comes from ``sequence``; ``at`` never
goes back within a chain, so that "what held at that instant" has one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from modelyard.domain.canonical import fingerprint, plain
from modelyard.domain.records import EMPTY, Actor, Event, Model, Move, Registry

GENESIS = "0" * 64
POINTERS = ("alias:", "stage:")
EXPERIMENT = "experiment:"
_NUMBERED = (*POINTERS, EXPERIMENT)
"""What holds numbers of versions."""
_TICK = timedelta(microseconds=1)

Head = TypeVar("Head", Model, Registry)


def event_hash(event: Event) -> str:
    """64 hex digits over the canonical JSON of everything but ``hash`` itself."""
    return _hash({name: getattr(event, name) for name in Event.__slots__ if name != "hash"})


def _hash(body: Mapping[str, Any]) -> str:
    return fingerprint(body).removeprefix("sha256:")


def append(
    head: Head,
    *,
    now: datetime,
    actor: Actor,
    action: str,
    subject: str,
    before: Mapping[str, Any] = EMPTY,
    after: Mapping[str, Any] = EMPTY,
    reason: str = "",
    request_id: str = "",
) -> tuple[Head, Event]:
    """The next event of a chain, and the record that carries the chain's new head (``revision`` one higher)."""
    at = now if head.head_at is None else max(now, head.head_at + _TICK)
    body: dict[str, Any] = {
        "model": head.name if isinstance(head, Model) else "",
        "sequence": head.sequence + 1,
        "at": at,
        "actor": actor.name,
        "action": action,
        "subject": subject,
        "before": plain(before),
        "after": plain(after),
        "reason": reason,
        "request_id": request_id,
        "previous_hash": head.head or GENESIS,
    }
    event = Event(**body, hash=_hash(body))
    moved: dict[str, Any] = {"sequence": event.sequence, "head": event.hash, "head_at": at}
    if isinstance(head, Model):
        moved["updated_at"] = at
    return replace(head, **moved, revision=head.revision + 1), event


def moves(event: Event) -> tuple[Move, ...]:
    """Pointer movements an event records: its ``after`` keys that begin ``alias:`` or ``stage:``."""
    return tuple(
        Move(
            model=event.model,
            pointer=pointer,
            sequence=event.sequence,
            at=event.at,
            number=_holder(value),
            actor=event.actor,
            action=event.action,
            reason=event.reason,
        )
        for pointer, value in event.after.items()
        if pointer.startswith(POINTERS)
    )


def subjects(event: Event) -> tuple[str, ...]:
    """Everything an event is about, its own subject first: versions it changed or that a pointer left or reached,
    and the pointers themselves. A version's history is made of these.
    """
    found = dict.fromkeys((event.subject,))
    for path, value in (*event.before.items(), *event.after.items()):
        thing = path.partition(".")[0]
        if thing.startswith(_NUMBERED):
            numbers = value if isinstance(value, list | tuple) else (value,)
            found |= dict.fromkeys(
                (thing, *(f"version:{number}" for number in numbers if number is not None))
            )
        elif thing.startswith("version:"):
            found[thing] = None
    return tuple(found)


def _holder(value: Any) -> int | None:
    """The number a pointer names: stages hold lists, of which the last came last."""
    if isinstance(value, list | tuple):
        return int(value[-1]) if value else None
    return None if value is None else int(value)


def first_break(events: Iterable[Event]) -> tuple[int, str] | None:
    """Where a chain, read from its first event, stops holding: ``(sequence, why)``, or ``None``."""
    previous, expected = GENESIS, 1
    for event in events:
        if event.sequence != expected:
            return expected, f"expected event {expected}, found {event.sequence}"
        if event.previous_hash != previous:
            return event.sequence, "does not follow from the event before it"
        if event.hash != event_hash(event):
            return event.sequence, "its content does not match its hash"
        previous, expected = event.hash, expected + 1
    return None
