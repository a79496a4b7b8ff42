"""However a run ends, it ends with a number, a sentence, and no traceback nobody asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.session import Session


def test_errors_are_one_sentence_and_no_traceback(shell: Any, weights: Path) -> None:
    shell("register", "--model-path", "weights.bin", "--name", "m")
    ran = shell("info", "m:9.9.9")
    assert ran.returncode == 3
    assert ran.stderr.startswith("modelyard: ")
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_debug_shows_the_traceback(shell: Any, weights: Path) -> None:
    shell("register", "--model-path", "weights.bin", "--name", "m")
    ran = shell("info", "m:9.9.9", "--debug")
    assert ran.returncode == 3
    assert "Traceback" in ran.stderr


def test_a_place_that_cannot_be_written_is_a_storage_error(cli: Any, weights: Path) -> None:
    words = ("register", "--model-path", "weights.bin", "--name", "m", "--registry", "weights.bin/sub")
    assert "Traceback" not in cli(*words, code=7).err


def test_a_defect_is_told_without_a_traceback(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Session, *, create: bool = False) -> Any:
        raise ZeroDivisionError("by \x1b[31m zero")

    monkeypatch.setattr(Session, "open", broken)
    ran = cli("history", code=1)
    assert "please report" in ran.err
    assert "--debug" in ran.err
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err


def test_a_reader_that_goes_away_is_no_error(fraud: Any, place: Path) -> None:
    command = f"{sys.executable} -m modelyard policy show fraud; echo ended $? >&2"
    reading = subprocess.run(
        ["bash", "-c", f"({command}) | true"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert reading.stderr == "ended 0\n"


def test_ctrl_c_ends_with_130_and_without_a_traceback(place: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "policy", "set", "m", "-"],
        cwd=place,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    status = Path(f"/proc/{process.pid}/wchan")
    for _ in range(2000):  # until it waits for its input
        if "pipe" in (status.read_text() if status.exists() else ""):
            break
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Traceback" not in errors


def test_colour_is_for_terminals_and_for_those_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Session().paint("live", "good") == "\x1b[32mlive\x1b[0m"
    assert Session(color=False).paint("live", "good") == "live"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Session().paint("live", "good") == "live"


def test_a_table_fills_a_wider_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "132")
    assert Session().width == 132
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert Session().width == 80


@pytest.mark.parametrize("name", ["experiment", "alias", "token", "session", "audit", "policy", "config"])
def test_a_verb_of_several_shows_its_help_where_none_of_them_is_named(cli: Any, name: str) -> None:
    ran = cli(name, code=2)
    assert ran.out == ""
    assert ran.err == cli(name, "--help").out
    assert "Commands:" in ran.err
    assert "Missing command" in cli("--json", name, code=2).err
