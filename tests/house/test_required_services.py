"""A service that is required may not be missing quietly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import ROOT

SUITE = """
import pytest

def test_faults():
    pytest.skip("strace is not installed")

def test_other():
    pytest.skip("only on other file systems")
"""


def outcome(folder: Path, require: str) -> tuple[int, str]:
    """Exit code and output of a small suite under this project's conftest."""
    tests = folder / "tests"
    shutil.copytree(ROOT / "tests" / "services", tests / "services")
    shutil.copy(ROOT / "tests" / "conftest.py", tests)
    (tests / "test_some.py").write_text(SUITE)
    mode = ("-p", "no:cacheprovider", "--import-mode=importlib")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", *mode, "--rootdir", folder, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "MODELYARD_REQUIRE": require},
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("require", ["all", "strace", " strace ,"])
def test_a_skip_for_a_required_service_is_a_failure(tmp_path: Path, require: str) -> None:
    code, text = outcome(tmp_path, require)
    assert code == 1
    assert "1 failed, 1 skipped" in text
    assert "strace is required here" in text


def test_a_skip_stays_a_skip_where_nothing_is_required(tmp_path: Path) -> None:
    code, text = outcome(tmp_path, "")
    assert code == 0
    assert "2 skipped" in text


def test_the_header_names_each_service(tmp_path: Path) -> None:
    assert "service strace: " in outcome(tmp_path, "")[1]


def test_a_service_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    code, text = outcome(tmp_path, "starce")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "failed" not in text
