"""Keeping several processes alive, without a server in them. Each test runs in a process of its own, which may fork."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, sys, time
from modelyard.domain.errors import StorageError
from modelyard.server.workers import Workers

def wait(number):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("worker", number, flush=True)
    signal.pause()

def stubborn(number):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)

def fail(number):
    raise ValueError("no")

kind = sys.argv[1]
if kind == "fail":
    try:
        Workers(2, fail, grace=1).run()
    except StorageError as error:
        print(error)
elif kind == "together":
    def all_dead():
        for child in workers._running:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    workers = Workers(6, fail, grace=1, when_started=all_dead)
    try:
        workers.run()
    except StorageError as error:
        print(error)
elif kind == "stubborn":
    import modelyard.server.workers as module
    module._LONGER = 0.2
    Workers(1, stubborn, grace=0.1).run()
    print("ended")
else:
    Workers(2, wait, grace=1).run()
    print("ended")
"""


def run(kind: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_workers_that_die_at_once_are_not_started_for_ever() -> None:
    assert "die as soon as they are started (ended with exit code 1)" in run("fail")


def test_workers_that_die_together_are_told_of_like_one() -> None:
    assert "die as soon as they are started" in run("together")


def test_a_worker_that_does_not_end_is_killed() -> None:
    assert run("stubborn") == "ended\n"
