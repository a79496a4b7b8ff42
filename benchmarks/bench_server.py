"""Small questions to a server: how many a second, how long each takes, how soon it is ready and how large it is.

    python benchmarks/bench_server.py [--quick]

The floor beside it is the same server asked for ``/healthz``, which reads nothing. Callers are in a process of their
own, since on two cores a caller in the server's process would measure itself.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import child_environment, keep, options, table

ALIAS = b"/api/v1/versions/demo%40champion"
FLOOR = b"/healthz"


def fill(folder: Path) -> None:
    """Some versions, and an alias that names one."""
    from modelyard import ModelRegistry

    with ModelRegistry(folder) as registry:
        for n in range(20):
            registry.register_model(
                {"w": n},
                "demo",
                serialization_format="pickle",
                performance_metrics={"auc": 0.5 + n / 100},
                alias="champion" if n == 7 else None,
            )


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
    while True:
        text += process.stdout.readline()
        try:
            return process, json.loads(text), time.perf_counter() - began
        except ValueError:
            continue


async def ask(port: int, path: bytes, token: str, until: float, times: list[float]) -> None:
    """One caller over one connection, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % (path, token.encode())
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        lines = answer.lower().split(b"content-length: ")[1]
        await reader.readexactly(int(lines[: lines.index(b"\r\n")]))
        times.append(time.perf_counter() - began)
    writer.close()


def crowd(port: int, path: bytes, token: str, callers: int, seconds: float, out: Any) -> None:
    """``callers`` at once for so many seconds; sends back every duration."""

    async def run() -> list[float]:
        times: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(ask(port, path, token, until, times) for _ in range(callers)))
        return times

    try:
        import uvloop

        out.send(uvloop.run(run()))
    except ImportError:
        out.send(asyncio.run(run()))


def measured(port: int, path: bytes, token: str, callers: int, seconds: float) -> dict[str, float]:
    """Requests a second, and milliseconds of the middle and of the slowest of a hundred."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=crowd, args=(port, path, token, callers, seconds, there)
    )
    process.start()
    times = sorted(here.recv())
    process.join()
    return {
        "per_second": len(times) / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


def resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    chosen = options(__doc__).parse_args()
    seconds = 1.0 if chosen.quick else 5.0
    with tempfile.TemporaryDirectory(dir=chosen.folder) as place:
        folder = Path(place) / "registry"
        fill(folder)
        process, told, _ = start(folder)
        process.terminate()
        process.wait()
        token = told["token"]
        process, told, ready = start(folder)
        try:
            port = int(told["url"].rpartition(":")[2])
            small = resident(process.pid)
            rows = {
                f"{what}, {callers} connections": measured(port, path, token, callers, seconds)
                for callers in (1, 8, 16)
                for what, path in (("get by alias", ALIAS), ("floor: /healthz", FLOOR))
            }
            large = resident(process.pid)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
    table(
        ("what", "per second", "p50 ms", "p99 ms"),
        [(what, round(row["per_second"]), row["p50_ms"], row["p99_ms"]) for what, row in rows.items()],
    )
    print(f"ready after {ready:.2f} s; {small:.0f} MiB resident, {large:.0f} after the load")
    figures = {"requests": rows, "ready_seconds": ready, "resident_mib": small, "resident_after_mib": large}
    keep(figures, chosen.json)


if __name__ == "__main__":
    main()
