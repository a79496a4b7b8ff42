"""A reader who does what a page says: one folder, one set of variables, one shell command after the other."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .pages import Block

SECONDS = 300
_LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Failed(AssertionError):
    """A block did not do what the page says; the message names page and line."""


class Reader:
    """Runs blocks in ``folder``, which becomes the current directory of the commands (and must be of the process)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, Any] = {"__name__": "__main__"}

    def follow(self, block: Block) -> None:
        """Run, write or pass over one block."""
        if block.file is not None:
            self._write(block.file, block.text)
        elif block.runs:
            {"python": self._python, "bash": self._bash, "console": self._console}[block.language](block)

    def _write(self, name: str, text: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def _python(self, block: Block) -> None:
        if ">>> " in block.text:
            self._session(block)
            return
        padded = "\n" * (block.line - 1) + block.text  # so that a traceback shows the page's own lines
        exec(compile(padded, str(block.page), "exec"), self.variables)

    def _session(self, block: Block) -> None:
        """A block with prompts, as a doctest."""
        test = doctest.DocTestParser().get_doctest(
            block.text, self.variables, "", str(block.page), block.line - 1
        )
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=_LOOSE, verbose=False)
        runner.run(test, out=report.append, clear_globs=False)
        self.variables.update(test.globs)
        if runner.failures:
            raise Failed(f"{block.page}:{block.line}\n{''.join(report)}")

    def _bash(self, block: Block) -> None:
        self._shell(block.text, f"{block.page}:{block.line}")

    def _console(self, block: Block) -> None:
        for offset, command, expected in commands(block.text):
            where = f"{block.page}:{block.line + offset}"
            found = self._shell(command, where)
            if expected.strip() and not doctest.OutputChecker().check_output(expected, found, _LOOSE):
                raise Failed(f"{where}: `{command}`\n--- the page says\n{expected}\n--- it printed\n{found}")

    def _shell(self, script: str, where: str) -> str:
        """Both output streams of a script that must succeed."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{where}: exit code {done.returncode}\n{script}\n{done.stdout}")
        return done.stdout


def commands(text: str) -> list[tuple[int, str, str]]:
    """``(line offset, command, expected output)`` of each ``$ `` line; a trailing backslash continues the command."""
    found: list[tuple[int, str, str]] = []
    continued = False
    for offset, line in enumerate(text.splitlines()):
        if continued or line.startswith("$ "):
            command = line.removeprefix("$ ")
            if continued:
                start, before, _ = found.pop()
                found.append((start, f"{before}\n{command}", ""))
            else:
                found.append((offset, command, ""))
            continued = line.endswith("\\")
        elif found:
            start, command, expected = found.pop()
            found.append((start, command, f"{expected}{line}\n"))
    return found
