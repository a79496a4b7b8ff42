"""Does a version still load here? Tried in a process of its own, under the same guard, as evidence for a rollback."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.records import FlavorRecord
from modelyard.flavors import environment, named
from modelyard.ports.flavors import Trust

if TYPE_CHECKING:
    import subprocess

_START: Final = "from modelyard.flavors import loadcheck; loadcheck.child()"


def run(directory: Path, record: FlavorRecord, trust: Trust, timeout: float = 60) -> dict[str, Any]:
    """Load once in a fresh interpreter.

    Args:
        directory: The version's verified files.
        record: How they were written.
        trust: What the caller trusts; the child trusts nothing more.
        timeout: Seconds after which the child is ended.

    Returns:
        ``ok``, ``seconds``, ``error`` (empty if ok), ``python``, ``packages``. A model that fails is an answer, not
        an exception.
    """
    order = {
        "directory": str(directory),
        "record": asdict(record),
        "trust": {
            "pinned": None if trust.pinned is None else sorted(trust.pinned),
            "allowed": list(trust.allowed),
            "own": sorted(trust.own),
        },
        "path": sys.path,
    }
    import subprocess

    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _START],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _answer(record, started, f"did not load within {timeout:g} s")
    return _answer(record, started, _error(done))


def _error(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    try:
        answer = json.loads(lines[-1])
        return str(answer["error"])
    except (IndexError, ValueError, KeyError, TypeError):
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"the process ended with code {done.returncode}" + (f": {tail[-1][:300]}" if tail else "")


def _answer(record: FlavorRecord, started: float, error: str) -> dict[str, Any]:
    facts = environment.capture(record)
    return {
        "ok": not error,
        "seconds": round(time.monotonic() - started, 3),
        "error": error,
        "python": facts["python"],
        "packages": facts["packages"],
    }


def child() -> None:
    """The other side: read the order from standard input, load, answer with the last line of standard output."""
    order = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")  # what the model prints while loading may not look like an answer
    os.dup2(2, 1)
    sys.path[:] = [*sys.path, *(entry for entry in order["path"] if entry not in sys.path)]
    record = FlavorRecord(**{**order["record"], "globals": tuple(order["record"]["globals"])})
    error = ""
    try:
        named.by_name(record.name).load(Path(order["directory"]), record, Trust(**order["trust"]))
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}"
    answer.write(json.dumps({"error": error}) + "\n")
    answer.flush()
