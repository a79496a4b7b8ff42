"""The bar shows what takes long, and only that."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from modelyard.cli.progress import Bar
from modelyard.cli.session import Session


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def bar(total: int, title: str = "hashing") -> tuple[Bar, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return Bar(stream, title, total, 80, clock), stream, clock


def test_nothing_shows_in_the_first_second() -> None:
    progress, stream, clock = bar(1000)
    clock.now = 0.9
    progress(500)
    progress(500)
    assert stream.getvalue() == ""


def test_after_a_second_bytes_share_and_rate_show() -> None:
    progress, stream, clock = bar(4 << 20)
    clock.now = 2.0
    progress(2 << 20)
    assert "50%" in stream.getvalue()
    assert "2.0 MiB of 4.0 MiB" in stream.getvalue()
    assert "1.0 MiB/s" in stream.getvalue()


def test_one_file_of_many_counts_the_delay_from_the_first() -> None:
    stream, clock = io.StringIO(), Clock()
    clock.now = 5.0
    progress = Bar(stream, "part-7", 100, 80, clock, since=0.0)
    clock.now = 5.2
    progress(50)
    assert "part-7" in stream.getvalue()


def test_the_line_is_wiped_at_the_end() -> None:
    progress, stream, clock = bar(100)
    clock.now = 2.0
    progress(50)
    progress(50)
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_bar_is_not_drawn_more_than_ten_times_a_second() -> None:
    progress, stream, clock = bar(10**9)
    for step in range(1000):
        clock.now = 2.0 + step / 1000
        progress(1)
    assert stream.getvalue().count("\r") <= 11


def test_an_unknown_total_shows_bytes_alone_and_no_line_is_too_wide() -> None:
    progress, stream, clock = bar(0, "copying \x1b[31m" + "x" * 200)
    clock.now = 3.0
    progress(3 << 20)
    line = stream.getvalue().removeprefix("\r").removesuffix("\x1b[K")
    assert "3.0 MiB" in line
    assert "\x1b" not in line
    assert len(line) < 80


def test_registering_on_a_terminal_draws_the_bar_and_wipes_it(place: Path) -> None:
    (place / "big.bin").write_bytes(os.urandom(1 << 20) * 48)
    program = (
        "import sys, modelyard.cli.progress as p; p.DELAY = p.REDRAW = 0.0; from modelyard.cli.main import main; "
        "sys.argv[1:] = ['register', '--model-path', 'big.bin', '--name', 'big']; main()"
    )
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=place, stdout=subprocess.PIPE, stderr=there, env=os.environ
    )
    os.close(there)
    shown = b""
    try:
        while piece := os.read(here, 65536):
            shown += piece
    except OSError:  # what Linux answers once nobody holds the other end
        pass
    finally:
        os.close(here)
    assert process.communicate(timeout=60)[0].startswith(b"registered big:0.1.0")
    assert process.returncode == 0
    text = shown.decode()
    assert "of 48.0 MiB" in text
    assert "big.bin" in text
    assert "\r\x1b[K" in text


def test_a_note_takes_the_place_of_a_bar(capsys) -> None:
    session = Session(location="r")
    session.note("before")
    session._bar("sending", 100)
    session.note("beside")
    assert capsys.readouterr().err == "modelyard: before\n\r\x1b[Kmodelyard: beside\n"
