"""Large files over HTTP on loopback, beside a bare Starlette application in the same run.

    python benchmarks/bench_server_bytes.py [--quick] [--folder DIR] [--json FILE]

``bare put`` writes the body to a file, hashes it and syncs it; ``bare get`` streams a file in pieces of 1 MiB and keeps
nothing. Ours are the client that everybody uses and, for the server alone, a download that is thrown away. Then eight
clients at once, and how much the server's memory grew by it.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from measuring import keep, options

MIB = 1 << 20
AT_ONCE = 8


def bare(port: int, folder: str, size: int) -> None:
    """The floor, in a process of its own."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def put(request: Request) -> Response:
        hasher = hashlib.sha256()
        with (Path(folder) / "bare.out").open("wb", 0) as file:
            async for chunk in request.stream():
                file.write(chunk)
                hasher.update(chunk)
            os.fsync(file.fileno())
        return Response(hasher.hexdigest())

    async def get(request: Request) -> Response:
        async def pieces() -> Any:
            with (Path(folder) / "source.bin").open("rb", 0) as file:
                while piece := file.read(MIB):
                    yield piece

        return StreamingResponse(pieces(), headers={"Content-Length": str(size)})

    app = Starlette(routes=[Route("/", put, methods=["PUT"]), Route("/", get)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", lifespan="off", access_log=False)


def receive(port: int, path: str, headers: dict[str, str]) -> None:
    """Download and keep nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=headers)
    answer, view = connection.getresponse(), memoryview(bytearray(MIB))
    assert answer.status == 200, answer.read()
    while answer.readinto(view):
        pass
    connection.close()


def send(port: int, source: Path) -> None:
    """Upload to the floor."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with source.open("rb") as file:
        connection.putrequest("PUT", "/")
        connection.putheader("Content-Length", str(source.stat().st_size))
        connection.endheaders()
        connection.sock.sendfile(file)
    connection.getresponse().read()
    connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def until_open(port: int) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


def resident(pid: int) -> float:
    """MiB of memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def make(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())


def one_of_many(url: str, folder: str, number: int, size: int) -> None:
    """Upload something of its own and fetch it back, in a process of its own."""
    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = f"{folder}/cache{number}"
    source = Path(folder) / f"source{number}.bin"
    shutil.copyfile(Path(folder) / "source.bin", source)
    with source.open("r+b") as file:
        file.write(number.to_bytes(8, "big"))
    with ModelRegistry(url) as registry:
        digest = registry.service.put_file(source).digest
        source.unlink()
        for _ in registry.service.open_blob(digest):
            pass


def best(rounds: int, work: Callable[[], object]) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def measure(folder: Path, size: int, rounds: int) -> dict[str, float]:
    """Rates in GB/s; the floor is measured before and after, and its best counts."""
    make(folder / "source.bin", size)
    floor_port, port = free_port(), free_port()
    floor = subprocess.Popen([sys.executable, __file__, "--bare", str(floor_port), str(folder), str(size)])
    place = str(folder / "registry")
    ours = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "--registry", place, "server", "--port", str(port), "--no-auth"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until_open(floor_port)
        until_open(port)
        return _measure(folder, size, rounds, floor_port, port, ours.pid)
    finally:
        for process in (floor, ours):
            process.terminate()
            process.wait()


def _measure(folder: Path, size: int, rounds: int, floor_port: int, port: int, pid: int) -> dict[str, float]:
    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = str(folder / "cache")
    source, url = folder / "source.bin", f"http://127.0.0.1:{port}"
    seconds = {
        "bare put": best(rounds, lambda: send(floor_port, source)),
        "bare get": best(rounds, lambda: receive(floor_port, "/", {})),
    }
    with ModelRegistry(url) as registry:
        service = registry.service
        begun = time.perf_counter()
        digest = service.put_file(source).digest
        seconds["upload, new"] = time.perf_counter() - begun
        seconds["upload, there already"] = best(rounds, lambda: service.put_file(source))
        path = f"/api/v1/blobs/{digest}"
        seconds["download, kept nowhere"] = best(rounds, lambda: receive(port, path, {}))
        begun = time.perf_counter()
        service.materialise(digest, folder / "copy.bin")
        seconds["download to a file, through the cache"] = time.perf_counter() - begun
        (folder / "copy.bin").unlink()
    seconds["bare put"] = min(seconds["bare put"], best(rounds, lambda: send(floor_port, source)))
    seconds["bare get"] = min(seconds["bare get"], best(rounds, lambda: receive(floor_port, "/", {})))
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    before = resident(pid)
    with ProcessPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(one_of_many, url, str(folder), number, size) for number in range(AT_ONCE)]
        highest = before
        while not all(job.done() for job in jobs):
            highest = max(highest, resident(pid))
            time.sleep(0.02)
        for job in jobs:
            job.result()
    return rates | {
        "upload / bare put": rates["upload, new"] / rates["bare put"],
        "download / bare get": rates["download, kept nowhere"] / rates["bare get"],
        "MiB more at 8 at once": highest - before,
    }


def main() -> None:
    """Measure and tell."""
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    given = options(__doc__).parse_args()
    size, rounds = (64 * MIB, 1) if given.quick else (1024 * MIB, 3)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measure(Path(folder), size, rounds)
    for name, value in figures.items():
        print(f"{name:40} {value:8.2f}")
    keep({"server_bytes": figures}, given.json)


if __name__ == "__main__":
    main()
