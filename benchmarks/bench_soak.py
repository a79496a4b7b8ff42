"""A server under mixed load for half an hour, with one request in a hundred broken off: what breaks, what grows?

    python benchmarks/bench_soak.py [--minutes 30] [--warm 5] [--callers 3] [--folder DIR] [--json FILE]

One worker answers as fast as it can. Each minute a line: requests so far, MiB of memory that only the process has and
in all (with the files that it maps), its threads and open files, faults injected and violations so far. In the end the
slope of each line through the memory after the warm-up, by least squares; then the registry is looked at itself: every
version that the server said it has must be there, the audit chain whole, each byte as its digest says, no draft left.

Half an hour of this registers up to two hundred thousand versions, which take four to five GB. The program fails if
there was a violation.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench_server import start
from measuring import keep, options
from soak_load import Caller

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a process holds at one moment.

    Attributes:
        minutes: Since the load began.
        requests: Sent until now.
        own: MiB that only the process has: what it allocated.
        resident: MiB in all, with the pages of files that it maps.
    """

    minutes: float
    requests: int
    own: float
    resident: float
    threads: int
    files: int


def look(pid: int, began: float, callers: Sequence[Caller]) -> Look:
    """The server as the system sees it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return Look(
        minutes=(time.monotonic() - began) / 60,
        requests=sum(caller.requests for caller in callers),
        own=int(status["RssAnon"].split()[0]) / 1024,
        resident=int(status["VmRSS"].split()[0]) / 1024,
        threads=int(status["Threads"]),
        files=len(os.listdir(f"/proc/{pid}/fd")),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much y grows by for 1 of x, by least squares; no number for fewer than two points."""
    if len(points) < 2:
        return math.nan
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def say(seen: Look, callers: Sequence[Caller]) -> None:
    """One line of the table."""
    faults = sum(caller.faults.total() for caller in callers)
    wrong = sum(len(caller.violations) for caller in callers)
    print(
        f"{seen.minutes:6.1f} {seen.requests:10,} {seen.own:8.1f} {seen.resident:8.1f} {seen.threads:8}"
        f" {seen.files:6} {faults:8,} {wrong:11,}",
        flush=True,
    )


def load(pid: int, callers: Sequence[Caller], stop: threading.Event, minutes: float) -> list[Look]:
    """Let them call for so long, and look once a second."""
    print("minute   requests  own MiB  all MiB  threads  files   faults  violations")
    began, looks = time.monotonic(), []
    for caller in callers:
        caller.start()
    said = 0
    while time.monotonic() - began < minutes * 60 and any(caller.is_alive() for caller in callers):
        time.sleep(1)
        try:
            looks.append(look(pid, began, callers))
        except (OSError, KeyError):  # the server is gone, which the end will tell
            break
        if int(looks[-1].minutes) > said:
            said = int(looks[-1].minutes)
            say(looks[-1], callers)
    stop.set()
    for caller in callers:
        caller.join()
    return looks


def left(folder: Path, callers: Sequence[Caller]) -> list[str]:
    """What is wrong in the registry that the server left behind."""
    from modelyard import ModelRegistry

    wrong = [str(path) for path in (folder / "tmp").rglob("*") if path.is_file()]
    with ModelRegistry(folder) as registry:
        wrong += [f"audit: {each}" for each in registry.verify_audit().breaks]
        wrong += [f"fsck: {each}" for each in registry.fsck(deep=True).findings]
        for caller in callers:
            found = registry.service.get_model(caller.model).last_number
            if not caller.sure <= found <= caller.sure + caller.perhaps:
                wrong.append(f"{caller.model}: {found} versions, {caller.sure} to +{caller.perhaps} expected")
    return wrong


def soak(folder: Path, minutes: float, warm: float, callers: int) -> dict[str, Any]:
    """The whole of it."""
    process, told, _ = start(folder / "registry")
    port, stop = int(told["url"].rpartition(":")[2]), threading.Event()
    crowd = [Caller(port, told["token"], number, stop) for number in range(callers)]
    try:
        looks = load(process.pid, crowd, stop, minutes)
        ended = process.poll()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    wrong = [f"{caller.model}: {each}" for caller in crowd for each in caller.violations]
    wrong += [f"the server ended by itself with {ended}"] if ended is not None else []
    wrong += left(folder / "registry", crowd)
    after = [seen for seen in looks if seen.minutes >= warm]
    return {
        "minutes": minutes,
        "warm_minutes": warm,
        "requests": sum(caller.requests for caller in crowd),
        "own_mib_per_minute": slope([(seen.minutes, seen.own) for seen in after]),
        "resident_mib_per_minute": slope([(seen.minutes, seen.resident) for seen in after]),
        "faults": dict(sum((caller.faults for caller in crowd), Counter())),
        "answers": dict(sum((caller.seen for caller in crowd), Counter())),
        "violations": wrong,
        "looks": [asdict(seen) for seen in looks[::60]],
    }


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, help="how long (default: 30; half a one if quick)")
    parser.add_argument("--warm", type=float, help="minutes that do not count (default: 5, at most a sixth)")
    parser.add_argument("--callers", type=int, default=3, help="how many call at once (default: 3)")
    given = parser.parse_args()
    minutes = given.minutes or (0.5 if given.quick else 30.0)
    warm = min(5.0, minutes / 6) if given.warm is None else given.warm
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as folder:
        told = soak(Path(folder), minutes, warm, given.callers)
    for name in ("requests", "faults", "answers"):
        print(f"{name}: {told[name]}")
    for name in ("own", "resident"):
        print(f"{name}: {told[f'{name}_mib_per_minute']:+.2f} MiB a minute after the first {warm:g}")
    print(f"violations: {len(told['violations'])}", *told["violations"][:20], sep="\n")
    keep({"soak": told}, given.json)
    sys.exit(1 if told["violations"] else 0)


if __name__ == "__main__":
    main()
