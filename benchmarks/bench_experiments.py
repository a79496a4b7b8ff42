"""A/B tests: assignments a second, durable outcomes, the verdict over many of them, and false winners.

    python benchmarks/bench_experiments.py

Outcomes are measured against the floor of this disk: one page appended and synced, as a commit at least does.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from measuring import interleaved, keep, options, summary, table, timed

ASSIGNMENTS_A_SECOND = 10_000
OUTCOMES = {"quick": 2_000, "full": 200_000}


def prepare(folder: Path) -> object:
    """A test between two versions without files."""
    from modelyard import ModelABTest, ModelRegistry
    from modelyard.settings import Settings

    registry = ModelRegistry(folder / "registry", config=Settings())
    for _ in range(2):
        registry.register_model(None, "bench")
    return ModelABTest("bench", 1, 2, registry=registry)


def assignments(test, rounds: int) -> float:
    """Assignments a second, each of another user."""
    begun = time.perf_counter()
    for number in range(rounds):
        test.assign(number)
    return rounds / (time.perf_counter() - begun)


def floor(folder: Path):
    """One page, appended and synced."""
    descriptor = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY, 0o600)
    page = os.urandom(4096)

    def append(_: int) -> None:
        os.write(descriptor, page)
        os.fdatasync(descriptor)

    return append


def main() -> None:
    """Run and report."""
    given = options(__doc__).parse_args()
    size = "quick" if given.quick else "full"
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as name:
        folder = Path(name)
        test = prepare(folder)
        rate = assignments(test, 2_000 if given.quick else 50_000)
        one = {
            "one page, synced": timed(floor(folder)),
            "one outcome": timed(lambda turn: test.record_outcome(test.assign(turn), correct=True)),
            "100 outcomes": timed(
                lambda turn: test.record_outcomes(
                    {"variant": test.assign(f"{turn} {i}"), "correct": i % 2 > 0} for i in range(100)
                )
            ),
        }
        taken = interleaved(one, 20 if given.quick else 200)
        for start in range(0, OUTCOMES[size], 10_000):
            test.record_outcomes(
                {"variant": test.assign(f"many {start + i}"), "correct": i % 2 > 0}
                for i in range(min(10_000, OUTCOMES[size]))
            )
        taken |= interleaved({f"verdict over {OUTCOMES[size]:,}": timed(lambda _: test.verdict())}, 3, warm=1)
        test.registry.close()
    figures = {title: summary(seconds) for title, seconds in taken.items()}
    table(
        ("A/B test (ms)", "median", "p95", "least"),
        [(title, one["median_ms"], one["p95_ms"], one["min_ms"]) for title, one in figures.items()],
    )
    print(f"{rate:,.0f} assignments a second (aim: at least {ASSIGNMENTS_A_SECOND:,})")
    keep({"experiments": figures, "assignments_a_second": round(rate)}, given.json)


if __name__ == "__main__":
    main()
