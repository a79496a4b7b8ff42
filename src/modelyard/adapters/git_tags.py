"""Tags of a git work tree that name versions: which there are, and making one.

Run as carefully as everything else (`adapters.git`): hooks of the repository do not run, a push asks for no password
and takes nothing along but the tag.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from modelyard.adapters.git import PROGRAM, marker, surroundings
from modelyard.domain.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    NotSupported,
    StorageError,
)
from modelyard.domain.spelling import hint, quoted

TIMEOUT: Final = 30.0
"""Seconds that a question to the local repository may take."""

PUSH_TIMEOUT: Final = 120.0
"""Seconds that a push may take."""

SHORTEST: Final = 6
"""Digits of an abbreviated commit; git adds more where these are not unique."""

_SECRET = re.compile(r"(?<=://)[^/\s'\"]*@")


def reachable(folder: Path) -> list[str]:
    """Names of the tags whose commits the present one descends from, itself included; none before the first commit."""
    wanted = ("for-each-ref", "--merged=HEAD", "--format=%(refname:lstrip=2)", "refs/tags")
    done = run(folder, *wanted)
    return done.stdout.splitlines() if done.returncode == 0 else []


def abbreviated(folder: Path, commit: str) -> str:
    """The first digits of a commit, at least six and as many as it takes to name no other."""
    return _asked(folder, "rev-parse", f"--short={SHORTEST}", commit)


def create(folder: Path, tag: str, *, message: str = "") -> bool:
    """Tag the present commit, with an annotation if there is a message. Repeating it is harmless.

    Returns:
        Whether it was made now; ``False`` if it named this commit before.

    Raises:
        InvalidInput: Git takes no such name for a tag.
        NotFound: There is no work tree here, or no commit yet.
        AlreadyExists: It names another commit.
        StorageError: Git refused; the message says why.
    """
    commit = _head(folder)
    _check_name(folder, tag)
    present = run(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}").stdout.strip()
    if present and present != commit:
        raise AlreadyExists(
            f"the tag {tag!r} names commit {present[:12]}, not the present one, {commit[:12]}; a tag is not moved, "
            "choose the next version"
        )
    if not present:
        _asked(
            folder, "tag", "--no-sign", *(("--annotate", "-m", message) if message else ()), "--", tag, commit
        )
    return not present


def push(folder: Path, tag: str, remote: str) -> None:
    """Bring a tag to a remote, and nothing else.

    Raises:
        NotFound: The repository has no such remote.
        Conflict: The remote has that tag on another commit.
        StorageError: The remote cannot be reached or refuses; the message says why.
    """
    known = _asked(folder, "remote").splitlines()
    if remote not in known:
        raise NotFound(
            f"the repository has no remote {quoted(remote)}; it has {', '.join(known) or 'none'}.{hint(remote, known)}"
        )
    options = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no")
    reference = f"refs/tags/{tag}:refs/tags/{tag}"
    done = run(folder, "push", *options, "--", remote, reference, timeout=PUSH_TIMEOUT)
    if done.returncode == 0:
        return
    if "[rejected]" in done.stdout and "already exists" in done.stdout:
        raise Conflict(
            f"the remote {remote!r} has a tag {tag!r} on another commit; fetch its tags, then choose the next version"
        )
    raise StorageError(f"the tag {tag!r} could not be pushed to {remote!r}: {_last_line(done)}")


def remove(folder: Path, tag: str) -> None:
    """Take a tag that was just made back; it is no error if that fails."""
    run(folder, "tag", "--delete", "--", tag)


def run(folder: Path, *words: str, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    """What git answers, whatever that is.

    Raises:
        NotSupported: There is no program ``git``.
        StorageError: It did not end in time.
    """
    try:
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=folder,
            env={**surroundings(), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StorageError(
            f"git {words[0]} in {os.fspath(folder)!r} did not end within {timeout:g} s"
        ) from error
    except OSError as error:
        raise NotSupported(
            f"git cannot be run in {os.fspath(folder)!r} ({error.strerror or error}); install git, or give versions "
            "and tags yourself"
        ) from error


def _head(folder: Path) -> str:
    if marker(folder) is None:
        raise NotFound(
            f"{os.fspath(folder)!r} is in no git work tree, so there is nothing to tag; run git init there"
        )
    done = run(folder, "rev-parse", "--verify", "HEAD^{commit}")
    if done.returncode:
        raise NotFound(f"{os.fspath(folder)!r} has no commit to tag: {_last_line(done)}")
    return done.stdout.strip()


def _check_name(folder: Path, tag: str) -> None:
    printable = tag.isprintable() and not tag.startswith("-")
    if not printable or run(folder, "check-ref-format", f"refs/tags/{tag}").returncode:
        raise InvalidInput(f"git takes no tag {quoted(tag)} (git-check-ref-format(1) has the rules)")


def _asked(folder: Path, *words: str) -> str:
    done = run(folder, *words)
    if done.returncode:
        raise StorageError(f"git {words[0]} failed in {os.fspath(folder)!r}: {_last_line(done)}")
    return done.stdout.strip()


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """What git said last, without the user and password that an address in it may hold."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return _SECRET.sub("", lines[-1].strip() if lines else f"it ended with code {done.returncode}")
