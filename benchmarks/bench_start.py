"""How long a whole process takes: import, --help, status, and loading a model by alias.

    python benchmarks/bench_start.py [--parts tool,small,forest]

Medians of fresh processes, in turns with a bare interpreter of the same environment. Bytecode is cached and warm:
with PYTHONDONTWRITEBYTECODE set, such figures mean nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import child_environment, interleaved, keep, options, summary, table, timed
from work import NAME, Work, register

# Row, what it is compared with, aim, and whether the aim (ms) is for the difference or for the whole.
AIMS = (
    ("import modelyard", "bare python", 50, "over bare"),
    ("modelyard --help", "bare python", 100, "whole"),
    ("modelyard status NAME", "bare python", 300, "whole"),
    ("load by alias, small", "joblib.load, small", 150, "over floor"),
    ("load by alias, forest", "joblib.load, forest", 150, "over floor"),
)

# What is measured in turns with each other, by part; every part has the bare interpreter beside.
PARTS = {
    "tool": ("import modelyard", "import modelyard, class", "modelyard --help", "modelyard status NAME"),
    "small": ("joblib.load, small", "load by alias, small"),
    "forest": ("joblib.load, forest", "load by alias, forest"),
}


def prepare(folder: Path, trees: int) -> dict[str, tuple[str, ...]]:
    """A registry with two models that an alias names, and every command by name."""
    import joblib
    import numpy
    from sklearn.ensemble import RandomForestRegressor

    from modelyard import ModelRegistry
    from modelyard.settings import Settings

    work = Work()
    with ModelRegistry(folder / "registry", config=Settings()) as registry:
        first = register(registry, work, 0)
        registry.promote_model(first, "production", reason="bench")
        registry.promote_model(register(registry, work, 1), "production", reason="bench")
        registry.set_alias(NAME, "champion", first)
        inputs = numpy.random.default_rng(3).random((8000, 5))
        forest = RandomForestRegressor(n_estimators=trees, n_jobs=2).fit(inputs, inputs.prod(axis=1))
        registry.register_model(forest, "forest", alias="champion")
    joblib.dump(work.model, folder / "small.joblib")
    joblib.dump(forest, folder / "forest.joblib")
    return commands(folder)


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    """Every process to start, by name."""
    python, tool = sys.executable, str(Path(sys.executable).with_name("modelyard"))
    place = str(folder / "registry")

    def load(name: str) -> tuple[str, ...]:
        text = f"from modelyard import ModelRegistry; ModelRegistry({place!r}).load_model({name!r})"
        return python, "-c", text

    def floor(file: str) -> tuple[str, ...]:
        return python, "-c", f"import joblib; joblib.load({str(folder / file)!r})"

    return {
        "bare python": (python, "-c", "pass"),
        "import modelyard": (python, "-c", "import modelyard"),
        "import modelyard, class": (python, "-c", "from modelyard import ModelRegistry"),
        "modelyard --help": (tool, "--help"),
        "modelyard status NAME": (tool, "--registry", place, "status", NAME),
        "joblib.load, small": floor("small.joblib"),
        "load by alias, small": load(f"{NAME}@champion"),
        "joblib.load, forest": floor("forest.joblib"),
        "load by alias, forest": load("forest@champion"),
    }


def run(command: tuple[str, ...], folder: Path) -> None:
    """One process, from start to end; what it prints is thrown away."""
    null = subprocess.DEVNULL
    subprocess.run(command, cwd=folder, env=child_environment(), stdout=null, stderr=null, check=True)


def measure(asked: dict[str, tuple[str, ...]], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each process by name, in turns."""
    timers = {title: timed(lambda _, one=one: run(one, folder)) for title, one in asked.items()}
    return interleaved(timers, rounds, warm=2)


def report(taken: dict[str, list[float]], figures: dict[str, dict[str, float]]) -> None:
    """Print one part."""
    rows = []
    for title, one in figures.items():
        aim = next((row for row in AIMS if row[0] == title), None)
        over = one["median_ms"] - statistics.median(taken[aim[1] if aim else "bare python"]) * 1000
        rows.append((title, one["median_ms"], one["p95_ms"], over, f"{aim[2]} {aim[3]}" if aim else None))
    table(("whole process (ms)", "median", "p95", "over", "aim"), rows)


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="some of them")
    given = parser.parse_args()
    kept: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as name:
        folder = Path(name)
        asked = prepare(folder, 5 if given.quick else 100)
        size = (folder / "forest.joblib").stat().st_size
        for part in given.parts.split(","):
            chosen = {title: asked[title] for title in ("bare python", *PARTS[part])}
            taken = measure(chosen, folder, 3 if given.quick else 21)
            figures = {title: summary(seconds) for title, seconds in taken.items()}
            report(taken, figures)
            kept = figures | kept
    print(f"forest: {size / 1e6:.0f} MB")
    keep({"start": kept, "forest_bytes": size}, given.json)


if __name__ == "__main__":
    main()
