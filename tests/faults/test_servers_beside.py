"""Servers over PostgreSQL and SeaweedFS that are killed, or stopped and go on, beside others that serve."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest
from tests.many.conftest import farm, place
from tests.many.farm import Farm
from tests.many.load import stored

from modelyard.adapters.blobs.object_lease import LIFE
from modelyard.domain.errors import Conflict, StorageError
from modelyard.ports import service as ask
from modelyard.ports.metadata import BlobQuery
from modelyard.remote.service import RemoteService

__all__ = ["farm", "place"]

NOW = ask.Collect(dry_run=False, grace_days=0)
CLIENTS = 8
SAFE = LIFE / 2
"""Seconds for which nobody may take the right to collect from one who stands still; some time after, all may."""


class Log:
    """When moves began and were acknowledged, and what readers saw. Counts only grow, and one lock orders them."""

    def __init__(self, base: int) -> None:
        self._lock = threading.Lock()
        self._begun = self._done = base
        self.wrong: list[str] = []
        self.seen = 0

    def begin(self) -> None:
        with self._lock:
            self._begun += 1

    def end(self) -> None:
        with self._lock:
            self._done += 1

    def read(self, ask_for: Callable[[], int]) -> None:
        """What is read is at least what was acknowledged before, and at most what had begun by then."""
        with self._lock:
            least = self._done
        found = ask_for()
        with self._lock:
            most = self._begun
            self.seen += 1
        if not least <= found <= most:
            self.wrong.append(f"{found} was read, not {least} to {most}")


def move(
    service: RemoteService, alias: str, ids: list[str], log: Log, times: int, mind: random.Random
) -> None:
    """Move one alias, each time to where it surely is not; what is in doubt counts as begun only."""
    now: set[str] = set()
    for _ in range(times):
        if mind.random() < 0.5:
            with suppress(StorageError):
                log.read(lambda: service.get_model("fraud").sequence)
        if not (elsewhere := [each for each in ids if each not in now]):
            return
        target = mind.choice(elsewhere)
        log.begin()
        try:
            service.set_alias(ask.SetAlias(model="fraud", alias=alias, ref=target))
        except StorageError:
            now = now | {target}
        else:
            log.end()
            now = {target}


@pytest.mark.parametrize(
    ("moves", "deaths"), [(20, 2), pytest.param(900, 25, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_F24_whoever_reads_sees_every_move_that_was_acknowledged_and_none_that_had_not_begun(
    moves: int, deaths: int, farm: Callable[..., Farm]
) -> None:
    many = farm(3)
    first = many.client(0)
    made = [stored(first, f"{n}".encode(), ask.CreateVersion(name="fraud")) for n in range(16)]
    ids = [version.model_id for version in made]
    log = Log(first.get_model("fraud").sequence)
    clients = [many.client() for _ in range(CLIENTS)]
    mind = random.Random(24)
    with ThreadPoolExecutor(CLIENTS) as pool:
        work = [
            pool.submit(move, each, f"alias-{n}", ids, log, moves, random.Random(n))
            for n, each in enumerate(clients)
        ]
        died = 0
        while died < deaths and not all(each.done() for each in work):
            victim = mind.randrange(3)
            many.die(victim)
            many.revive(victim)
            died += 1
    for each in work:
        each.result()
    assert log.wrong == []
    assert log.seen > moves
    with many.registry() as beside:
        assert beside.fsck().findings == ()
        assert beside.verify_audit().ok


def test_F30_a_killed_worker_of_four_costs_no_registration(farm: Callable[..., Farm]) -> None:
    many = farm(1, workers=4)
    pid, client = many.servers[0].process.pid, many.client(0)
    made = []
    for number in range(24):
        if number % 6 == 3:
            os.kill(children(pid)[number % 3], signal.SIGKILL)
        made.append(stored(client, f"{number}".encode(), ask.CreateVersion(name="fraud")))
    assert [version.number for version in made] == list(range(1, 25))
    with many.registry() as beside:
        assert beside.fsck(deep=True).findings == ()


def children(pid: int) -> list[int]:
    """At least three workers, once they are there."""
    while True:
        with open(f"/proc/{pid}/task/{pid}/children") as found:
            if len(all_ := [int(each) for each in found.read().split()]) >= 3:
                return all_


@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.long)])
def test_F31_a_server_that_stood_still_while_it_collected_does_nothing_twice(
    seconds: float, farm: Callable[..., Farm]
) -> None:
    """Nobody takes its right from it, others go on, and what they register meanwhile stays."""
    many = farm(2)
    first, second = many.client(0), many.client(1)
    for number in range(40):
        made = stored(first, f"bytes {number % 10}".encode(), ask.CreateVersion(name="fraud"))
        first.delete(ask.Delete(ref=made.model_id))
    with many.registry() as beside:
        collecting = threading.Thread(target=lambda: suppressed(first))
        collecting.start()
        while (
            not beside._service.store.find(BlobQuery(state="deleting", limit=1)).items
            and collecting.is_alive()
        ):
            pass
        many.servers[0].signal(signal.SIGSTOP)
        stopped, kept, others = time.monotonic(), [], []
        is_held = bool(beside._service.store.find(BlobQuery(state="deleting", limit=1)).items)
        for turn in count():
            if passed(stopped) > SAFE or (kept and passed(stopped) > seconds):
                break
            data = f"bytes {turn % 20}".encode()  # half of them new: what is being collected is not to be had
            with suppress(Conflict, StorageError):
                kept.append(stored(second, data, ask.CreateVersion(name="fraud")))
            with suppress(Conflict), beside._service.blobs.collecting(patient=False):
                others.append(passed(stopped))
        many.servers[0].signal(signal.SIGCONT)
        collecting.join()
        assert not is_held or not [when for when in others if when < SAFE]
        for version in kept:
            assert b"".join(second.open_blob(version.files[0].digest)).startswith(b"bytes ")
        assert beside.fsck(deep=True).findings == ()
        assert beside.verify_audit().ok


def passed(since: float) -> float:
    return time.monotonic() - since


def suppressed(service: RemoteService) -> None:
    with suppress(Conflict, StorageError):
        service.collect(NOW)
