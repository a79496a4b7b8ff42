"""How long a transfer goes on asking: few tries where nobody ever answered, by time where somebody did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import Conflict, ModelyardWarning, NotFound, Overloaded, RateLimited, Unreachable
from modelyard.remote.patience import AWAY, Patience
from modelyard.remote.transport import FIRST_PAUSE, LONGEST_PAUSE, TRIES

GONE = "no answer from http://there: refused. Is the server running?"


class Time:
    """Passes while somebody pauses, and while a try lasts."""

    def __init__(self, heard=False, lasting=0.0):
        self.now, self.lasting, self.pauses = 0.0, lasting, []
        self.patience = Patience(heard=heard, clock=lambda: self.now, pause=self.pause)

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds
        return min(2 * seconds, LONGEST_PAUSE)

    def fail(self, error):
        self.now += self.lasting
        self.patience.wait(error)

    def fail_until_given_up(self, kind=Unreachable):
        """What is raised in the end, and how long that took."""
        begun = self.now
        while True:
            try:
                self.fail(kind(GONE))
            except kind as error:
                return error, self.now - begun


def test_a_server_that_never_answered_is_given_up_after_a_few_tries():
    time = Time()
    error, _ = time.fail_until_given_up()
    assert time.pauses == [FIRST_PAUSE * 2**n for n in range(TRIES - 1)]
    assert str(error) == GONE


@pytest.mark.parametrize("kind", [Unreachable, Overloaded, Conflict])
def test_a_server_that_answered_is_asked_again_for_a_minute(kind):
    time = Time(heard=True)
    with pytest.warns(ModelyardWarning, match=f"for up to {AWAY:.0f} seconds: {GONE[:30]}") as warned:
        error, lasted = time.fail_until_given_up(kind)
    assert AWAY <= lasted <= AWAY + LONGEST_PAUSE
    assert max(time.pauses) == LONGEST_PAUSE
    assert len(warned) == 1
    assert str(error).startswith(f"{GONE}\n  - it had answered before")


def test_a_few_failures_are_nothing_to_speak_of():
    time = Time(heard=True)
    for _ in range(TRIES - 1):
        time.fail(Unreachable(GONE))
    assert len(time.pauses) == TRIES - 1


@given(st.floats(0, 3 * AWAY), st.booleans())
def test_nobody_is_given_up_before_a_few_tries_however_long_they_last(lasting, heard):
    time = Time(heard, lasting)
    for _ in range(TRIES - 1):
        time.fail(Unreachable(GONE))


def test_silence_counts_as_time():
    time = Time(heard=True, lasting=AWAY)
    _, lasted = time.fail_until_given_up()
    assert len(time.pauses) == TRIES - 1
    assert lasted > AWAY


@pytest.mark.filterwarnings("ignore::modelyard.domain.errors.ModelyardWarning")
def test_what_moves_begins_the_time_again():
    time = Time()
    time.patience.moved()
    while time.now < 0.9 * AWAY:
        time.fail(Unreachable(GONE))
    time.patience.moved()
    time.pauses.clear()
    _, lasted = time.fail_until_given_up()
    assert time.pauses[0] == FIRST_PAUSE
    assert lasted >= AWAY


@pytest.mark.parametrize(("said", "least"), [(2, 2), (3600, LONGEST_PAUSE), (0, FIRST_PAUSE)])
def test_a_server_that_says_when_to_come_back_is_heeded(said, least):
    time = Time()
    time.fail(RateLimited("too often", data={"retry_after": said}))
    assert time.pauses == [least]


def test_what_will_not_go_away_is_not_waited_for():
    time = Time(heard=True)
    with pytest.raises(NotFound):
        time.fail(NotFound("no such upload"))
    assert time.pauses == []


class TestQuestions:
    """Each makes a few tries by itself."""

    def test_the_first_one_is_not_asked_again(self):
        time = Time()
        with pytest.raises(Unreachable):
            time.patience.ask(self.failing(1))
        assert time.pauses == []

    def test_one_that_was_answered_with_not_now_is(self):
        time, said = Time(), {"retry_after": 3}
        assert time.patience.ask(self.failing(2, RateLimited("too often", data=said))) == "answer"
        assert time.pauses == [3, LONGEST_PAUSE]

    def test_one_that_follows_another_answer_is(self):
        time = Time()
        assert time.patience.ask(self.failing(0)) == "answer"
        assert time.patience.ask(self.failing(TRIES - 1)) == "answer"
        assert len(time.pauses) == TRIES - 1

    def test_an_answer_is_no_movement(self):
        """Or a server that takes questions and never a byte would be asked for ever."""
        time = Time(heard=True)
        for _ in range(TRIES - 1):
            time.patience.ask(self.failing(1))
        with pytest.warns(ModelyardWarning):
            time.patience.ask(self.failing(1))

    def failing(self, times, error=Unreachable(GONE)):  # noqa: B008 - nobody changes it
        left = [error] * times

        def question():
            if left:
                raise left.pop()
            return "answer"

        return question
