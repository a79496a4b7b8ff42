"""Registering one more version of a small scikit-learn model, beside a durable floor and two peers, in one run.

    python benchmarks/bench_register.py [--rounds 200]

Three comparisons, each with a floor of its own: alone, inside a git work tree (where the commit is recorded, at the
price of a ``git status``), and beside the peers. Every round of one registers once in each way, in turns, so that a
busy moment hits all alike. The peers run in an environment of their own, made by hand:

    python -m venv benchmarks/.peers
    benchmarks/.peers/bin/pip install mlflow bentoml scikit-learn

``PEER_PYTHON`` names another interpreter; without either the peers are left out. None of the peers syncs what it
writes to the disk; the floor and the registry do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring import Timer, child_environment, interleaved, keep, options, summary, table, timed
from work import Floor, Work, register

HERE = Path(__file__).parent
PEERS = {
    "bentoml": ("BentoML save_model", "BentoML models.create"),
    "mlflow": ("MLflow version only", "MLflow run and version", "MLflow log_model"),
}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
}


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    rounds = given.rounds or (15 if given.quick else 200)
    figures = {}
    for title, make in (("alone", alone), ("in a git work tree", in_git), ("beside peers", beside_peers)):
        with ExitStack() as stack:
            place = stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-"))
            ways = make(stack, Path(place))
            if ways is None:
                continue
            taken = interleaved(ways, rounds, warm=10)
        figures[title] = {name: summary(seconds) for name, seconds in taken.items()}
        report(title, figures[title])
    keep({"register": figures}, given.json)


def alone(stack: ExitStack, folder: Path) -> dict[str, Timer]:
    """Floor and registry, with a working directory that is in no git work tree."""
    from modelyard import ModelRegistry
    from modelyard.settings import Settings

    work = Work()
    floor = Floor(folder / "floor", work)
    stack.callback(floor.close)
    registry = stack.enter_context(ModelRegistry(folder / "registry", config=Settings()))
    stack.callback(os.chdir, Path.cwd())
    os.chdir(folder)

    def through(number: int) -> str:
        return register(registry, work, number)

    return {"floor": timed(floor.register), "modelyard": timed(through)}


def in_git(stack: ExitStack, folder: Path) -> dict[str, Timer]:
    """The same from inside a work tree."""
    ways = alone(stack, folder)
    os.chdir(work_tree(folder / "tree"))
    return ways


def beside_peers(stack: ExitStack, folder: Path) -> dict[str, Timer] | None:
    """Floor, registry and every form of every peer."""
    found = peers(stack, folder)
    return {**alone(stack, folder), **found} if found else None


def work_tree(folder: Path) -> Path:
    """A git work tree of 200 files with one commit."""
    folder.mkdir()
    for number in range(200):
        (folder / f"file_{number}.py").write_text(f"number = {number}\n" * 20)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "all")):
        subprocess.run(("git", *command), cwd=folder, check=True)
    return folder


def peer_python() -> Path | None:
    """The interpreter that has the peers, if there is one."""
    path = Path(os.environ.get("PEER_PYTHON") or HERE / ".peers" / "bin" / "python")
    return path if path.exists() else None


def peers(stack: ExitStack, folder: Path) -> dict[str, Timer]:
    """A timer for each form of each peer that is installed."""
    python = peer_python()
    if python is None:
        print(
            "No peers: see the top of benchmarks/bench_register.py for how to install them.", file=sys.stderr
        )
        return {}
    found: dict[str, Timer] = {}
    for package, forms in PEERS.items():
        if subprocess.run((python, "-c", f"import {package}"), capture_output=True, check=False).returncode:
            print(f"{python} cannot import {package}; it is left out.", file=sys.stderr)
            continue
        for form in forms:
            home = folder / form.replace(" ", "-")
            home.mkdir()
            found[form] = asked(stack.enter_context(_running(python, form, home)), form, home)
    return found


def _running(python: Path, form: str, home: Path) -> subprocess.Popen[str]:
    with (home / "errors").open("w") as errors:
        return subprocess.Popen(
            (python, HERE / "peer.py", form, home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=child_environment(**QUIET),
            cwd=home,
        )


def asked(process: subprocess.Popen[str], form: str, home: Path) -> Timer:
    """A timer that lets the peer do one round and takes its word for the time."""
    asking: Any = process.stdin
    telling: Any = process.stdout

    def answer() -> str:
        line = telling.readline()
        if not line:
            raise SystemExit(f"{form} failed:\n{(home / 'errors').read_text()[-3000:]}")
        return line

    answer()

    def timer(number: int) -> float:
        print(number, file=asking, flush=True)
        return float(answer())

    return timer


def report(title: str, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print milliseconds and multiples of the floor."""
    floor = figures["floor"]["median_ms"]
    rows = [
        (name, one["median_ms"], one["p95_ms"], one["min_ms"], one["median_ms"] / floor)
        for name, one in figures.items()
    ]
    table((f"{title} (ms)", "median", "p95", "min", "x floor"), rows)
    print()


if __name__ == "__main__":
    main()
