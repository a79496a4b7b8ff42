"""Workers under strace: which system calls they make, and what happens when one of them is the last or fails.

A process that dies between two calls leaves the disk as one that dies at the entry of the second; so killing at the
entry of every call that changes something covers every moment. strace counts the calls of each name by
themselves.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")
WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 120.0
"""Seconds after which a worker hangs rather than works."""

CHANGING = (
    "write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,"
    "link,linkat,copy_file_range,mkdir,mkdirat,fallocate"
)

STRACE = (
    "strace",
    "-qq",
)  # without -f: only the main thread writes. With --seccomp-bpf version 6.1 injects nothing.
MANY = ("pwrite64", "mkdir", "mkdirat", "openat")
"""Calls that come in long rows: pages of the log and of the checkpoint, empty folders, folders on the way to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a worker ended: its exit code as ``subprocess`` tells it, what it said, and its standard error."""

    code: int
    said: tuple[Mapping[str, Any], ...]
    errors: str

    @property
    def survived(self) -> bool:
        return any("end" in line for line in self.said)


def environment() -> dict[str, str]:
    """No writes of bytecode, the same hashes every time, nothing of the user's own configuration."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MODELYARD_", "XDG_", "COVERAGE_"))}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def start(order: Mapping[str, Any], *, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A worker on its way, in the folder of its inputs, where its temporary files go too."""
    home = Path(order["inputs"])
    scratch = Path(tempfile.mkdtemp(dir=home.parent, prefix="scratch-"))
    scratch.chmod(0o777)  # the worker may be somebody else
    return subprocess.Popen(
        [*prefix, sys.executable, str(WORKER), json.dumps(dict(order))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # who reads a line must not take more than that away from ``finish``
        cwd=home,
        env=environment() | {"TMPDIR": str(scratch), "HOME": str(home.parent)},
    )


def finish(process: subprocess.Popen[bytes]) -> Outcome:
    """Wait for a worker. A last line that was cut off was not said."""
    out, errors = process.communicate(timeout=PATIENCE)
    lines = out.split(b"\n")[:-1]
    return Outcome(
        code=process.returncode, said=tuple(map(json.loads, lines)), errors=errors.decode("utf-8", "replace")
    )


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The ``nth`` call (from 1) of the system call ``call``."""

    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.call}-{self.nth}"


def run(order: Mapping[str, Any]) -> Outcome:
    """Run a worker to its end."""
    return finish(start(order))


def disturbed(order: Mapping[str, Any], point: Point, what: str) -> Outcome:
    """Run a worker to whose call something happens: ``signal=KILL`` or ``error=EIO``, say."""
    inject = f"inject={point.call}:{what}:when={point.nth}"
    return finish(
        start(order, prefix=[*STRACE, "-o", os.devnull, "-e", f"trace={point.call}", "-e", inject, "--"])
    )


def points(order: Mapping[str, Any], *, calls: str = CHANGING, answers: bool = True) -> list[Point]:
    """Those calls that touch the registry, after it was opened unless opening is what is tried.

    From one run that nothing disturbs, so it uses the registry up.

    Args:
        order: What the worker does.
        calls: Names of system calls, between commas.
        answers: Whether what the worker itself writes to its output is a point too.
    """
    with tempfile.NamedTemporaryFile(suffix=".strace") as log:
        outcome = finish(
            start(order, prefix=[*STRACE, "-y", "-o", log.name, "-e", f"trace={calls},write", "--"])
        )
        assert outcome.survived, outcome.errors
        lines = Path(log.name).read_text("utf-8", "replace").splitlines()
    wanted = {*calls.split(","), *(["write"] if answers else [])}
    found = _points(lines, str(order["root"]), opening=bool(order.get("opening")))
    return [point for point, says in found if point.call in wanted and (answers or not says)]


def _points(lines: Iterable[str], root: str, *, opening: bool) -> Iterator[tuple[Point, bool]]:
    """Points, and whether each is an answer. What comes between the answers to a first and a second try is left out."""
    counted: Counter[str] = Counter()
    counts = opening
    for line in lines:
        if (name := re.match(r"([a-z0-9_]+)\(", line)) is None:
            continue
        counted[name[1]] += 1
        says = re.match(r"write\(1[<,]", line) is not None
        if counts and (says or root in line):
            yield Point(name[1], counted[name[1]]), says
        if says:
            counts = (counts or "begin" in line or "tried" in line) and "again" not in line


def sweep(
    order: Mapping[str, Any],
    template: Path,
    room: Path,
    judge: Callable[[Point, Path, Outcome], Iterable[str]],
    *,
    inject: str,
    calls: str = CHANGING,
    every: int = 1,
    rows: Sequence[str] = MANY,
    answers: bool = True,
) -> dict[Point, list[str]]:
    """Run the worker once per point, each time on a fresh copy of ``template``, and judge each; two at a time.

    Args:
        order: What the worker does; its ``root`` is replaced.
        judge: Gets point, registry and outcome; yields what is wrong.
        inject: What happens at the point.
        every: Of calls that come in long rows, take only every so many.
        rows: Which calls those are.
        answers: Whether the worker's own output is a point too.

    Returns:
        Complaints by point, with an empty list where all was well.
    """
    found = points({**order, "root": str(_copy(template, room / "counted"))}, calls=calls, answers=answers)
    where = [point for point in found if point.call not in rows or point.nth % every == 0] or found

    def one(point: Point) -> tuple[Point, list[str]]:
        root = _copy(template, room / str(point))
        found = list(judge(point, root, disturbed({**order, "root": str(root)}, point, inject)))
        shutil.rmtree(root)
        return point, found

    return dict(both(one, where))


def both(task: Callable[[S], T], given: Iterable[S]) -> Iterator[T]:
    """Two at a time: the work is mostly starting processes."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(task, given)


def _copy(template: Path, root: Path) -> Path:
    root.parent.mkdir(parents=True, exist_ok=True)
    if template.exists():
        shutil.copytree(template, root)
    return root
