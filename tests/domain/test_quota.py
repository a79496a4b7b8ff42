"""So many at once, so many a minute, and memory that does not grow."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import quota
from modelyard.domain.errors import QuotaExceeded
from modelyard.domain.quota import Allowance, Denials, require_room

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_the_burst_and_what_came_back(pauses):
    allowance, now = Allowance(3, 6), NOW
    taken = 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        wait = allowance.take("x", now)
        taken += not wait
        assert 0 <= wait <= 10
        assert taken <= 3 + (now - NOW).total_seconds() / 10 + 1e-6


def test_after_the_time_that_it_says_there_is_one_again():
    allowance = Allowance(1, 6)
    assert allowance.take("x", NOW) == 0
    assert allowance.take("x", NOW) == 10
    assert allowance.take("y", NOW) == 0
    assert allowance.take("x", NOW + timedelta(seconds=10)) == 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing():
    allowance = Allowance(1, 6)
    allowance.take("x", NOW)
    assert allowance.take("x", NOW - timedelta(hours=1)) == 10


def test_a_million_names_take_the_memory_of_ten_thousand(monkeypatch):
    monkeypatch.setattr(quota, "MOST_NAMES", 10)
    allowance = Allowance(1, 1)
    for number in range(100):
        allowance.take(str(number), NOW)
    assert len(allowance._buckets) == 10
    assert allowance.take("99", NOW) > 0
    assert allowance.take("0", NOW) == 0


def test_an_honest_mistake_is_written_down_and_a_flood_is_counted():
    denials = Denials()
    assert [denials.admit("ann", NOW) for _ in range(20)] == [0] * 20
    assert [denials.admit("ann", NOW) for _ in range(1000)] == [None] * 1000
    assert denials.admit("bob", NOW) == 1000
    assert denials.admit("bob", NOW) == 0


def test_a_flood_from_many_callers_is_counted_too():
    denials = Denials()
    written = [denials.admit(f"caller {number}", NOW) is not None for number in range(1000)]
    assert sum(written) == 200


def test_many_are_taken_whole_or_not_at_all():
    allowance = Allowance(100, 60)
    assert allowance.take("a", NOW, 70) == 0
    assert allowance.take("a", NOW, 40) == 10
    assert allowance.take("a", NOW, 30) == 0
    assert allowance.take("a", NOW + timedelta(seconds=10), 10) == 0


def test_a_quota_is_reached_by_its_last_one_and_passed_by_the_next():
    require_room("models", 2, 2, "models", "wait")
    with pytest.raises(QuotaExceeded, match=r"models would be 3, and quotas\.models allows 2; wait"):
        require_room("models", 2, 3, "models", "wait")
