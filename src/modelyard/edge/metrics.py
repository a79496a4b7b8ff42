"""Figures for Prometheus, kept where every worker of one server can add up all of them.

The figures are doubles in memory that the workers share; each worker writes its own stripe and nobody else's, so
there are no locks, and a scrape answered by any worker tells about all. A worker that is started again goes on where
its forerunner ended. Everything has its place from the start: a route or a status that nobody foresaw is counted as
``other``, so no caller can make the table grow.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

STATUSES: Final = tuple(
    "200 201 202 204 206 302 304 307 400 401 403 404 405 409 412 413 416 421 422 428 429".split()
)
STATUSES_AND_FAILURES: Final = (*STATUSES, "431", "500", "501", "502", "503", "507", "other")
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper ends, in seconds, of the histogram's steps."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_GAUGES: Final = {
    "modelyard_requests_under_way": "Requests under way.",
    "modelyard_connections": "Open connections.",
}
_BYTES: Final = {
    "modelyard_received_bytes_total": "Bytes of request bodies.",
    "modelyard_sent_bytes_total": "Bytes of answer bodies.",
}


class Metrics:
    """Figures of one server.

    Args:
        routes: ``GET /api/v1/models/{name}`` and the like.
        workers: Processes that will count; the memory must be made before they are forked.
    """

    def __init__(self, routes: Iterable[str], workers: int = 1) -> None:
        self.routes = (*dict.fromkeys(routes), "other")
        self._row = {route: at for at, route in enumerate(self.routes)}
        self._column = {status: at for at, status in enumerate(STATUSES_AND_FAILURES)}
        self._codes = len(STATUSES_AND_FAILURES)
        self._width = (
            self._codes + len(BOUNDS) + 2
        )  # statuses, steps of the histogram and beyond, sum of seconds
        self._extra = len(self.routes) * self._width
        self._size = self._extra + len(_GAUGES) + len(_BYTES)
        self._workers = workers
        self._memory = memoryview(mmap.mmap(-1, 8 * self._size * workers)).cast("d")
        self.stripe(0)

    def stripe(self, worker: int) -> None:
        """From now on count for this worker. What was under way in a forerunner that died is not any more."""
        self._mine = self._memory[worker * self._size : (worker + 1) * self._size]
        for at in range(len(_GAUGES)):
            self._mine[self._extra + at] = 0

    def count(self, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One request is over."""
        start = self._row.get(route, len(self.routes) - 1) * self._width
        mine = self._mine
        mine[start + self._column.get(str(status), self._codes - 1)] += 1
        mine[start + self._codes + bisect_left(BOUNDS, seconds)] += 1
        mine[start + self._width - 1] += seconds
        at = self._extra + len(_GAUGES)
        mine[at] += received
        mine[at + 1] += sent

    def now(self, under_way: int, connections: int) -> None:
        """What is the case at this moment."""
        self._mine[self._extra], self._mine[self._extra + 1] = under_way, connections

    def text(self) -> str:
        """All workers' figures in Prometheus' text format, 0.0.4; what never happened is left out."""
        return "\n".join(self._lines(self._sums())) + "\n"

    def _sums(self) -> list[float]:
        stripes = [self._memory[n * self._size : (n + 1) * self._size] for n in range(self._workers)]
        return [sum(values) for values in zip(*stripes, strict=True)]

    def _lines(self, sums: Sequence[float]) -> Iterator[str]:
        rows = [
            (_label("route", route), sums[at * self._width : (at + 1) * self._width])
            for at, route in enumerate(self.routes)
        ]
        yield from _head("modelyard_requests_total", "counter", "Requests answered.")
        for label, row in rows:
            for status, times in zip(STATUSES_AND_FAILURES, row, strict=False):
                if times:
                    yield f'modelyard_requests_total{{{label},status="{status}"}} {times:.0f}'
        yield from _head(
            "modelyard_request_seconds", "histogram", "Time from headers to the end of the answer."
        )
        for label, row in rows:
            yield from _histogram(label, row[self._codes : -1], row[-1])
        kinds = [(name, "gauge", text) for name, text in _GAUGES.items()]
        kinds += [(name, "counter", text) for name, text in _BYTES.items()]
        for (name, kind, text), value in zip(kinds, sums[self._extra :], strict=True):
            yield from _head(name, kind, text)
            yield f"{name} {value:.0f}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _histogram(label: str, steps: Sequence[float], total: float) -> Iterator[str]:
    if not any(steps):
        return
    below = 0.0
    for bound, times in zip((*map(str, BOUNDS), "+Inf"), steps, strict=True):
        below += times
        yield f'modelyard_request_seconds_bucket{{{label},le="{bound}"}} {below:.0f}'
    yield f"modelyard_request_seconds_sum{{{label}}} {total:.6f}"
    yield f"modelyard_request_seconds_count{{{label}}} {below:.0f}"


def _label(name: str, value: str) -> str:
    safe = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{safe}"'
