"""The layers hold, and each kind of violation is really caught."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT, dotted, modules, syntax

LAYERS = "A layer imports only what is below it"
PURE = "Rules, interfaces, scanning and use cases"
CYCLES = "Within a layer, files do not import each other"

PLANTS = {
    "a sibling is imported": ("service/planted.py", "import modelyard.adapters\n", LAYERS),
    "a lower layer imports a higher one": ("domain/planted.py", "import modelyard.ports\n", LAYERS),
    "a folder has no place": ("oddments/__init__.py", "", LAYERS),
    "a rule opens a database": ("domain/planted.py", "import sqlite3\n", PURE),
    "a use case knows the SQL toolkit, inside a function": (
        "service/planted.py",
        "def read():\n    import sqlalchemy\n",
        PURE,
    ),
    "scanning imports what it judges": ("scanning/planted.py", "import numpy\n", PURE),
    "two files import each other": (
        "adapters/planted.py",
        "import modelyard.adapters.metadata\n",
        CYCLES,
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, in a place where they may be broken."""
    shutil.copytree(PACKAGE, tmp_path / "src" / "modelyard", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the package below ``root``, not the installed one."""
    program = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", "pyproject.toml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "400", "PYTHONPATH": str(root / "src")},
    )


def broken(output: str) -> list[str]:
    """Names of the contracts that are reported as broken."""
    return [line for line in output.splitlines() if " BROKEN" in line]


def test_the_package_keeps_every_contract(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize("what", PLANTS)
def test_a_planted_violation_is_caught(copy: Path, what: str) -> None:
    where, code, contract = PLANTS[what]
    target = copy / "src" / "modelyard" / where
    target.parent.mkdir(exist_ok=True)
    target.write_text(f'"""Planted."""\n\n{code}')
    if contract == CYCLES:
        other = copy / "src" / "modelyard" / "adapters" / "metadata" / "__init__.py"
        other.write_text(f"{other.read_text()}\nimport modelyard.adapters.planted\n")
    result = lint(copy)
    assert result.returncode != 0, result.stdout
    assert any(line.startswith(contract) for line in broken(result.stdout)), result.stdout


def test_domain_and_scanning_need_only_the_standard_library() -> None:
    # pandas: only inside `Comparison.to_frame`, for whoever asks for a frame
    allowed = {"domain": {"semver", "rfc8785", "pandas"}, "scanning": set[str]()}
    strangers = [
        f"{dotted(path)} imports {name}"
        for path in modules()
        for layer, extra in allowed.items()
        if path.is_relative_to(PACKAGE / layer)
        for name in sorted(_imported(path))
        if name not in sys.stdlib_module_names | extra | {"modelyard", "_typeshed"}
    ]
    assert strangers == []


def _imported(path: Path) -> set[str]:
    """Top-level names of everything a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.add((node.module or "").partition(".")[0])
    return found
