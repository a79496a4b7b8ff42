"""The code a model was made with: commit, branch, dirty flag and remote of the working directory.

``git status`` takes 1.6 to 40 ms, so it runs beside the packing of the model and is waited for at the end.
Format: git-status(1), "Porcelain Format Version 2".

Git obeys what a repository says, so it is asked with care: none of the repository's hooks or file system monitors run,
a bare repository that happens to lie in the working directory is not entered, nobody is asked for a password, and the
working directory alone decides, whatever ``GIT_DIR`` and its kind say (inside a hook they name another repository).
That a repository belongs to somebody else is left to git, which then refuses (git-config(1), ``safe.directory``).
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROGRAM: Final = (
    *("git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", "safe.bareRepository=explicit"),
)
"""How every command begins. The price: a large work tree does without its file system monitor."""

COMMAND = (*PROGRAM, "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
TIMEOUT = 10.0
"""Seconds after which a slow work tree is left out of the record rather than waited for."""

_POINTERS: Final = frozenset(
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES "
    "GIT_PREFIX GIT_NAMESPACE GIT_GRAFT_FILE GIT_SHALLOW_FILE GIT_REPLACE_REF_BASE GIT_IMPLICIT_WORK_TREE "
    "GIT_CONFIG".split()
)
"""What points git at another repository than the one around the working directory (``git rev-parse --local-env-vars``,
but for the variables that hand settings down: they are the caller's own)."""


def surroundings() -> dict[str, str]:
    """The environment in which git is run: it takes no locks for its own convenience and asks nobody anything."""
    kept = {name: value for name, value in os.environ.items() if name not in _POINTERS}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def marker(folder: str | Path) -> Path | None:
    """The nearest ``.git`` (a folder, or in linked work trees a file) at or above ``folder``."""
    place, above = os.fspath(folder), ""
    while place != above:
        found = os.path.join(place, ".git")
        if os.path.exists(found):
            return Path(found)
        place, above = os.path.dirname(place), place
    return None


@dataclass(slots=True)
class Lookup:
    """A ``git status`` under way; outside a work tree there is none and the result is ``None``.

    Attributes:
        process: What was started.
        marker: The ``.git`` it was started for.
        failure: Why it could not be started.
    """

    process: subprocess.Popen[bytes] | None = None
    marker: Path | None = None
    failure: str = ""

    @classmethod
    def start(cls, folder: Path | None = None) -> Lookup:
        """Begin to look; never fails."""
        try:
            place = folder or os.getcwd()
        except OSError:  # the working directory is gone
            return cls()
        if (found := marker(place)) is None:
            return cls()
        try:
            process = subprocess.Popen(
                COMMAND,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=surroundings(),
            )
        except OSError as error:
            return cls(failure=f"the program {COMMAND[0]!r} cannot be run: {error.strerror or error}")
        return cls(process, found)

    def result(self) -> dict[str, Any] | None:
        """``commit``, ``branch``, ``dirty`` and ``remote``; ``{"unknown": why}`` if git did not say; ``None`` outside.

        ``commit`` is ``None`` before the first one, ``branch`` when detached, ``remote`` if there is none that can be
        told without telling a secret. Untracked files do not count as dirty.
        """
        if self.process is None:
            return {"unknown": self.failure} if self.failure else None
        output = self._output(time.monotonic() + TIMEOUT)
        if output is None:
            self.abandon()
            return {"unknown": f"git did not answer within {TIMEOUT:g} s"}
        if code := self.process.wait():
            return {"unknown": f"git status ended with code {code}; run it there to see why"}
        from modelyard.adapters import git_remote  # 1 ms that only a work tree pays

        state = read_status(output)
        assert self.marker is not None  # noqa: S101 - narrows the type: a process was started for one
        return {**state, "remote": git_remote.of(self.marker, state["branch"])}

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
