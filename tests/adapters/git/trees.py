"""Real work trees for tests, made by a git that reads nobody's own configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

IDENTITY = {
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(folder: Path, *command: str) -> str:
    """What git prints."""
    done = subprocess.run(
        ["git", *command],
        cwd=folder,
        env={**os.environ, **IDENTITY},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def make_tree(folder: Path) -> Path:
    """A work tree on branch ``trunk`` with one commit of one file, ``train.py``."""
    folder.mkdir(exist_ok=True)
    run(folder, "init", "--initial-branch=trunk")
    (folder / "train.py").write_text("print(1)\n")
    run(folder, "add", ".")
    run(folder, "commit", "-m", "first")
    return folder


def commit(folder: Path, text: str = "print(2)\n") -> str:
    """Change the file, commit it, and give the commit's id."""
    (folder / "train.py").write_text(text)
    run(folder, "commit", "--all", "-m", "next")
    return run(folder, "rev-parse", "HEAD")


def trap(folder: Path) -> Path:
    """Everything by which a repository could run a program when it is looked at; the file given must not appear."""
    canary = folder.parent / "canary"
    script = folder.parent / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    for hook in (
        "post-index-change",
        "pre-push",
        "reference-transaction",
        "post-checkout",
        "fsmonitor-watchman",
    ):
        place = folder / ".git" / "hooks" / hook
        place.parent.mkdir(exist_ok=True)
        shutil.copy(script, place)
    for key in ("core.fsmonitor", "core.editor", "core.pager", "core.askPass", "gpg.program"):
        run(folder, "-c", "core.fsmonitor=false", "config", key, str(script))
    run(folder, "-c", "core.fsmonitor=false", "config", "tag.gpgSign", "true")
    canary.unlink(missing_ok=True)
    return canary
