"""Clocks, medians and tables that every benchmark here shares."""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Timer = Callable[[int], float]
"""Does the work of one round and answers with the seconds it took."""


def options(description: str | None) -> argparse.ArgumentParser:
    """The flags that every benchmark takes."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, not how fast is it")
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary directory)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


def timed(action: Callable[[int], object]) -> Timer:
    """A timer around an action that takes the round's number."""

    def timer(turn: int) -> float:
        begun = time.perf_counter()
        action(turn)
        return time.perf_counter() - begun

    return timer


def interleaved(timers: Mapping[str, Timer], rounds: int, *, warm: int = 3) -> dict[str, list[float]]:
    """Seconds per round of each timer, taken in turns so that a busy moment hits all of them alike.

    Args:
        timers: By name. Each is called ``warm + rounds`` times.
        rounds: How many are kept.
        warm: First rounds that are thrown away.
    """
    taken: dict[str, list[float]] = {name: [] for name in timers}
    for turn in range(warm + rounds):
        for name, timer in timers.items():
            seconds = timer(turn)
            if turn >= warm:
                taken[name].append(seconds)
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and minimum in milliseconds, and how many there were."""
    return {
        "median_ms": round(statistics.median(seconds) * 1000, 4),
        "p95_ms": round(percentile(seconds, 0.95) * 1000, 4),
        "min_ms": round(min(seconds) * 1000, 4),
        "rounds": len(seconds),
    }


def child_environment(**extra: str) -> dict[str, str]:
    """This environment for a child process, with bytecode caching on: without it, start-up times mean nothing."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **extra}


def free_port() -> int:
    """A port of this machine on which nobody listens; somebody might before it is used."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows of one name and several figures, each column as wide as it has to be."""
    lines = [list(head), *([str(row[0]), *(_cell(cell) for cell in row[1:])] for row in rows)]
    wide = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for name, *cells in lines:
        figures = (f"{cell:>{width}}" for cell, width in zip(cells, wide[1:], strict=True))
        print("  ".join([f"{name:{wide[0]}}", *figures]), flush=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.3f}" if isinstance(value, float) else f"{value}"


def keep(figures: Mapping[str, Any], path: Path | None) -> None:
    """Write the figures where ``--json`` said."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")
