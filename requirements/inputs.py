"""Print what an environment has to hold.

``python inputs.py`` is for ``dev.txt``: runtime, every extra but the heavy ones (``tool.modelyard.heavy``), and the
development group. ``python inputs.py frameworks`` is for the environment of ``make test-frameworks``: the heavy ones,
within ``frameworks.txt``, and what testing them needs.
The extra ``all`` refers to the package itself, which a lock file with hashes cannot hold; its parts are all here.
"""

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
HEAVY = set(PROJECT["tool"]["modelyard"]["heavy"])
TESTING = (
    "coverage",
    "editables",
    "hatchling",
    "hypothesis",
    "pytest",
    "pytest-cov",
    "pytest-timeout",
    "pytest-xdist",
)
"""What of the development group the tests of the heavy ones need."""


def _each_once(lines: Iterable[str]) -> list[str]:
    return sorted({line for line in lines if not line.startswith(f"{PROJECT['project']['name']}[")})


def development() -> list[str]:
    """Requirement lines of the one environment that everything but the heavy frameworks is tested in."""
    extras = [line for name, lines in EXTRAS.items() if name not in HEAVY for line in lines]
    return _each_once([*PROJECT["project"]["dependencies"], *extras, *PROJECT["dependency-groups"]["dev"]])


def frameworks() -> list[str]:
    """Requirement lines of the environment for the heavy ones."""
    # xgboost's own wheel brings a gigabyte of GPU code; what is tested is the same library without it.
    extras = [line for name in HEAVY - {"xgboost"} for line in EXTRAS[name]]
    extras += [line for name in ("sklearn", "stats", "client", "server") for line in EXTRAS[name]]
    extras += [
        "jax",
        "lz4",
        "pandas",
        "skops",
    ]  # Keras is tested on another backend too; the others for our fixtures
    testing = [line for line in PROJECT["dependency-groups"]["dev"] if line.startswith(TESTING)]
    return _each_once([*PROJECT["project"]["dependencies"], *extras, *testing])


if __name__ == "__main__":
    print(*(frameworks() if sys.argv[1:] == ["frameworks"] else development()), sep="\n")
