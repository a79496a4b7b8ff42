"""Starting is quick because nothing is imported that the verb does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.verbs import SECTIONS, VERBS

HEAVY = (
    "sqlalchemy",
    "alembic",
    "yaml",
    "numpy",
    "joblib",
    "sklearn",
    "pysqlite3",
    "sqlite3",
    "modelyard.registry",
)


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    script = (
        "import sys\nfrom modelyard.cli.main import program\n"
        "try:\n    program.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = ran.stdout.rpartition("LOADED")[2].split()
    assert not [name for name in HEAVY if name in loaded]
    assert not [name for name in loaded if name.startswith("modelyard.cli.commands.")]


def test_help_names_every_verb_in_groups_and_every_exit_code(shell: Any) -> None:
    ran = shell("--help")
    assert ran.returncode == 0
    assert all(f"\n  {name} " in ran.stdout for name in VERBS)
    assert all(f"\n{title}:" in ran.stdout for title in SECTIONS)
    assert "130  interrupted" in ran.stdout
    assert all(len(line) <= 80 for line in ran.stdout.splitlines())


def test_without_words_the_program_explains_itself(shell: Any) -> None:
    ran = shell()
    assert ran.returncode == 0
    assert ran.stdout == shell("--help").stdout


def test_the_version_is_told(shell: Any) -> None:
    from importlib.metadata import version

    assert shell("--version").stdout == f"modelyard {version('modelyard')}\n"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_that_fits(cli: Any, name: str) -> None:
    out = cli(name, "--help").out
    assert VERBS[name] in out
    assert "Global options:" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_an_unknown_verb_is_answered_with_the_nearest(shell: Any) -> None:
    ran = shell("promot", "fraud")
    assert ran.returncode == 2
    assert "Did you mean 'promote'?" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_looking_makes_no_registry(shell: Any, place: Path) -> None:
    for words in (
        ("list",),
        ("search", "x"),
        ("stats",),
        ("monitor", "--once"),
        ("doctor",),
        ("status", "x"),
    ):
        shell(*words)
    assert not (place / "model_registry").exists()


def test_a_stream_that_cannot_spell_a_character_gets_its_escape(shell: Any, place: Path) -> None:
    (place / "m.bin").write_bytes(b"weights")
    words = ("register", "--model-path", "m.bin", "--name", "模型", "--version", "1.0.0")
    assert shell(*words, PYTHONIOENCODING="latin-1").returncode == 0
    ran = shell("list", PYTHONIOENCODING="latin-1")
    assert ran.returncode == 0
    assert "\\u6a21" in ran.stdout
