"""The lock file, the extras, the change log and the commands agree with pyproject.toml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import ROOT, project

LOCK = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
PINS = re.findall(r"^([A-Za-z0-9._-]+)==\S+", LOCK, re.MULTILINE)


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_file_pins_everything_that_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "requirements" / "inputs.py"], capture_output=True, text=True, check=True
    )
    wanted = {canonical(re.split(r"[\[<>=!~; ]", line)[0]) for line in done.stdout.splitlines()}
    assert "pytest" in wanted
    assert wanted - {canonical(name) for name in PINS} == set()


def test_the_build_backend_is_in_the_lock_file() -> None:
    backend = [canonical(re.split(r"[<>=]", line)[0]) for line in project()["build-system"]["requires"]]
    assert set(backend) <= {canonical(name) for name in PINS}


def test_every_pin_has_hashes() -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK)
    bare = [
        block.split()[0] for block in blocks if "==" in block.split("\n")[0] and "--hash=sha256:" not in block
    ]
    assert bare == []
    assert len(PINS) > 20


def test_the_extra_all_holds_every_other_extra_but_frameworks() -> None:
    extras = project()["project"]["optional-dependencies"]
    frameworks = set(project()["tool"]["modelyard"]["frameworks"])
    inside = re.fullmatch(r"modelyard\[(.*)\]", extras["all"][0])
    assert inside is not None
    assert set(inside[1].split(",")) == set(extras) - frameworks - {"all"}


def test_the_change_log_begins_with_what_is_unreleased_or_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert project()["project"]["version"] in headings[: 1 + (headings[0] == "Unreleased")]


def test_make_alone_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True, env=_plain()
    ).stdout
    assert [name for name in phony[1].split() if f"make {name} " not in listed] == []


def test_an_old_python_is_refused_in_plain_words(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "venv", "PYTHON=false", f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=_plain(),
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("script", [".ci/run"])
def test_a_shell_script_parses_and_may_be_executed(script: str) -> None:
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)
    assert os.access(ROOT / script, os.X_OK)


def _plain() -> dict[str, str]:
    """The environment without what an outer ``make`` hands to its children."""
    return {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
