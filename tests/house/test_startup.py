"""Starting is cheap because nothing heavy is imported before it is needed.

Times are not asserted, they differ by machine and minute; which modules are loaded does not.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "alembic",
    "asyncio",
    "joblib",
    "numpy",
    "pandas",
    "pysqlite3",
    "scipy",
    "skops",
    "sklearn",
    "safetensors",
    "sqlalchemy",
    "sqlite3",
    "yaml",
}

IMPORT = "import modelyard"
HELP = """
import sys
from modelyard.cli.main import main
sys.argv = ["modelyard", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


LATE = (
    "client.pack",
    "flavors.detect",
    "flavors.joblib",
    "scanning.scanner",
    "scanning.zips",
    "wire.codec",
    "remote",
)
"""Parts of our own that only writing, judging or a server needs."""


def loaded_after(program: str) -> set[str]:
    """Top-level modules that a fresh process holds after running ``program``, its own start-up aside."""
    return {name.partition(".")[0] for name in modules_after(program)}


def modules_after(program: str) -> list[str]:
    """All modules, by their full names."""
    code = f"import sys\nbefore = set(sys.modules)\n{program}\nprint('\\nLOADED', *set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = done.stdout.splitlines()[-1]
    assert line.startswith("LOADED")
    return line.split()[1:]


@pytest.mark.parametrize(
    ("program", "heavy"), [(IMPORT, HEAVY | {"click"}), (HELP, HEAVY)], ids=["import modelyard", "--help"]
)
def test_starting_loads_no_heavy_module(program: str, heavy: set[str]) -> None:
    assert loaded_after(program) & heavy == set()


def test_the_class_is_imported_without_what_only_writing_needs() -> None:
    loaded = modules_after("from modelyard import ModelRegistry")
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert {f"modelyard.{part}" for part in LATE}.isdisjoint(loaded)
    assert len([name for name in loaded if name.startswith("modelyard.")]) < 170


def test_the_probe_sees_a_heavy_module_when_there_is_one() -> None:
    assert "yaml" in loaded_after("import yaml")
