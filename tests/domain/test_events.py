"""The chain of events: appended, moved along, and where it breaks."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import events, policy
from modelyard.domain.records import Actor, Event, Model, Registry

START = datetime(2026, 3, 1, tzinfo=UTC)
ANN = Actor(name="ann")
VALUES = st.none() | st.integers(-9, 9) | st.text(max_size=5) | st.lists(st.integers(1, 9), max_size=3)
DIFFS = st.dictionaries(
    st.sampled_from(["alias:champion", "stage:production", "version:1.x"]), VALUES, max_size=3
)


def model() -> Model:
    return Model(
        name="Fraud",
        key="fraud",
        slug="fraud",
        created_at=START,
        created_by="ann",
        policy=policy.DEFAULT,
        revision=4,
    )


def registry() -> Registry:
    return Registry(registry_id="r", format=1, created_at=START, revision=1)


def chain(length: int, head=None) -> list[Event]:
    head, log = head or model(), []
    for number in range(length):
        head, event = events.append(
            head,
            now=START + timedelta(seconds=number),
            actor=ANN,
            action="a",
            subject="s",
            after={"n": number},
        )
        log.append(event)
    return log


def test_the_first_event_follows_from_zeros_and_the_head_moves_with_it():
    moved, event = events.append(model(), now=START, actor=ANN, action="x", subject="model", reason="why")
    assert (event.model, event.sequence, event.previous_hash, event.actor) == ("Fraud", 1, "0" * 64, "ann")
    assert (moved.sequence, moved.head, moved.head_at, moved.revision) == (1, event.hash, START, 5)
    assert moved.updated_at == START


def test_the_registry_has_a_chain_of_its_own():
    moved, event = events.append(registry(), now=START, actor=ANN, action="x", subject="registry")
    assert (event.model, moved.sequence, moved.revision) == ("", 1, 2)


@given(st.lists(st.integers(-10, 10), min_size=1, max_size=8))
def test_time_in_a_chain_rises_whatever_the_clock_says(jumps):
    head, times = model(), []
    for jump in jumps:
        head, event = events.append(
            head, now=START + timedelta(seconds=jump), actor=ANN, action="a", subject="s"
        )
        times.append(event.at)
        assert event.at >= START + timedelta(seconds=jump)
    assert times == sorted(set(times))


@given(before=DIFFS, after=DIFFS, reason=st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_appended_events_hold_together(before, after, reason):
    head, log = model(), []
    for _ in range(3):
        head, event = events.append(
            head, now=START, actor=ANN, action="a", subject="s", before=before, after=after, reason=reason
        )
        log.append(event)
    assert events.first_break(log) is None
    assert head.head == log[-1].hash


CHANGES = {
    "model": "other",
    "sequence": 99,
    "at": START + timedelta(days=9),
    "actor": "mallory",
    "action": "b",
    "subject": "t",
    "before": {"n": 7},
    "after": {"n": 7},
    "reason": "because",
    "request_id": "r",
    "previous_hash": "f" * 64,
    "hash": "f" * 64,
}


def test_every_field_of_an_event_is_tried_below():
    assert set(CHANGES) == {f.name for f in fields(Event)}


@pytest.mark.parametrize("name", CHANGES)
@given(place=st.integers(0, 4))
def test_any_edit_of_one_field_is_found_where_it_is(name, place):
    log = chain(5)
    log[place] = replace(log[place], **{name: CHANGES[name]})
    broken = events.first_break(log)
    assert broken is not None
    assert broken[0] == place + 1


@given(place=st.integers(0, 3), length=st.integers(5, 7))
def test_taking_out_putting_in_and_swapping_are_found(place, length):
    log = chain(length)
    for changed in (
        log[:place] + log[place + 1 :],
        [*log[: place + 1], *log[place:]],
        [*log[:place], log[place + 1], log[place], *log[place + 2 :]],
    ):
        broken = events.first_break(changed)
        assert broken is not None
        assert place + 1 <= broken[0] <= place + 2


def test_an_edit_with_its_own_hash_made_good_breaks_the_next():
    log = chain(4)
    edited = replace(log[1], actor="mallory")
    log[1] = replace(edited, hash=events.event_hash(edited))
    assert events.first_break(log) == (3, "does not follow from the event before it")


def test_an_empty_chain_holds():
    assert events.first_break([]) is None


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7), (None, None), ([1, 2], 2), ([], None), ((3,), 3)], ids=str
)
def test_a_pointer_names_the_newest_holder(value, number):
    event = replace(
        chain(1)[0], after={"alias:champion": value, "version:1.stage": "x", "protection:champion": True}
    )
    (move,) = events.moves(event)
    assert (move.pointer, move.number, move.sequence, move.model) == ("alias:champion", number, 1, "Fraud")
    assert (move.at, move.actor, move.action) == (event.at, event.actor, event.action)


def test_one_event_may_move_several_pointers():
    event = replace(chain(1)[0], after={"alias:champion": 1, "stage:production": [1], "stage:staging": []})
    assert {m.pointer: m.number for m in events.moves(event)} == {
        "alias:champion": 1,
        "stage:production": 1,
        "stage:staging": None,
    }


def test_an_event_is_about_all_it_changed_and_all_a_pointer_left_or_reached() -> None:
    event = Event(
        model="fraud",
        sequence=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        actor="ann",
        action="version.promoted",
        subject="version:3",
        before={"stage:production": [1, 2], "alias:champion": None, "version:3.stage": "staging"},
        after={"stage:production": [3], "alias:champion": 3, "version:2.stage": "deprecated", "verdict": {}},
    )
    about = events.subjects(event)
    assert about[0] == "version:3"
    assert set(about) == {"version:1", "version:2", "version:3", "stage:production", "alias:champion"}
    assert len(about) == len(set(about))
