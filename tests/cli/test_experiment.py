"""Experiments from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def models(cli: Any, weights: Path) -> None:
    """``m`` with two versions of the same bytes."""
    for label in ("1.0.0", "1.1.0"):
        cli("register", "--model-path", "weights.bin", "--name", "m", "--version", label)


@pytest.fixture
def trial(cli: Any, models: None) -> str:
    """A running experiment."""
    ran = cli(
        "experiment",
        "start",
        "m",
        "--variant",
        "A=1",
        "--variant",
        "B=2",
        "--minimum-sample",
        "30",
        "--quiet",
    )
    return str(ran.out.strip())


def outcomes(cli: Any, trial: str, right: dict[str, int], count: int = 40) -> None:
    for name, good in right.items():
        for place in range(count):
            flag = "--correct" if place < good else "--wrong"
            cli("experiment", "record", name, "--experiment", trial, flag)


def test_starting_again_continues(cli: Any, trial: str) -> None:
    ran = cli(
        "experiment", "start", "m", "--variant", "A=1.0.0", "--variant", "B=#2", "--minimum-sample", "30"
    )
    assert ran.out == f"running: experiment {trial} of m (A=1.0.0 / B=1.1.0)\n"
    assert ran.err == f"next: modelyard experiment show {trial}\n"


def test_every_option_of_start_arrives(cli: Any, models: None) -> None:
    found = cli(
        *("experiment", "start", "m", "--variant", "old=1", "--variant", "new=2", "--weight", "old=0.9"),
        *("--weight", "new=0.1", "--name", "checkout", "--metric", "cost", "--numeric", "--lower"),
        *("--guardrail", "max_latency_ms=40", "--alpha", "0.01", "--json"),
    ).json
    assert [(v["name"], v["version"], v["weight"]) for v in found["variants"]] == [
        ("old", "1.0.0", 0.9),
        ("new", "1.1.0", 0.1),
    ]
    assert (found["name"], found["metric"], found["kind"], found["higher_is_better"]) == (
        "checkout",
        "cost",
        "numeric",
        False,
    )
    assert (found["guardrails"], found["alpha"], found["minimum_sample"]) == (
        {"max_latency_ms": 40},
        0.01,
        100,
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--variant", "A"), "NAME=VALUE"),
        (("--variant", "A=1"), "2 to 100"),
        (("--variant", "A=1", "--variant", "A=2", "--variant", "B=2"), "'A' is given twice"),
        (
            ("--variant", "A=1", "--variant", "B=2", "--weight", "A=0.5", "--weight", "A=0.4"),
            "'A' is given twice",
        ),
        (("--variant", "A=1", "--variant", "B=2", "--weight", "A=0.5"), "one for each of A, B, found A"),
        (
            ("--variant", "A=1", "--variant", "B=2", "--guardrail", "max_x=1", "--guardrail", "max_x=2"),
            "twice",
        ),
        (("--variant", "A=1", "--variant", "B=2", "--weight", "A=x"), "NAME=NUMBER"),
        (("--variant", "A=1", "--variant", "B=2", "--guardrail", "latency=1"), "max_<metric>"),
    ],
)
def test_odd_options_are_wrong_usage(cli: Any, models: None, words: tuple[str, ...], says: str) -> None:
    assert says in cli("experiment", "start", "m", *words, code=2).err


def test_an_assignment_is_given_and_recorded(cli: Any, trial: str) -> None:
    first = cli("experiment", "assign", trial, "bob", "--request", "order-77")
    told = cli("experiment", "assign", trial, "bob", "--request", "order-77", "--json").json
    assert told["assignment_id"] in first.out.splitlines()
    assert first.err == f"next: modelyard experiment record {told['assignment_id']} --correct\n"
    assert cli("experiment", "assign", trial, "bob", "--quiet").out == f"{told['variant']}\n"
    assert cli("experiment", "record", told["assignment_id"], "--correct").out == "recorded\n"
    assert cli("experiment", "record", told["assignment_id"], "--correct").out == "was recorded already\n"
    assert "never changed" in cli("experiment", "record", told["assignment_id"], "--wrong", code=5).err
    assert "both or neither" in cli("experiment", "record", told["assignment_id"], code=2).err
    for words in (("A",), ("zz", "--correct")):
        told = cli("experiment", "record", *words, code=2).err
        assert f"'{words[0]}' is no assignment id" in told
        assert "add --experiment" in told
    cli("experiment", "stop", trial)
    assert "too late" in cli("experiment", "record", "A", "--experiment", trial, "--wrong").out


def test_a_verdict_is_shown_within_80_columns(cli: Any, trial: str) -> None:
    ran = cli("experiment", "show", trial)
    assert "undecided\n  - there are no outcomes yet\n" in ran.out
    outcomes(cli, trial, {"A": 3, "B": 38})
    ran = cli("experiment", "show", trial)
    assert "B is better (p = " in ran.out
    assert f"next: modelyard experiment promote {trial} --dry-run" in ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    data = cli("experiment", "show", trial, "--json").json
    assert (data["verdict"]["winner"], data["experiment"]["experiment_id"]) == ("B", trial)


def test_guardrails_are_shown(cli: Any, models: None) -> None:
    words = ("--variant", "A=1", "--variant", "B=2", "--name", "guarded", "--guardrail", "max_cost=1")
    cli("experiment", "start", "m", *words)
    cli("experiment", "record", "A", "--experiment", "guarded", "--correct", "--measured", "cost=2")
    shown = cli("experiment", "show", "guarded").out
    assert "A: max_cost = 1 broken, 2 observed" in shown
    assert "B: max_cost = 1 missing, nothing measured" in shown


def test_the_winner_is_promoted_once_there_is_one(cli: Any, trial: str) -> None:
    assert "no winner" in cli("experiment", "promote", trial, code=4).err
    outcomes(cli, trial, {"A": 3, "B": 38})
    assert "would move to production" in cli("experiment", "promote", trial, "--dry-run").out
    ran = cli("experiment", "promote", trial, "--reason", "better")
    assert ran.out == "m:1.1.0 (#2) won and is in production now\n"
    assert "stopped, B won" in cli("experiment", "list").out
    assert cli("info", "m@production", "--json").json["version"] == "1.1.0"


def test_experiments_are_listed_by_model(cli: Any, models: None) -> None:
    ran = cli("experiment", "list")
    assert ran.out == "No experiments.\n"
    assert "next: modelyard experiment start NAME --variant A=1 --variant B=2" in ran.err
    cli(
        "experiment",
        "start",
        "m",
        "--variant",
        "A=1",
        "--variant",
        "B=2",
        "--name",
        "hostile\u202e name",
        code=2,
    )
    trial = cli(
        "experiment", "start", "m", "--variant", "A=1", "--variant", "B=2", "--name", "demo", "--quiet"
    )
    assert "demo" in cli("experiment", "list", "m").out
    assert cli("experiment", "stop", "demo", "--reason", "enough").out.startswith("stopped: ")
    listed = cli("experiment", "list", "--json").json["experiments"]
    assert [(e["experiment_id"], e["reason"]) for e in listed] == [(trial.out.strip(), "enough")]
    assert "stopped" in cli("experiment", "list").out
    cli("experiment", "list", "nobody", code=3)
    assert "no experiment" in cli("experiment", "show", "nothing", code=3).err


def test_what_was_measured_twice_is_wrong_usage(cli: Any, trial: str) -> None:
    words = ("--correct", "--measured", "cost=1", "--measured", "cost=2")
    ran = cli("experiment", "record", "A", "--experiment", trial, *words, code=2)
    assert "'cost' is given twice" in ran.err


def test_starting_what_was_stopped_says_so(cli: Any, trial: str) -> None:
    cli("experiment", "stop", trial)
    words = ("--variant", "A=1", "--variant", "B=2", "--minimum-sample", "30")
    ran = cli("experiment", "start", "m", *words)
    assert ran.out.startswith(f"stopped: experiment {trial}")
    assert "warning: " in ran.err
    assert "another name" in " ".join(ran.err.split())
