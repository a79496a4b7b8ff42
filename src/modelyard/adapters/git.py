"""The code a model was made with: commit, branch and dirty flag of the working directory.

``git status`` takes 1.6 to 40 ms, so it runs beside the packing of the model and is waited for at the end.
Format: git-status(1), "Porcelain Format Version 2".
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = ("git", "status", "--porcelain=v2", "--branch", "--untracked-files=no")
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
        try:
            output, _ = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return None
        return read_status(output) if self.process.returncode == 0 else None

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
