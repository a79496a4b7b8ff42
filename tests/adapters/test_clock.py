"""Time and identifiers, from the machine and from a test's hand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from modelyard.adapters import clock as machine
from modelyard.adapters.clock import SystemClock
from modelyard.domain.names import is_id
from modelyard.testing.clock import START, SettableClock


def test_the_machine_tells_utc_now():
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


@pytest.mark.parametrize("clock", [SystemClock(), SettableClock()], ids=["machine", "settable"])
def test_identifiers_are_lower_case_ulids_that_rise(clock):
    made = [clock.new_id() for _ in range(2000)]
    assert all(is_id(text) and text == text.lower() for text in made)
    assert made == sorted(set(made))


def test_identifiers_rise_even_when_the_machine_goes_back_in_time(monkeypatch):
    clock = SystemClock()
    times = iter([2_000_000_000 * 10**9, 1_000_000_000 * 10**9, 1_000_000_000 * 10**9])
    monkeypatch.setattr(machine.time, "time_ns", lambda: next(times))
    made = [clock.new_id() for _ in range(3)]
    assert made == sorted(set(made))


def test_identifiers_begin_with_their_millisecond():
    made = SettableClock(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=33)).new_id()
    assert made[:10] == "0000000011"


@pytest.mark.parametrize("clock", [SystemClock(), SettableClock()], ids=["machine", "settable"])
def test_threads_never_share_an_identifier(clock):
    with ThreadPoolExecutor(8) as pool:
        made = [
            text
            for batch in pool.map(lambda _: [clock.new_id() for _ in range(300)], range(8))
            for text in batch
        ]
    assert len(set(made)) == 2400


def test_a_settable_clock_stands_still_until_it_is_moved():
    clock = SettableClock()
    assert clock.now() == clock.now() == START
    assert clock.advance(days=1, seconds=2) == clock.now() == START + timedelta(days=1, seconds=2)
    clock.set(START)
    assert clock.now() == START
    assert SettableClock().new_id() == SettableClock().new_id()


@pytest.mark.parametrize("clock", [SystemClock(), SettableClock()], ids=["machine", "settable"])
def test_a_pause_ends(clock):
    clock.pause(0)
