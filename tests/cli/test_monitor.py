"""Watching a registry, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TIMEOUT = 30.0


def read_until(descriptor: int, wanted: str) -> str:
    """What a terminal shows, up to ``wanted``."""
    text = ""
    deadline = time.monotonic() + TIMEOUT
    while wanted not in text:
        assert time.monotonic() < deadline, f"{wanted!r} never came; so far: {text!r}"
        if select.select([descriptor], [], [], 0.5)[0]:
            text += os.read(descriptor, 65536).decode("utf-8", "replace")
    return text


def test_on_a_terminal_it_redraws_in_place_and_ctrl_c_ends_it_with_zero(fraud: Any, place: Path) -> None:
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "monitor", "--interval", "0.2"],
        cwd=place,
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm"},
    )
    try:
        os.close(there)
        text = read_until(here, "Ctrl-C ends")
        text += read_until(here, "Ctrl-C ends")
        process.send_signal(signal.SIGINT)
        text += read_until(here, "\x1b[?25h")
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()
        os.close(here)
    assert text.count("\x1b[H") >= 2
    assert "fraud" in text
    assert "Traceback" not in text


def test_elsewhere_one_block_follows_the_other_until_ctrl_c(fraud: Any, place: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "monitor", "--interval", "0.2"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    text = read_until(process.stdout.fileno(), "3 versions")
    text += read_until(process.stdout.fileno(), "3 versions")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert "\x1b" not in text + rest.decode()
    assert errors == b""


def test_one_look_shows_counts_what_is_live_events_storage(fraud: Any) -> None:
    out = fraud("monitor", "--once").out
    assert "1 model, 3 versions" in out
    assert "1 production" in out
    assert "1.1.0 (#2)" in out
    assert "ship 1.1.0" in out
    assert "version.promoted" in out
    assert "free" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_since_when_and_by_whom_is_data_too(fraud: Any) -> None:
    look = fraud("monitor", "--json").json
    (live,) = look["live"]
    assert live["model"] == "fraud"
    assert live["reason"] == "ship 1.1.0"
    assert live["by"]
    assert live["since"].endswith("Z")
    assert look["stats"]["total_versions"] == 3
    assert look["recent"][0]["action"].startswith("alias")


def test_where_nothing_is_yet_it_says_so_and_makes_nothing(cli: Any, place: Path) -> None:
    assert "no registry here yet" in cli("monitor", "--once").out
    assert list(place.iterdir()) == []
