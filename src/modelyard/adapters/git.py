"""The code a model was made with: commit, branch and dirty flag of the working directory.

``git status`` takes 1.6 to 40 ms, so it runs beside the packing of the model and is waited for at the end.
Format: git-status(1), "Porcelain Format Version 2".
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = ("git", "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
TIMEOUT = 10.0
"""Seconds after which a slow work tree is left out of the record rather than waited for."""


@dataclass(slots=True)
class Lookup:
    """A ``git status`` under way; outside a work tree, or without ``git``, there is none and the result is ``None``."""

    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path | None = None) -> Lookup:
        """Begin to look; never fails."""
        place = folder or Path.cwd()
        if not any(os.path.exists(os.path.join(p, ".git")) for p in (place, *place.parents)):
            return cls()
        try:
            process = subprocess.Popen(
                COMMAND,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )
        except OSError:
            return cls()
        return cls(process)

    def result(self) -> dict[str, Any] | None:
        """``{"commit": ..., "branch": ..., "dirty": ...}``; ``None`` if there is nothing to tell."""
        if self.process is None:
            return None
        output = self._output(time.monotonic() + TIMEOUT)
        if output is None:
            self.abandon()
            return None
        return read_status(output) if self.process.wait() == 0 else None

    def _output(self, deadline: float) -> bytes | None:
        """All that it prints, or ``None`` if that takes too long.

        ``communicate(timeout=...)`` would do, but it asks for the end by sleeping half a millisecond and more.
        """
        assert self.process is not None  # noqa: S101 - narrows the type
        assert self.process.stdout is not None  # noqa: S101 - narrows the type
        pipe = self.process.stdout.fileno()
        pieces: list[bytes] = []
        poll = select.poll()
        poll.register(pipe)
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if not (piece := os.read(pipe, 1 << 16)):
                self.process.stdout.close()
                return b"".join(pieces)
            pieces.append(piece)
        return None

    def abandon(self) -> None:
        """Stop looking, as when packing failed; leaves no process behind."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


def read_status(output: bytes) -> dict[str, Any]:
    """Commit (``None`` before the first), branch (``None`` when detached) and whether tracked files differ."""
    lines = output.decode("utf-8", "replace").splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(line and not line.startswith("#") for line in lines),
    }
