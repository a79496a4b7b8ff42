"""Death at any moment: nothing acknowledged is lost, nothing torn is seen, and what is left over can be freed."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from .conftest import Order
from .tracing import MANY, Outcome, Point, both, finish, run, start, sweep
from .verdict import sound

KILL = "signal=KILL"


# --- F1: at random moments -------------------------------------------------------------------------------------------


def storm(order: Order, root: Path, numbers: range) -> Iterator[list[str]]:
    """Two busy workers on one registry, killed after a random time; complaints per round."""
    chance = random.Random(numbers.start)
    said: list[dict[str, Any]] = []
    for number in numbers:
        orders = [order("storm", root, **{"with": {"seed": 2 * number + n}}) for n in range(2)]
        workers = [start(one) for one in orders]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()  # begun
        time.sleep(chance.uniform(0, 0.25))  # the moment of death, not a wait for anything
        for worker in workers:
            worker.kill()
        for outcome in map(finish, workers):
            assert outcome.code == -9, outcome.errors
            said += outcome.said
        yield sound(root, said)


def rounds_of(order: Order, room: Path, rounds: int) -> None:
    """A registry is used for twelve rounds, then a new one: judging takes longer the more was acknowledged."""
    for first in range(0, rounds, 12):
        numbers = range(first, min(first + 12, rounds))
        for number, complaints in zip(numbers, storm(order, room / f"from-{first}", numbers), strict=True):
            assert complaints == [], f"round {number}"


def test_F1_random_kills_of_two_busy_workers_lose_nothing_acknowledged(order: Order, room: Path) -> None:
    rounds_of(order, room, 12)


@pytest.mark.long
def test_F1_two_hundred_random_kills_lose_nothing_acknowledged(order: Order, room: Path) -> None:
    rounds_of(order, room, 200)


PLANS = ("register", "promote", "rollback", "delete", "gc", "import")


# --- F2: at every moment ---------------------------------------------------------------------------------------------


def killed(point: Point, root: Path, outcome: Outcome) -> Iterator[str]:
    """Dead, and sound."""
    if outcome.code != -9:
        yield f"was not killed: exit code {outcome.code}: {outcome.errors}"
    yield from sound(root, outcome.said)


def killed_everywhere(
    order: Order,
    plan: str,
    template: Path,
    room: Path,
    every: int = 1,
    rows: Sequence[str] = MANY,
    **more: Any,
) -> dict[Point, list[str]]:
    return sweep(order(plan, **more), template, room, killed, inject=KILL, every=every, rows=rows)


def none_wrong(verdicts: dict[Point, list[str]], at_least: int) -> None:
    """All well, at a number of points that shows the sweep swept."""
    assert {point: found for point, found in verdicts.items() if found} == {}
    assert len(verdicts) >= at_least


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_F2_killed_at_every_kind_of_step_of_a_registration(order: Order, workshop: Path, room: Path) -> None:
    none_wrong(killed_everywhere(order, "register", workshop / "template", room, every=20), 20)


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("plan", ["promote", "gc"])
def test_F2_killed_at_every_kind_of_step_of_everything_else(
    plan: str, order: Order, workshop: Path, room: Path
) -> None:
    none_wrong(killed_everywhere(order, plan, workshop / "template", room, every=20), 10)


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("plan", PLANS)
def test_F2_killed_at_every_step(plan: str, order: Order, workshop: Path, room: Path) -> None:
    none_wrong(killed_everywhere(order, plan, workshop / "template", room), 30)


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_F2_killed_while_a_registry_comes_into_being(order: Order, workshop: Path, room: Path) -> None:
    none_wrong(killed_everywhere(order, "register", workshop / "nothing", room, every=400, opening=True), 15)


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.usefixtures("strace")
def test_F2_killed_at_every_step_while_a_registry_comes_into_being(
    order: Order, workshop: Path, room: Path
) -> None:
    """Of its 500 empty folders only every fourth: one is like the other, and they took three fifths of the time."""
    folders = ("mkdirat",)
    verdicts = killed_everywhere(order, "register", workshop / "nothing", room, 4, folders, opening=True)
    none_wrong(verdicts, 400)


# --- F3: at named steps ----------------------------------------------------------------------------------------------

STEPS: dict[str, Sequence[tuple[str, str]]] = {
    "register": (
        ("store", "commit"),
        ("", "put_file"),
        ("blobs", "put_file"),
        ("", "create_version"),
        ("manifests", "put"),
    ),
    "promote": (("store", "commit"),),
    "rollback": (("store", "commit"),),
    "delete": (("store", "commit"),),
    "gc": (("store", "commit"), ("blobs", "delete"), ("blobs", "sweep")),
    "import": (("store", "commit"), ("", "put_blob"), ("blobs", "put"), ("", "import_")),
}


def stopped(order: Order, workshop: Path, room: Path, plan: str, when: str) -> None:
    """Each step is tried at its first, second, ... call, until a worker no longer comes there."""

    def one(step: tuple[str, str]) -> int:
        for nth in range(1, 100):
            root = shutil.copytree(workshop / "template", room / f"{'-'.join(step)}-{nth}")
            outcome = run(order(plan, root, failpoints=[(*step, when, nth)]))
            assert outcome.code == (0 if outcome.survived else -9), outcome.errors
            assert sound(root, outcome.said) == [], f"{when} call {nth} of {step}"
            if outcome.survived:
                return nth - 1
        raise AssertionError(f"{step} was called without end")

    hits = dict(zip(STEPS[plan], both(one, STEPS[plan]), strict=True))
    assert min(hits.values()) >= 1, f"a step was never come to: {hits}"


@pytest.mark.parametrize("plan", STEPS)
def test_F3_killed_after_every_named_step(plan: str, order: Order, workshop: Path, room: Path) -> None:
    stopped(order, workshop, room, plan, "after")


@pytest.mark.long
@pytest.mark.parametrize("plan", STEPS)
def test_F3_killed_before_every_named_step(plan: str, order: Order, workshop: Path, room: Path) -> None:
    stopped(order, workshop, room, plan, "before")


# --- controls: the verdict can be bad --------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_control_the_sweep_catches_a_store_that_publishes_before_hashing(
    order: Order, workshop: Path, room: Path
) -> None:
    told = order("register", broken="publish_before_hashing")
    verdicts = sweep(told, workshop / "template", room, killed, inject=KILL, calls="write")
    assert any("stored bytes" in line for found in verdicts.values() for line in found), verdicts


def test_control_the_verdict_catches_a_commit_before_its_bytes(order: Order, past: Path) -> None:
    outcome = run(
        order(
            "register", past, broken="commit_before_storing", failpoints=[("blobs", "put_file", "before", 3)]
        )
    )
    assert outcome.code == -9, outcome.errors
    complaints = sound(past, outcome.said)
    assert any("not in the store" in line or "missing" in line for line in complaints), complaints


def test_control_the_verdict_catches_a_lost_acknowledgement(order: Order, past: Path, workshop: Path) -> None:
    outcome = run(order("register", past))
    assert outcome.survived, outcome.errors
    assert sound(past, outcome.said) == []
    assert any(
        "VersionNotFound" in line or "not in the history" in line
        for line in sound(workshop / "elsewhere", outcome.said, works=False)
    )
