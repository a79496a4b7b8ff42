"""The folder that models are written into on their way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelyard.client.staging import staging


def test_a_thread_has_one_folder_and_finds_it_empty() -> None:
    with staging() as first:
        (first / "model").write_bytes(b"x")
        (first / "deep").mkdir()
        (first / "deep" / "more").write_bytes(b"x")
    with staging() as second:
        assert list(second.iterdir()) == []
    with staging() as third:
        (third / "model").write_bytes(b"x")
    with staging() as fourth:
        assert fourth == third
        assert list(fourth.iterdir()) == []


def test_a_block_inside_a_block_and_another_thread_have_folders_of_their_own() -> None:
    others: list[Path] = []

    def elsewhere() -> None:
        with staging() as folder:
            others.append(folder)

    with staging() as outer, staging() as inner:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len({outer, inner, *others}) == 3
    assert not inner.exists()


def test_an_error_leaves_nothing_behind() -> None:
    def fail() -> None:
        with staging() as folder:
            (folder / "model").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with staging() as again:
        assert list(again.iterdir()) == []


def test_a_folder_that_somebody_swept_away_is_made_anew() -> None:
    with staging() as folder:
        pass
    shutil.rmtree(folder)
    with staging() as again:
        assert again.is_dir()


def test_a_child_uses_its_own_folder_and_the_last_one_out_removes_it(tmp_path: Path) -> None:
    script = """
import os, sys
from modelyard.client.staging import staging
with staging() as mine:
    print(mine, flush=True)
    child = os.fork()
    if child == 0:
        with staging() as deeper:
            pass
        import modelyard.client.staging as module
        module._HERE.busy = False
        with staging() as theirs:
            print(theirs, theirs == mine, flush=True)
        sys.exit(0)
    os.waitpid(child, 0)
    assert mine.is_dir()
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "False"
    assert list(tmp_path.iterdir()) == []
