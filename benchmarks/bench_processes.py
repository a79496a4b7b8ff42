"""Many processes registering versions of one name at the same moment.

    python benchmarks/bench_processes.py

Each process has its own registry object on one folder and waits at a barrier after its imports and after one
registration in a scratch registry, so that what is measured is the writing and not the start of Python. Throughput
counts from the first start to the last end. Processes are forked from one that has imported everything and has no
registry open, which is what lets 50 of them fit.

Floor and registry are there before the clock starts: the registry has one version of another model, so that its 256
folders of bytes, made once in its life, are not counted. The working directory is in no git work tree, where each
registration would start a ``git status`` of its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import keep, options, percentile, table
from work import NAME, Floor, Work, register

CONTEXT = multiprocessing.get_context("fork")
Open = Callable[[Path, Work], tuple[Callable[[int], object], Callable[[], None]]]
"""Makes what one process registers with: a call per version, and how to close it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one process says afterwards: when it began and ended, how long each version took, what went wrong."""

    begun: float
    ended: float
    waits: list[float]
    errors: list[str]


def open_registry(folder: Path, work: Work) -> tuple[Callable[[int], object], Callable[[], None]]:
    """A registry object of this process, with every lazy import done."""
    from modelyard import ModelRegistry
    from modelyard.settings import Settings

    with ModelRegistry(folder / f"scratch-{os.getpid()}", config=Settings()) as scratch:
        register(scratch, work, 0)
    registry = ModelRegistry(folder / "registry", config=Settings())
    return lambda number: register(registry, work, number), registry.close


def open_floor(folder: Path, work: Work) -> tuple[Callable[[int], object], Callable[[], None]]:
    """The durable floor: same barrier, same library, nothing but a file and a row."""
    floor = Floor(folder / "floor", work)
    return floor.register, floor.close


def process(open_: Open, folder: Path, versions: int, barrier: Any, answers: Any) -> None:
    """What each process does."""
    work = Work(seed=os.getpid())
    call, close = open_(folder, work)
    waits, errors = [], []
    barrier.wait(120)  # ready
    barrier.wait(120)  # the disk is quiet: go
    begun = time.perf_counter()  # CLOCK_MONOTONIC: the same for all processes
    for number in range(versions):
        start = time.perf_counter()
        try:
            call(number)
        except Exception as error:  # counted, not hidden: it goes into the report
            errors.append(f"{type(error).__name__}: {error}")
        waits.append(time.perf_counter() - start)
    answers.put(Told(begun=begun, ended=time.perf_counter(), waits=waits, errors=errors))
    close()


def together(open_: Open, folder: Path, processes: int, versions: int) -> dict[str, Any]:
    """Run them all and add up what they say."""
    barrier, answers = CONTEXT.Barrier(processes + 1), CONTEXT.Queue()
    arguments = (open_, folder, versions, barrier, answers)
    started = [CONTEXT.Process(target=process, args=arguments) for _ in range(processes)]
    for one in started:
        one.start()
    barrier.wait(120)
    os.sync()  # the scratch registries are thousands of new folders, which the first fsync would have to wait for
    barrier.wait(120)
    told = [answers.get(timeout=300) for _ in started]
    for one in started:
        one.join()
    waits = [wait for one in told for wait in one.waits]
    errors = [error for one in told for error in one.errors]
    seconds = max(one.ended for one in told) - min(one.begun for one in told)
    return {
        "asked": processes * versions,
        "ok": len(waits) - len(errors),
        "errors": errors,
        "per_second": round((len(waits) - len(errors)) / seconds, 1),
        "worst_wait_ms": round(max(waits) * 1000, 1),
        "p95_wait_ms": round(percentile(waits, 0.95) * 1000, 1),
    }


def numbers(folder: Path) -> dict[str, Any]:
    """What is in the registry afterwards: how many numbers, and whether one is missing."""
    from modelyard import ModelRegistry
    from modelyard.settings import Settings

    with ModelRegistry(folder / "registry", config=Settings()) as registry:
        found = sorted(version.number for version in registry.list_models(name=NAME))
        sound = registry.verify_audit()
    return {
        "distinct": len(set(found)),
        "gapless": found == list(range(1, len(found) + 1)),
        "audit_breaks": len(sound.breaks),
    }


def settle(folder: Path) -> None:
    """A registry that is in use already."""
    from modelyard import ModelRegistry
    from modelyard.settings import Settings

    with ModelRegistry(folder, config=Settings()) as registry:
        register(registry, Work(), 0, "another")


def measure(given_folder: Path | None, processes: int, versions: int) -> dict[str, Any]:
    """One fleet on a fresh folder."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=given_folder, prefix="bench-"))
        stack.callback(os.chdir, Path.cwd())
        folder = Path(name)
        Floor(folder / "floor", Work()).close()
        settle(folder / "registry")
        os.chdir(folder)
        floor = together(open_floor, folder, processes, versions)
        registry = together(open_registry, folder, processes, versions)
        return {
            "processes": processes,
            "versions": versions,
            "floor": floor,
            "registry": registry | numbers(folder),
        }


def best_of(given_folder: Path | None, processes: int, versions: int, times: int) -> dict[str, Any]:
    """The fleet several times: the throughput of the median run, and every error of any run."""
    runs = [measure(given_folder, processes, versions) for _ in range(times)]
    runs.sort(key=lambda run: run["registry"]["per_second"])
    middle = runs[len(runs) // 2]
    middle["runs_per_second"] = [run["registry"]["per_second"] for run in runs]
    middle["floor_runs_per_second"] = sorted(run["floor"]["per_second"] for run in runs)
    middle["all_errors"] = [error for run in runs for error in run["registry"]["errors"]]
    return middle


def warm_imports() -> None:
    """Import in this process whatever the children need, and leave nothing open."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        _, close = open_registry(Path(name), Work())
        close()
    gc.collect()


def main() -> None:
    """Run and report."""
    given = options(__doc__).parse_args()
    warm_imports()
    fleets = [(4, 3, 1)] if given.quick else [(8, 10, 5), (50, 10, 1)]
    found = [best_of(given.folder, *fleet) for fleet in fleets]
    rows = []
    for one in found:
        title = f"{one['processes']} processes x {one['versions']} of one name"
        for who in ("floor", "registry"):
            told = one[who]
            rows.append(
                (
                    f"{title}, {who}",
                    f"{told['ok']}/{told['asked']}",
                    told["per_second"],
                    told["p95_wait_ms"],
                    told["worst_wait_ms"],
                    told.get("distinct"),
                    told.get("gapless"),
                )
            )
    table(("at once", "ok", "per s", "p95 ms", "worst ms", "distinct", "gapless"), rows)
    for one in found:
        print(f"registry, runs per second: {one['runs_per_second']}; errors: {one['all_errors']}")
    keep({"processes": found}, given.json)


if __name__ == "__main__":
    main()
