"""The line of processes that want to decide about what is in MongoDB."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.server.running import wait_until

from modelyard.adapters.metadata import mongo_line
from modelyard.adapters.metadata.mongo_client import Client
from modelyard.adapters.metadata.mongo_line import Line

NAME = "line"
LONG = 600
"""Seconds."""


@pytest.fixture
def line(mongodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Line]]:
    """Stands for one more process each time. Nothing ends by itself, however slow the machine is."""
    monkeypatch.setattr(mongo_line, "LIFE_MILLISECONDS", LONG * 1000)
    monkeypatch.setattr(mongo_line, "PATIENCE", float(LONG))
    mongodb.empty_store(NAME).close()
    mongodb.database(NAME)["leases"].update_one({"_id": "writer"}, {"$set": {"line": []}})
    with ExitStack() as stack:

        def made() -> Line:
            client = Client(mongodb.address(NAME))
            stack.callback(client.close)
            return Line(client)

        yield made


def names(mongodb: Any) -> list[str]:
    found = mongodb.database(NAME)["leases"].find_one({"_id": "writer"})
    return [each["name"] for each in found["line"]]


def test_those_who_wait_go_one_by_one_in_the_order_they_came(mongodb: Any, line: Callable[[], Line]) -> None:
    first, later, went = line(), [line() for _ in range(3)], []

    def go(place: int) -> None:
        later[place].enter()
        went.append((place, len(names(mongodb))))
        later[place].leave()

    first.enter()
    threads = [threading.Thread(target=go, args=(place,)) for place in range(3)]
    for place, thread in enumerate(threads, 2):
        thread.start()
        wait_until(lambda n=place: len(names(mongodb)) == n)
    assert not went
    first.leave()
    for thread in threads:
        thread.join()
    assert went == [(0, 3), (1, 2), (2, 1)]
    assert names(mongodb) == []


def test_a_process_that_died_in_its_turn_is_in_the_way_only_for_a_while(
    mongodb: Any, line: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, next_ = line(), line()
    monkeypatch.setattr(mongo_line, "LIFE_MILLISECONDS", 100)
    dead.enter()
    monkeypatch.setattr(mongo_line, "LIFE_MILLISECONDS", LONG * 1000)
    entering = threading.Thread(target=next_.enter, daemon=True)
    entering.start()
    wait_until(lambda: not entering.is_alive())
    assert names(mongodb)[-1:] == [next_._name]
    next_.leave()
    assert next_._name not in names(mongodb)


def test_a_name_that_a_clock_of_the_future_signed_is_in_nobodys_way(
    mongodb: Any, line: Callable[[], Line]
) -> None:
    far = datetime.now(UTC) + timedelta(days=1)
    mongodb.database(NAME)["leases"].update_one(
        {"_id": "writer"}, {"$set": {"line": [{"name": "dead", "until": far}]}}
    )
    next_ = line()
    next_.enter()
    assert names(mongodb) == [next_._name]


def test_who_is_interrupted_while_waiting_leaves(
    mongodb: Any, line: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = line(), line()
    first.enter()

    def interrupted(_: int) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(second, "_pause", interrupted)
    with pytest.raises(KeyboardInterrupt):
        second.enter()
    assert names(mongodb) == [first._name]


def test_nobody_sleeps_longer_than_a_name_lives_without_a_sign(line: Callable[[], Line]) -> None:
    waiting = line()
    waiting._turn = mongo_line._TURN[2]
    assert waiting._pause(10_000) <= mongo_line._SIGN < 3


def test_who_waits_for_long_keeps_the_place(
    mongodb: Any, line: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look gives a sign here, by which the place in the line is the same and its end is later."""
    monkeypatch.setattr(mongo_line, "_SIGN", 0.0)
    first, second = line(), line()
    first.enter()
    ends: list[Any] = []

    def end_of_the_second() -> bool:
        found = mongodb.database(NAME)["leases"].find_one({"_id": "writer"})["line"]
        ends.extend(each["until"] for each in found[1:2] if each["name"] == second._name)
        return len(set(ends)) > 2

    waiting = threading.Thread(target=second.enter)
    waiting.start()
    wait_until(end_of_the_second)
    assert names(mongodb) == [first._name, second._name]
    assert ends == sorted(ends)
    first.leave()
    waiting.join()
    assert names(mongodb) == [second._name]


def test_somebody_goes_on_out_of_turn_when_patience_ends_or_there_is_no_line(
    mongodb: Any, line: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_line, "PATIENCE", 0.05)
    first, second = line(), line()
    first.enter()
    second.enter()
    assert names(mongodb) == [first._name, second._name]
    mongodb.database(NAME)["leases"].delete_one({"_id": "writer"})
    second.leave()
    first.enter()
    first.leave()
    mongodb.database(NAME)["leases"].insert_one({"_id": "writer"})  # as builds before made it
    first.enter()
    assert names(mongodb) == [first._name]
