"""Three servers behind a proxy, one of them killed again and again, while callers of all kinds go on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from modelyard.ports import service as ask

from .farm import Farm
from .load import GOOD, MODELS, POLICY, Caller, Said, collecting, stored, watched
from .promises import broken

CALLERS = 5
PATIENCE = 300.0


@contextmanager
def running(*works: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Each on a thread, until the block is left."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def begin(farm: Farm) -> None:
    """Every model with its rules and a first version."""
    service = farm.client(0)
    for model in MODELS:
        request = ask.CreateVersion(name=model, metrics={"accuracy": GOOD}, tags={"intent": model})
        stored(service, model.encode(), request)
        service.set_policy(ask.SetPolicy(model=model, policy=POLICY, reason=f"rules of {model}"))


def trial(farm: Farm, seconds: float, deaths: int, collector: Callable[[ask.Collect], object]) -> Said:
    """The load and the deaths: at least so long, and at least so many, until every kind of call was answered."""
    said, mind = Said(), random.Random(7)
    begin(farm)
    services = [farm.client() for _ in range(CALLERS + 1)]
    callers = [Caller(service, said, seed) for seed, service in enumerate(services[1:])]
    kinds = ("register", "promote", "move_alias", "load", "delete", "collect")

    def unfinished(began: float, died: int) -> bool:
        assert said.wrong == []
        assert time.monotonic() - began < seconds + PATIENCE, said.outcomes
        answered = all(said.outcomes[f"{kind} done"] for kind in kinds) and said.outcomes["looked"]
        return died < deaths or time.monotonic() - began < seconds or not answered

    works = [caller.run for caller in callers]
    with running(
        *works,
        lambda stop: watched(services[0], said, stop),
        lambda stop: collecting(collector, said, stop),
    ) as stop:
        began, died = time.monotonic(), 0
        while unfinished(began, died):
            stop.wait(mind.uniform(1, 3))
            victim = mind.randrange(len(farm.servers))
            farm.die(victim)
            farm.revive(victim)
            died += 1
    print(f"{died} deaths, {farm.proxy.broken} broken requests, {sum(said.outcomes.values())} calls")
    print("\n".join(f"{count:6} {what}" for what, count in sorted(said.outcomes.items())))
    return said


def test_nothing_that_was_acknowledged_is_lost_when_servers_are_killed(farm: Callable[..., Farm]) -> None:
    """Bytes are freed by a registry beside the servers meanwhile."""
    many = farm(3)
    with many.registry() as beside:
        said = trial(many, 10, 3, beside._service.collect)
        assert broken(beside, said) == []


@pytest.mark.long
def test_two_minutes_of_deaths_lose_nothing_not_even_those_of_the_collector(
    farm: Callable[..., Farm],
) -> None:
    many = farm(3, life=20.0)
    client = many.client()
    said = trial(many, 120, 30, client.collect)
    with many.registry() as beside:
        assert broken(beside, said) == []
