"""Many processes that begin at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("workers.py")


class Crowd:
    """Processes of ``workers.py`` that are opened, and wait."""

    def __init__(self, folder: Path, tasks: Sequence[Sequence[object]]) -> None:
        commands = [
            [sys.executable, str(PROGRAM), task[0], str(folder), *map(str, task[1:])] for task in tasks
        ]
        self.members = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for command in commands
        ]
        for member in self.members:
            if member.stdout is None or member.stdout.readline() != "ready\n":
                self.stop()
                raise AssertionError(member.communicate()[1])

    def start(self) -> Crowd:
        """Let all of them go."""
        for member in self.members:
            assert member.stdin is not None
            member.stdin.write("go\n")
            member.stdin.flush()
        return self

    def answers(self) -> list[Any]:
        """What each printed; fails with the first one's traceback."""
        found = []
        try:
            for member in self.members:
                output, error = member.communicate(timeout=300)
                assert member.returncode == 0, error
                found.append(json.loads(output))
        finally:
            self.stop()
        return found

    def stop(self) -> None:
        """Leave no process behind, whatever happened."""
        for member in self.members:
            if member.poll() is None:
                member.kill()
                member.communicate()


def run(folder: Path, tasks: Sequence[Sequence[object]]) -> list[Any]:
    """Start one process per task at once and return their answers in order."""
    return Crowd(folder, tasks).start().answers()
