"""``mlflow server`` with one worker, from an environment of its own, as far as one is there.

``PEER_PYTHON`` names its interpreter; see the top of ``bench_register.py`` for how to make one.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_register import QUIET, peer_python
from measuring import child_environment, free_port

PATIENCE = 180.0
"""Seconds until it has to be ready; it takes about ten on a machine that does nothing else."""
API = "/api/2.0/mlflow"


@dataclass(frozen=True)
class MlflowServer:
    """One that answers.

    Attributes:
        pid: The process that was started; it starts more.
        ready: Seconds until its first answer.
    """

    port: int
    pid: int
    ready: float

    def ask(self, method: str, path: str, body: Any) -> Any:
        """JSON for JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{API}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer | None]:
    """A server over SQLite and a folder for files; ``None`` if there is no MLflow."""
    python = peer_python()
    program = python.with_name("mlflow") if python is not None else None
    if program is None or not program.exists():
        print("No MLflow: PEER_PYTHON names no interpreter that has it; it is left out.")
        yield None
        return
    home, port = folder / "mlflow", free_port()
    home.mkdir()
    words = [program, "server", "--port", str(port), "--workers", "1", "--serve-artifacts"]
    words += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", home / "files"]
    with (home / "log").open("w") as log:
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=home, env=child_environment(**QUIET))
        try:
            _wait(process, port, home / "log")
            yield MlflowServer(port=port, pid=process.pid, ready=time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit(f"mlflow server did not begin to answer:\n{log.read_text()[-2000:]}")


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        found += map(int, children)
    return found


def resident(pid: int) -> float:
    """MiB of memory of a process and of all that it started."""
    return sum(_resident(each) for each in family(pid))


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def busy(pid: int) -> float:
    """Seconds of processor time that a process and all that it started have used."""
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(_ticks(each) for each in family(pid)) / ticks


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
