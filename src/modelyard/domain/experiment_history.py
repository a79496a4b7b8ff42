"""What a model's events say of an experiment, and whether its record says the same.

An experiment begins and ends with an event; time and author of both are those of the event. It ends by being stopped,
or with the deletion of a version that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from modelyard.domain.canonical import canonical
from modelyard.domain.events import EXPERIMENT
from modelyard.domain.experiments import Experiment
from modelyard.domain.records import Event

STARTED: Final = "experiment.started"
STOPPED: Final = "experiment.stopped"

CONFIGURATION: Final = (
    "name",
    "identity",
    "variants",
    "metric",
    "kind",
    "higher_is_better",
    "guardrails",
    "minimum_sample",
    "alpha",
)


def subject(experiment_id: str) -> str:
    """How events name an experiment."""
    return f"{EXPERIMENT}{experiment_id}"


def configuration(experiment: Experiment) -> dict[str, Any]:
    """What the history keeps of an experiment: all of its record that never changes."""
    return {name: getattr(experiment, name) for name in CONFIGURATION}


def begun(experiment: Experiment, event: Event) -> Experiment:
    """The experiment as its first event began it."""
    return replace(experiment, created_at=event.at, created_by=event.actor)


def ended(experiment: Experiment, event: Event) -> Experiment:
    """The experiment as an event ends it."""
    facts = event.after.get("experiment") or {}
    return replace(
        experiment,
        stopped_at=event.at,
        stopped_by=event.actor,
        reason=event.reason,
        winner=facts.get("winner") or "",
    )


def problem(experiment: Experiment, log: Iterable[Event]) -> str | None:
    """Why the record does not follow from its model's events, or ``None``.

    Args:
        experiment: The record.
        log: Events of its model, oldest first; those of other things do not matter.
    """
    key = subject(experiment.experiment_id)
    said = [event for event in log if key in event.after]
    if not said or said[0].action != STARTED:
        return "its beginning is in no event"
    first, *rest = said
    if canonical(first.after.get("experiment")) != canonical(configuration(experiment)):
        return "it began with other arguments"
    if begun(experiment, first) != experiment:
        return f"it was begun by {first.actor} at {first.at}"
    end = next((event for event in rest if event.after[key] is None), None)
    if end is None:
        blank = (None, "", "", "")
        left = (experiment.stopped_at, experiment.stopped_by, experiment.reason, experiment.winner)
        return None if left == blank else "no event ends it"
    return None if ended(experiment, end) == experiment else f"it ended at {end.at} in another way"
