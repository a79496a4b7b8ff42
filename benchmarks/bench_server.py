"""Small questions to a server: how many a second, how long each takes, how soon it is ready and how large it is.

    python benchmarks/bench_server.py [--quick]

The floor beside it is the same server asked for ``/healthz``, which reads nothing; the peer is ``mlflow server`` with
one worker, if ``PEER_PYTHON`` names an interpreter that has it (see ``bench_register.py``). Callers are in a process of
their own, since on two cores a caller in the server's process would measure itself.

An answer is kept as long as nothing is committed. So versions are asked for in three ways: the same alias again and
again, while nobody writes; twenty versions in turns; and the same alias while somebody else creates versions without a
pause, so that no answer is good for longer than a millisecond or two.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import child_environment, keep, options, table
from mlflow_server import API, MlflowServer, busy, mlflow_server, resident

VERSIONS = 20
FACTS = {f"tag_{n}": f"value {n}" for n in range(5)}
Figures = dict[str, float]


def fill(folder: Path) -> None:
    """Some versions, and an alias that names one."""
    from modelyard import ModelRegistry

    with ModelRegistry(folder) as registry:
        for n in range(VERSIONS):
            registry.register_model(
                {"w": n},
                "demo",
                serialization_format="pickle",
                performance_metrics={"auc": 0.5 + n / 100},
                tags=FACTS,
                alias="champion" if n == 7 else None,
            )


def fill_mlflow(server: MlflowServer) -> None:
    """As many versions with the same tags, and an alias."""
    server.ask("POST", "/registered-models/create", {"name": "demo"})
    tags = [{"key": key, "value": value} for key, value in FACTS.items()]
    for n in range(VERSIONS):
        body = {"name": "demo", "source": f"s3://models/{n}", "tags": tags}
        server.ask("POST", "/model-versions/create", body)
    server.ask("POST", "/registered-models/alias", {"name": "demo", "alias": "champion", "version": "8"})


def start(folder: Path) -> tuple[subprocess.Popen[str], dict[str, str], float]:
    """A server, what it says about itself, and the seconds until it answered."""
    words = [sys.executable, "-m", "modelyard", "server", "--port", "0", "--json", "--registry", str(folder)]
    quiet = child_environment() | {
        "MODELYARD_SERVER_ACCESS_LOG": "false",
        "MODELYARD_SERVER_LIMITS_RATE": "1000000",
    }
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=quiet)
    assert process.stdout is not None
    text = ""
    while line := process.stdout.readline():
        text += line
        try:
            return process, json.loads(text), time.perf_counter() - began
        except ValueError:
            continue
    raise SystemExit("the server did not start; see above")


def get(path: str, token: str = "") -> bytes:
    """A request."""
    secret = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{secret}\r\n".encode()


def post(path: str, body: Any, token: str = "") -> bytes:
    """A request with JSON."""
    data = json.dumps(body)
    more = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    secret = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{secret}{more}\r\n{data}".encode()


async def ask(port: int, requests: Sequence[bytes], until: float, times: list[float]) -> None:
    """One caller over one connection, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in itertools.cycle(requests):
        began = time.perf_counter()
        if began >= until:
            break
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 20"), answer
        lines = answer.lower().split(b"content-length: ")[1]
        await reader.readexactly(int(lines[: lines.index(b"\r\n")]))
        times.append(time.perf_counter() - began)
    writer.close()


def crowd(port: int, requests: Sequence[bytes], callers: int, seconds: float, out: Any) -> None:
    """``callers`` at once for so many seconds; sends back every duration."""

    async def run() -> list[float]:
        times: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(ask(port, requests, until, times) for _ in range(callers)))
        return times

    try:
        import uvloop

        out.send(uvloop.run(run()))
    except ImportError:
        out.send(asyncio.run(run()))


@contextmanager
def asking(port: int, requests: Sequence[bytes], callers: int, seconds: float) -> Iterator[Any]:
    """A crowd in a process of its own; what is given has the durations in the end."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=crowd, args=(port, requests, callers, seconds, there)
    )
    process.start()
    yield here
    process.join()


def measured(port: int, pid: int, requests: Sequence[bytes], callers: int, seconds: float) -> Figures:
    """Requests a second, milliseconds of the middle and of the slowest of a hundred, processor time for one."""
    used = busy(pid)
    with asking(port, requests, callers, seconds) as here:
        times = sorted(here.recv())
    return {
        "per_second": len(times) / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "cpu_us": (busy(pid) - used) / len(times) * 1e6,
    }


def ours(port: int, pid: int, token: str, seconds: float) -> dict[str, Figures]:
    """All rows about us."""
    alias = [get("/api/v1/versions/demo%40champion", token)]
    each = [get(f"/api/v1/versions/demo%23{n}", token) for n in range(1, VERSIONS + 1)]
    create = [post("/api/v1/models/made/versions", {"tags": FACTS}, token)]
    rows = {}
    for callers in (1, 8, 16):
        rows[f"get by alias, {callers}"] = measured(port, pid, alias, callers, seconds)
        rows[f"floor: /healthz, {callers}"] = measured(port, pid, [get("/healthz")], callers, seconds)
    rows["get 20 versions in turns, 8"] = measured(port, pid, each, 8, seconds)
    with asking(port, create, 1, seconds + 1) as writing:
        rows["get by alias while another writes, 8"] = measured(port, pid, alias, 8, seconds)
        writing.recv()
    for callers in (1, 8):
        rows[f"create a version, {callers}"] = measured(port, pid, create, callers, seconds)
    return rows


def theirs(server: MlflowServer, seconds: float) -> dict[str, Figures]:
    """The same of MLflow."""
    fill_mlflow(server)
    tags = [{"key": key, "value": value} for key, value in FACTS.items()]
    alias = [get(f"{API}/registered-models/alias?name=demo&alias=champion")]
    server.ask("POST", "/registered-models/create", {"name": "made"})
    create = [post(f"{API}/model-versions/create", {"name": "made", "source": "s3://models/x", "tags": tags})]
    rows = {}
    for callers in (1, 8, 16):
        rows[f"MLflow: get by alias, {callers}"] = measured(server.port, server.pid, alias, callers, seconds)
    for callers in (1, 8):
        rows[f"MLflow: create a version, {callers}"] = measured(
            server.port, server.pid, create, callers, seconds
        )
    return rows


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Ours first, then the peer: both at once would be two servers on two cores."""
    fill(folder / "registry")
    process, told, _ = start(folder / "registry")
    process.terminate()
    process.wait()
    token = told["token"]
    process, told, ready = start(folder / "registry")
    try:
        small = resident(process.pid)
        rows = ours(int(told["url"].rpartition(":")[2]), process.pid, token, seconds)
        figures = {"ready_seconds": ready, "resident_mib": small, "resident_after_mib": resident(process.pid)}
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    with mlflow_server(folder) as server:
        if server is not None:
            figures |= {"mlflow_ready_seconds": server.ready, "mlflow_resident_mib": resident(server.pid)}
            rows |= theirs(server, seconds)
    return {"requests": rows, **figures}


def main() -> None:
    chosen = options(__doc__).parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as place:
        figures = measure(Path(place), 1.0 if chosen.quick else 5.0)
    table(
        ("what, connections", "per second", "p50 ms", "p99 ms", "CPU us"),
        [
            (what, round(row["per_second"]), row["p50_ms"], row["p99_ms"], round(row["cpu_us"]))
            for what, row in figures["requests"].items()
        ],
    )
    for name, value in figures.items():
        if name != "requests":
            print(f"{name:24} {value:8.2f}")
    keep({"server": figures}, chosen.json)


if __name__ == "__main__":
    main()
