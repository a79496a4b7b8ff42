"""Large files over HTTP on loopback, beside a bare Starlette application in the same run.

    python benchmarks/bench_server_bytes.py [--quick] [--folder DIR] [--json FILE] [--parts alone,mlflow,together]

``bare put`` writes the body to a file, hashes it and syncs it; ``bare get`` streams a file in pieces of 1 MiB and keeps
nothing. Ours are the client that everybody uses, which hashes and syncs too, and, for the server alone, a plain request
whose sender knows the digest and a download that is thrown away. The peer is ``mlflow server`` (see
``bench_register.py``), which neither hashes nor syncs: asked by the same plain requests, and by its own client. Then
eight clients at once, and how much the server's memory grew by it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_register import HERE, QUIET, peer_python
from measuring import Timer, child_environment, free_port, interleaved, keep, options, timed
from mlflow_server import mlflow_server, resident

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
    assert answer.status == 200, answer.read(1000)
    while answer.readinto(view):
        pass
    connection.close()


def send(port: int, source: Path, path: str = "/") -> None:
    """Upload by one request whose body the kernel sends."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with source.open("rb") as file:
        connection.putrequest("PUT", path)
        connection.putheader("Content-Length", str(source.stat().st_size))
        connection.endheaders()
        connection.sock.sendfile(file)
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    answer.read()
    connection.close()


def until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on {port}")


def make(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())


def change(path: Path) -> None:
    """Other bytes than ever before, of the same size."""
    with path.open("r+b") as file:
        file.write(os.urandom(16))


def one_of_many(url: str, folder: str, number: int, size: int) -> None:
    """Upload something of its own and fetch it back, in a process of its own."""
    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = f"{folder}/cache{number}"
    source = Path(folder) / f"source{number}.bin"
    shutil.copyfile(Path(folder) / "source.bin", source)
    change(source)
    with ModelRegistry(url) as registry:
        digest = registry.service.put_file(source).digest
        source.unlink()
        for _ in registry.service.open_blob(digest):
            pass


@contextmanager
def servers(folder: Path, size: int) -> Iterator[tuple[int, int, int]]:
    """The floor's port, ours, and the number of our process."""
    floor_port, port = free_port(), free_port()
    floor = subprocess.Popen([sys.executable, __file__, "--bare", str(floor_port), str(folder), str(size)])
    words = ["-m", "modelyard", "--registry", folder / "registry", "server", "--port", str(port), "--no-auth"]
    ours = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        env=child_environment(MODELYARD_SERVER_ACCESS_LOG="false"),
    )
    try:
        until_open(floor_port, floor)
        until_open(port, ours)
        yield floor_port, port, ours.pid
    finally:
        for process in (floor, ours):
            process.terminate()
            process.wait()


def ways(folder: Path, floor_port: int, url: str, service: Any) -> dict[str, Timer]:
    """What is timed, in turns; each round begins with other bytes."""
    source, digests = folder / "source.bin", []

    def upload(_: int) -> None:
        change(source)
        digests.append(service.put_file(source).digest)

    def download(_: int) -> None:
        service.materialise(digests[-1], folder / "copy.bin")

    def bare_put(turn: int) -> None:
        change(source)
        send(floor_port, source)

    def plain(_: int) -> float:
        change(source)
        with source.open("rb") as file:
            digests.append("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
        return timed(lambda _: send(port, source, f"/api/v1/blobs/{digests[-1]}"))(0)

    port = int(url.rpartition(":")[2])
    return {
        "bare put": timed(bare_put),
        "upload, plain request": plain,
        "upload, new": timed(upload),
        "upload, there already": timed(lambda _: service.put_file(source)),
        "bare get": timed(lambda _: receive(floor_port, "/", {})),
        "download, kept nowhere": timed(lambda _: receive(port, f"/api/v1/blobs/{digests[-1]}", {})),
        "download to a file, through the cache": timed(download),
        "(room is made)": timed(lambda _: _clear(folder, digests)),
    }


def _clear(folder: Path, digests: list[str]) -> None:
    """Each round has as much to do as the first one: neither the disk nor the cache fills up."""
    (folder / "copy.bin").unlink()
    places = [folder / "registry" / "blobs" / "sha256", folder / "cache" / "blobs" / "sha256"]
    for digest in digests[-2:]:
        for place in places:
            shutil.rmtree(place / digest.removeprefix("sha256:")[:2], ignore_errors=True)
    os.sync()


def theirs(folder: Path, size: int, rounds: int) -> dict[str, float]:
    """MLflow's server on the same file: GB/s, and MiB that it grew by."""
    with mlflow_server(folder) as server:
        if server is None:
            return {}
        before, path = resident(server.pid), "/api/2.0/mlflow-artifacts/artifacts/models/source.bin"
        taken = interleaved(
            {
                "MLflow upload": timed(lambda _: send(server.port, folder / "source.bin", path)),
                "MLflow download": timed(lambda _: receive(server.port, path, {})),
            },
            rounds,
            warm=0,
        )
        more = resident(server.pid) - before
        words = [f"http://127.0.0.1:{server.port}", folder / "source.bin", folder / "mlflow", str(rounds)]
        told = subprocess.run(
            [str(peer_python()), HERE / "peer_bytes.py", *words],
            stdout=subprocess.PIPE,
            check=True,
            env=child_environment(**QUIET, MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false"),
        )
    by_client = json.loads(told.stdout.splitlines()[-1])
    return {
        **{name: size / min(seconds) / 1e9 for name, seconds in taken.items()},
        "MLflow upload by its client": size / by_client["up"] / 1e9,
        "MLflow download by its client": size / by_client["down"] / 1e9,
        "MLflow: MiB more": more,
    }


def alone(folder: Path, size: int, rounds: int) -> dict[str, float]:
    """One transfer at a time, in turns with the floor; the best round of each counts."""
    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = str(folder / "cache")
    with servers(folder, size) as (floor_port, port, _):
        url = f"http://127.0.0.1:{port}"
        with ModelRegistry(url) as registry:
            taken = interleaved(ways(folder, floor_port, url, registry.service), rounds, warm=0)
    rates = {name: size / min(seconds) / 1e9 for name, seconds in taken.items() if name[0] != "("}
    return rates | {
        "upload / bare put": rates["upload, new"] / rates["bare put"],
        "plain request / bare put": rates["upload, plain request"] / rates["bare put"],
        "download / bare get": rates["download, kept nowhere"] / rates["bare get"],
    }


def together(folder: Path, size: int) -> dict[str, float]:
    """Eight clients that upload and then download: how much the server's memory grew."""
    with servers(folder, size) as (_, port, pid):
        url, before = f"http://127.0.0.1:{port}", resident(pid)
        with ProcessPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(one_of_many, url, str(folder), number, size) for number in range(AT_ONCE)]
            highest = before
            while not all(job.done() for job in jobs):
                highest = max(highest, resident(pid))
                time.sleep(0.02)
            for job in jobs:
                job.result()
    return {"MiB before": before, "MiB more at 8 at once": highest - before}


def measure(folder: Path, size: int, rounds: int, parts: Sequence[str]) -> dict[str, float]:
    """Rates in GB/s."""
    make(folder / "source.bin", size)
    figures: dict[str, float] = {}
    if "alone" in parts:
        figures |= alone(folder, size, rounds)
    if "mlflow" in parts:
        figures |= theirs(folder, size, rounds)
    if "together" in parts:
        figures |= together(folder, size)
    return figures


def main() -> None:
    """Measure and tell."""
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    parser = options(__doc__)
    parser.add_argument("--parts", default="alone,mlflow,together", help="some of them")
    given = parser.parse_args()
    size, rounds = (64 * MIB, 1) if given.quick else (1024 * MIB, 3)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measure(Path(folder), size, rounds, given.parts.split(","))
    for name, value in figures.items():
        print(f"{name:40} {value:8.2f}")
    keep({"server_bytes": figures}, given.json)


if __name__ == "__main__":
    main()
