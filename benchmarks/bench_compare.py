"""Comparing two versions on their per-example results, through the public class.

    python benchmarks/bench_compare.py [--rounds 9]

Both versions carry one file with 10,000 examples and two columns: ``correct``, judged by McNemar, and ``log_loss``,
judged by the paired bootstrap. A call finds both versions, reads and checks both files, pairs the examples, tests,
corrects and compares the rest. The floor is the resampling alone: as many means of as many drawn differences in NumPy,
without the standard error that each needs besides. Figures are medians in milliseconds.
"""

from __future__ import annotations

import io
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
from measuring import interleaved, keep, options, table, timed

from modelyard import ModelRegistry
from modelyard.adapters.statistics import RESAMPLES
from modelyard.settings import Settings

AIM = 1000.0
"""Milliseconds for 10,000 examples."""


def rows(examples: int, seed: int) -> dict[str, np.ndarray]:
    """Columns of a results file."""
    draw = np.random.default_rng(seed)
    loss = draw.exponential(0.4 - 0.005 * seed, examples)
    return {"example_id": np.arange(examples), "correct": loss < 0.7, "log_loss": loss}


def write(folder: Path, form: str, columns: dict[str, np.ndarray]) -> Path:
    """The file that a version carries."""
    path = folder / f"results.{form}"
    if form == "jsonl":
        listed = {name: values.tolist() for name, values in columns.items()}
        lines = (dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True))
        path.write_text("\n".join(map(json.dumps, lines)))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = io.BytesIO()
        pq.write_table(pa.table(columns), target)
        path.write_bytes(target.getvalue())
    return path


def floor(differences: np.ndarray) -> None:
    """The means of all draws and nothing else."""
    draw = np.random.default_rng(0)
    n = len(differences)
    step = max(1, (1 << 20) // n)
    for start in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - start)
        differences[draw.integers(0, n, (count, n), dtype=np.int32)].mean(axis=1)


def measure(folder: Path, examples: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of each way."""
    sides = [rows(examples, seed) for seed in (1, 2)]
    with ModelRegistry(folder / "registry", config=Settings()) as registry:
        for form in ("jsonl", "parquet"):
            for side in sides:
                artifacts = {f"results/test.{form}": write(folder, form, side)}
                registry.register_model(None, form, artifacts=artifacts)
        registry.register_model(None, "bare", performance_metrics={"accuracy": 0.9})
        registry.register_model(None, "bare", performance_metrics={"accuracy": 0.92})
        assert registry.compare_models("jsonl#1", "jsonl#2").confidence_kind == "statistical"
        differences = sides[1]["log_loss"] - sides[0]["log_loss"]
        found = interleaved(
            {
                "floor: means of draws": timed(lambda _: floor(differences)),
                "results.jsonl": timed(lambda _: registry.compare_models("jsonl#1", "jsonl#2")),
                "results.parquet": timed(lambda _: registry.compare_models("parquet#1", "parquet#2")),
                "bare numbers": timed(lambda _: registry.compare_models("bare#1", "bare#2")),
            },
            rounds,
            warm=1,
        )
    return {name: statistics.median(taken) * 1000 for name, taken in found.items()}


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.quick else 9)
    examples = 1_000 if given.quick else 10_000
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as folder:
        found = measure(Path(folder), examples, rounds)
    least = found["floor: means of draws"]
    shown = [
        (name, ms, f"x{ms / least:.2f}", AIM if name.startswith("results") else None)
        for name, ms in found.items()
    ]
    table((f"compare, {examples:,} examples (ms)", "median", "x floor", "aim"), shown)
    keep({"compare": {"examples": examples, **found}}, given.json)


if __name__ == "__main__":
    main()
