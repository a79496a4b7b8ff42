"""Which archived versions are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.records import ModelStage, ModelVersion
from modelyard.domain.retention import Retention, due

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGES = st.integers(0, 100)


def archived(number: int, days: float, name: str = "fraud", **facts: Any) -> ModelVersion:
    return ModelVersion(
        **{
            "model_id": f"{name}-{number:03d}",
            "name": name,
            "number": number,
            "version": f"0.1.{number}",
            "created_at": NOW - timedelta(days=365),
            "created_by": "ann",
            "stage": ModelStage.ARCHIVED,
            "staged_at": NOW - timedelta(days=days),
            **facts,
        }
    )


def ids(versions: list[ModelVersion]) -> list[str]:
    return [version.model_id for version in versions]


def test_a_version_is_due_when_its_days_are_full_and_not_before() -> None:
    versions = [archived(1, 30), archived(2, 29.999), archived(3, 40)]
    assert ids(due(versions, Retention(archived_days=30), NOW)) == ["fraud-003", "fraud-001"]


def test_nothing_is_due_where_archives_are_kept_for_ever() -> None:
    assert due([archived(1, 10_000)], Retention(archived_days=None), NOW) == []


def test_the_last_ones_of_each_model_stay_whatever_their_age() -> None:
    versions = [archived(n, 90, name) for name in ("a", "b") for n in (1, 2, 3)]
    assert ids(due(versions, Retention(keep_last=2), NOW)) == ["a-001", "b-001"]


def test_living_deleted_held_and_named_versions_are_left_alone() -> None:
    versions = [
        archived(1, 90, stage=ModelStage.DEPRECATED),
        archived(2, 90, deleted_at=NOW),
        archived(3, 90, legal_hold="case 7"),
        archived(4, 90, aliases=("fallback",)),
        archived(5, 90),
    ]
    assert ids(due(versions, Retention(), NOW)) == ["fraud-005"]


def test_without_a_time_of_archiving_the_registration_counts() -> None:
    assert ids(due([archived(1, 0, staged_at=None)], Retention(), NOW)) == ["fraud-001"]


def test_an_absurdly_long_retention_is_simply_long() -> None:
    assert due([archived(1, 90)], Retention(archived_days=10**12), NOW) == []


@given(st.lists(AGES, max_size=8), AGES, AGES, st.integers(0, 4))
def test_a_longer_retention_never_removes_more(ages: list[int], days: int, more: int, keep: int) -> None:
    versions = [archived(n, age) for n, age in enumerate(ages)]
    short = ids(due(versions, Retention(archived_days=days, keep_last=keep), NOW))
    longer = ids(due(versions, Retention(archived_days=days + more, keep_last=keep + 1), NOW))
    assert set(longer) <= set(short)
    assert len(versions) - len(short) >= min(keep, len(versions))
