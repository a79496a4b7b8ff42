"""Databases and object stores behind the registry, each beside what it costs to ask them directly, in the same run.

    python -m benchmarks.bench_backends [--quick] [--parts register,bulk,together,bytes] [--folder DIR] [--json FILE]

``register``: a version with bytes of its own, on PostgreSQL and SeaweedFS, beside one bare commit and one bare PUT.
``bulk``: versions over bytes that are known, 500 a commit, on every database. ``together``: eight processes that
register versions of one model, on every database. ``bytes``: 1 GiB through a server onto SeaweedFS and back, beside
obstore writing and reading it itself, and how much the server's memory grew; and by a link that the store signed.

All servers are of this machine, share its cores and keep what they have in memory: what is measured is trips and
work, not disks. PostgreSQL syncs every commit; the kit's MariaDB and MongoDB are set as tests need them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the benchmarks are programs and import each other by their plain names
sys.path.insert(0, str(HERE.parent))

from measuring import child_environment, free_port, interleaved, keep, options, table, timed  # noqa: E402
from tests.services import mariadb, mongodb, postgresql, seaweedfs  # noqa: E402

from modelyard.adapters.blobs.object_place import Place  # noqa: E402
from modelyard.domain.records import FileEntry  # noqa: E402
from modelyard.ports import service as ask  # noqa: E402
from modelyard.wiring import in_folder  # noqa: E402

MIB = 1 << 20
CLIENTS, EACH = 8, 10
DATABASES = ("sqlite", "postgresql", "mariadb", "mongodb")
SYNCED: Mapping[str, Mapping[str, str]] = {
    "postgresql": {"fsync=off": "fsync=on", "full_page_writes=off": "full_page_writes=on"},
}


@contextmanager
def database(kind: str) -> Iterator[Callable[[], Any]]:
    """A running database, and what makes a store on it; ``None`` is the registry's own SQLite."""
    if kind == "sqlite":
        yield lambda: None
    elif kind == "mongodb":
        from modelyard.adapters.metadata.mongo import MongoMetadata

        with mongodb.running() as server:
            yield lambda: MongoMetadata(server.address("bench"))
    else:
        from modelyard.adapters.metadata.engines import open_server

        with {"postgresql": postgresql, "mariadb": mariadb}[kind].running() as url:
            yield lambda: open_server(url, pool_size=4)


def sync() -> None:
    """Let PostgreSQL sync its commits, as it does for everybody else; the kit's own one is for tests."""
    replaced = SYNCED["postgresql"]
    postgresql.OPTIONS = tuple(replaced.get(option, option) for option in postgresql.OPTIONS)


# --- one registration ------------------------------------------------------------------------------------------------


def objects(place: Place) -> Any:
    """The two halves of an object store, as a registry has them."""
    from modelyard.adapters.blobs.object_settings import manifests_beside
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

    blobs = ObjectBlobs(place, folder="blobs")
    return blobs, manifests_beside(blobs)


def register(folder: Path, rounds: int) -> dict[str, float]:
    """Medians in milliseconds."""
    import obstore
    import psycopg

    with ExitStack() as stack:
        place = stack.enter_context(seaweedfs.running())
        url = stack.enter_context(postgresql.running())
        from modelyard.adapters.metadata.engines import open_server

        service = in_folder(folder / "register", store=open_server(url, pool_size=4), kept=objects(place))
        stack.callback(service.close)
        client = service.blobs.client
        bare = stack.enter_context(psycopg.connect(url, autocommit=True))
        bare.execute("CREATE TABLE bare (number bigint PRIMARY KEY, facts text)")

        def commit(turn: int) -> None:
            with bare.transaction():
                bare.execute("INSERT INTO bare VALUES (%s, %s)", (turn, "x" * 500))

        def whole(turn: int) -> None:
            info = service.put_blob([b"weights %d" % turn + bytes(900)])
            entry = FileEntry(path="model.bin", size=info.size, digest=info.digest)
            service.create_version(request(turn, (entry,)))

        taken = interleaved(
            {
                "bare commit": timed(commit),
                "bare PUT": timed(
                    lambda turn: obstore.put(client, f"bare/{turn}", b"bare" + os.urandom(900))
                ),
                "register": timed(whole),
            },
            rounds,
        )
    figures = {name: statistics.median(seconds) * 1000 for name, seconds in taken.items()}
    floor = figures["bare commit"] + figures["bare PUT"]
    return figures | {"register / (commit + PUT)": figures["register"] / floor}


def request(turn: int, files: tuple[FileEntry, ...], name: str = "fraud") -> ask.CreateVersion:
    """A version with 5 metrics, 5 tags and 10 params."""
    return ask.CreateVersion(
        name=name,
        version=f"1.{turn}.0",
        files=files,
        metrics={f"metric_{n}": turn / 1e6 + n / 20 for n in range(5)},
        hyperparams={f"param_{n}": n / 10 for n in range(10)},
        tags={f"tag_{n}": f"run {turn}" for n in range(5)},
    )


# --- many ------------------------------------------------------------------------------------------------------------


def bulk(folder: Path, count: int) -> dict[str, float]:
    """Versions a second over bytes that the registry has seen, in 40 models; and one by one."""
    figures = {}
    for kind in DATABASES:
        with database(kind) as make:
            service = in_folder(folder / f"bulk-{kind}", store=make())
            infos = [service.put_blob([b"weights %d" % n]) for n in range(count)]
            files = [(FileEntry(path="model.bin", size=info.size, digest=info.digest),) for info in infos]
            send(service, [request(n, files[n], f"before-{n % 40}") for n in range(count)])
            begun = time.perf_counter()
            send(service, [request(n, files[n], f"model-{n % 40}") for n in range(count)])
            figures[f"{kind}, 500 a commit"] = count / (time.perf_counter() - begun)
            some = count // 10
            begun = time.perf_counter()
            for n in range(some):
                service.create_version(request(n, files[n], f"alone-{n % 40}"))
            figures[f"{kind}, one by one"] = some / (time.perf_counter() - begun)
            assert service.stats().total_versions == 2 * count + some
            service.close()
    return figures


def send(service: Any, requests: list[ask.CreateVersion]) -> None:
    """In batches."""
    for start in range(0, len(requests), 500):
        service.create_versions(ask.CreateVersions(versions=tuple(requests[start : start + 500])))


# --- at once ---------------------------------------------------------------------------------------------------------


def one_of_many(folder: Path, make: Callable[[], Any], barrier: Any, answers: Any) -> None:
    """Register versions of the one model."""
    service = in_folder(folder, store=make())
    errors = []
    barrier.wait(60)
    begun = time.monotonic()
    for turn in range(EACH):
        try:
            service.create_version(ask.CreateVersion(name="fraud", tags={"turn": str(turn)}))
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    answers.put((begun, time.monotonic(), errors))
    service.close()


def together(folder: Path) -> dict[str, Any]:
    """Eight processes and one model: versions a second, errors, and whether every number is there once."""
    context = multiprocessing.get_context("fork")
    figures: dict[str, Any] = {}
    for kind in DATABASES:
        with database(kind) as make:
            place = folder / f"together-{kind}"
            in_folder(place, store=make()).close()
            barrier, answers = context.Barrier(CLIENTS), context.Queue()
            clients = [
                context.Process(target=one_of_many, args=(place, make, barrier, answers))
                for _ in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            told = [answers.get(timeout=120) for _ in clients]
            for client in clients:
                client.join()
            service = in_folder(place, store=make())
            numbers = sorted(v.number for v in service.search(ask.Search(limit=1000)).items)
            sound = service.verify_audit().ok
            service.close()
        seconds = max(ended for _, ended, _ in told) - min(begun for begun, _, _ in told)
        figures[kind] = {
            "per_second": round(len(numbers) / seconds, 1),
            "errors": [error for _, _, errors in told for error in errors],
            "gapless": numbers == list(range(1, CLIENTS * EACH + 1)),
            "audit": sound,
        }
    return figures


# --- bytes -----------------------------------------------------------------------------------------------------------


def resident(pid: int) -> float:
    """MiB of a process and its children."""
    found = 0.0
    for one in (pid, *_children(pid)):
        try:
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
        except OSError:
            continue
        found += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def serving(folder: Path, place: Place) -> Iterator[tuple[str, int]]:
    """A server over the bucket and a SQLite of its own: its address and process."""
    port = free_port()
    settings = {
        "storage": {
            "backend": "s3",
            "s3": {
                "bucket": place.bucket,
                "endpoint_url": place.endpoint,
                "region": "us-east-1",
                "prefix": "served",
                "access_key": place.secrets["access_key_id"],
                "secret_key": place.secrets["secret_access_key"],
            },
        }
    }
    file = folder / "server.yaml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    words = ["--config", file, "--registry", folder / "served", "server", "--port", str(port), "--no-auth"]
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", *map(str, words)],
        stdout=subprocess.DEVNULL,
        env=child_environment(MODELYARD_SERVER_ACCESS_LOG="false"),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url, process)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urlopen(f"{url}/readyz"):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def bytes_(folder: Path, size: int, rounds: int) -> dict[str, float]:
    """MiB a second, the best of some rounds each, and the server's growth in MiB."""
    import obstore

    from modelyard import ModelRegistry

    os.environ["MODELYARD_CACHE"] = str(folder / "cache")
    source = folder / "source.bin"
    with source.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    highest = [0.0]
    with seaweedfs.running() as place, serving(folder, place) as (url, pid), ModelRegistry(url) as registry:
        store = objects(place)[0]
        before, digests = resident(pid), []

        def changed() -> None:
            with source.open("r+b") as file:
                file.write(os.urandom(16))

        def upload(_: int) -> None:
            changed()
            digests.append(registry.service.put_file(source).digest)
            highest[0] = max(highest[0], resident(pid))

        def drain(pieces: Any) -> None:
            for _ in pieces:
                pass

        def download(_: int) -> None:
            registry.service._blobs._cache.delete(digests[-1])  # type: ignore[attr-defined]
            drain(registry.service.open_blob(digests[-1]))
            highest[0] = max(highest[0], resident(pid))

        def linked(_: int) -> None:
            own = store.put_file(source)
            link = store.presign(own.digest, seconds=600)
            assert link is not None
            begun = time.perf_counter()
            with urlopen(link) as answer:
                view = memoryview(bytearray(MIB))
                while answer.readinto(view):
                    pass
            taken_by_link.append(time.perf_counter() - begun)
            store.delete(own.digest)

        taken_by_link: list[float] = []
        taken = interleaved(
            {
                "obstore, put": timed(lambda _: obstore.put(store.client, "floor", source)),
                "upload through the server": timed(upload),
                "obstore, get": timed(lambda _: drain(obstore.get(store.client, "floor").stream(MIB))),
                "download through the server": timed(download),
                "(link)": timed(linked),
            },
            rounds,
            warm=0,
        )
    taken["download by a signed link"] = taken_by_link
    rates = {name: size / MIB / min(seconds) for name, seconds in taken.items() if name[0] != "("}
    return rates | {
        "upload / obstore": rates["upload through the server"] / rates["obstore, put"],
        "link / obstore": rates["download by a signed link"] / rates["obstore, get"],
        "server: MiB more": highest[0] - before,
    }


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--parts", default="register,bulk,together,bytes")
    given = parser.parse_args()
    sync()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as name:
        folder = Path(name)
        parts: dict[str, Callable[[], Any]] = {
            "register": lambda: register(folder, 20 if given.quick else 200),
            "bulk": lambda: bulk(folder, 500 if given.quick else 3000),
            "together": lambda: together(folder),
            "bytes": lambda: bytes_(folder, (64 if given.quick else 1024) * MIB, 1 if given.quick else 2),
        }
        for part in given.parts.split(","):
            found[part] = parts[part]()
            table(
                (part, ""),
                [
                    (name, str(value) if isinstance(value, dict) else value)
                    for name, value in found[part].items()
                ],
            )
    keep({"backends": found}, given.json)


if __name__ == "__main__":
    main()
