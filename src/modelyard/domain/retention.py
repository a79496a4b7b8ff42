"""How long archived versions are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import ModelStage, ModelVersion

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a policy grants archived versions.

    Attributes:
        archived_days: Days from the moment of archiving; ``None`` keeps them for ever.
        keep_last: How many archived versions of each model stay whatever their age, the highest numbers
            first.
    """

    archived_days: int | None = 30
    keep_last: int = 0


def due(versions: Iterable[ModelVersion], retention: Retention, at: datetime) -> list[ModelVersion]:
    """The archived versions whose time is over.

    Deleted versions are past deciding. What an alias names or a legal hold covers is left alone; other
    protections need the whole registry to judge, and are the caller's part.

    Args:
        versions: Any versions, of one model or of several.
        retention: How long and how many.
        at: The moment that is judged, timezone-aware.

    Returns:
        Those archived longest ago first.
    """
    if retention.archived_days is None:
        return []
    archived: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in versions:
        if version.stage is ModelStage.ARCHIVED and not version.deleted:
            archived[version.name].append(version)
    beyond = (v for group in archived.values() for v in _oldest(group, retention.keep_last))
    days = retention.archived_days
    found = [v for v in beyond if (at - archived_at(v)) / _DAY >= days and not v.aliases and not v.legal_hold]
    return sorted(found, key=lambda v: (archived_at(v), v.model_id))


def _oldest(versions: list[ModelVersion], keep_last: int) -> list[ModelVersion]:
    return sorted(versions, key=lambda v: v.number, reverse=True)[keep_last:]


def archived_at(version: ModelVersion) -> datetime:
    """When the version entered its present stage, as far as recorded."""
    return version.staged_at or version.created_at
