"""Memory over many thousand requests: what one of them leaves behind is next to nothing.

How much a server holds is a matter of what it keeps on purpose (pages of the database, buffers, verdicts, threads), all
of it bounded; what would never end is a little more for every request. So this counts requests, not seconds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from .running import Command
from .test_command import resident
from .test_soak import Caller

WARM, REQUESTS = 10_000, 30_000
"""Requests until most of what is kept on purpose is there, and in all."""
MOST = 512
"""Bytes that a request may leave. A server on a crowded machine was seen to keep 91: what is free goes back every 20
seconds, so that the line goes through teeth of some MiB."""
CALLERS = 3
PATIENCE = 600.0
PAUSE = 0.25
"""Seconds between two looks at the memory; they end nothing and judge nothing."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much y grows by for 1 of x, by least squares: one look may fall on a full buffer, the line does not."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


@pytest.mark.parametrize(
    ("points", "expected"), [([(0, 1), (1, 3), (2, 5)], 2), ([(0, 0), (1, 3), (2, 0)], 0)]
)
def test_the_line_is_the_one_of_least_squares(points, expected) -> None:
    assert slope(points) == expected


@pytest.mark.long
def test_F47_a_request_leaves_next_to_nothing_in_memory(tmp_path) -> None:
    with Command(tmp_path / "registry", "--no-auth", env={"MODELYARD_SERVER_ACCESS_LOG": "false"}) as server:
        until = time.monotonic() + PATIENCE
        callers = [Caller(server.url, server.port, number, until) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        looks = []
        while any(caller.is_alive() for caller in callers):
            time.sleep(PAUSE)
            looks.append((sum(caller.seen.total() for caller in callers), resident(server.pid)))
            if looks[-1][0] >= REQUESTS:
                for caller in callers:
                    caller.until = 0.0
    assert not [caller.failure for caller in callers if caller.failure]
    assert looks[-1][0] >= REQUESTS
    kept = slope([look for look in looks if look[0] >= WARM])
    print(f"{looks[-1][0]} requests, {kept:.0f} bytes each, {looks[0][1] >> 20} to {looks[-1][1] >> 20} MiB")
    assert kept < MOST
