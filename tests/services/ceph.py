"""A second real S3 server for tests: Ceph's RADOS Gateway over a cluster of one monitor and one store in memory.

``MODELYARD_TEST_CEPH_ROOT`` names a folder into which the packages ``ceph-mon``, ``ceph-osd`` and ``radosgw`` were
unpacked, otherwise it is ``.make/ceph``, which ``unpack.py`` makes, or the machine itself, if they are installed.
Neither systemd nor root is needed: three processes, whose ports are on loopback and whose files are in one folder.

Keys and bucket are those of ``seaweedfs.py``, so that what uses the one can use the other.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import platform
import secrets
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from modelyard.adapters.blobs.object_place import Patience, Place, connect, place_of

from .seaweedfs import BUCKET, KEYS, RAM, READER, free_ports

ROOT = "MODELYARD_TEST_CEPH_ROOT"
PATIENCE = 90.0
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}/0]
mon initial members = a
public addr = 127.0.0.1
keyring = {folder}/keyring
run dir = {folder}
crash dir = {folder}
admin socket = {folder}/$name.$pid.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
osd class dir = {libraries}/rados-classes
# One copy of everything, in memory, at once.
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
# A change to the cluster's map waits for others this long; each of the gateway's pools takes two.
paxos propose interval = 0.05
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}
# Without tcp_nodelay small answers wait for the client's acknowledgement, 40 ms each.
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


def root() -> Path:
    """Where the programs are, or would be."""
    if named := os.environ.get(ROOT):
        return Path(named)
    unpacked = Path(__file__).parents[2] / ".make" / "ceph"
    return unpacked if (unpacked / "usr/bin/radosgw").exists() else Path("/")


def missing() -> str | None:
    """Why there is no Ceph for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("obstore") is None:
        return "ceph: the client is not installed (pip install obstore)"
    if all((root() / "usr/bin" / name).exists() for name in ("ceph-mon", "ceph-osd", "radosgw")):
        return None
    return "ceph: no ceph-mon, ceph-osd and radosgw here (python tests/services/unpack.py ceph)"


@contextmanager
def running() -> Iterator[Place]:
    """The place of an empty bucket; the servers are stopped at the end."""
    folder = RAM if RAM.is_dir() else None
    with (
        TemporaryDirectory(prefix="modelyard-ceph-", dir=folder, ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        cluster = Cluster(Path(name), stack)
        cluster.make()
        cluster.start()
        yield cluster.place


class Cluster:
    """One of each server over a folder of its own; ``stack`` stops them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._libraries = root() / "usr/lib" / f"{platform.machine()}-linux-gnu"
        self._fsid = str(uuid.uuid4())
        self._monitor, port = free_ports(2)
        self.place = place_of(
            f"http://127.0.0.1:{port}/{BUCKET}",
            secrets=KEYS,
            region="us-east-1",
            patience=Patience(silence=20, budget=20),
        )
        (folder / "ceph.conf").write_text(
            CONFIGURATION.format(
                folder=folder, libraries=self._libraries, fsid=self._fsid, monitor=self._monitor, port=port
            )
        )

    def make(self) -> None:
        """The monitor's own store: it knows everybody's keys and the one place for objects beforehand."""
        folder = self._folder
        (folder / "keyring").write_text(keyring())
        (folder / "mon").mkdir()
        (folder / "osd").mkdir()
        address = f"[v2:127.0.0.1:{self._monitor}/0]"
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, folder / "monmap")
        self._run("osdmaptool", "--createsimple", "1", folder / "osdmap")
        maps = ("--monmap", folder / "monmap", "--osdmap", folder / "osdmap", "--keyring", folder / "keyring")
        self._run("ceph-mon", "-i", "a", "--mkfs", *maps)

    def start(self) -> None:
        """Returns when the bucket is there."""
        self._spawn("ceph-mon", "-i", "a")
        self._run("ceph-osd", "-i", "0", "--mkfs")  # asks the monitor what the cluster can do
        self._spawn("ceph-osd", "-i", "0")
        owner = ["--access-key", KEYS["access_key_id"], "--secret-key", KEYS["secret_access_key"]]
        self._run("radosgw-admin", "user", "create", "--uid=owner", "--display-name=owner", *owner)
        reader = ["--access-key", READER["access_key_id"], "--secret-key", READER["secret_access_key"]]
        self._run(
            "radosgw-admin", "subuser", "create", "--uid=owner", "--subuser=owner:reader", "--access=read"
        )
        self._run("radosgw-admin", "key", "create", "--subuser=owner:reader", "--key-type=s3", *reader)
        self._wait(self._spawn("radosgw", "-n", "client.admin"))

    def _command(self, program: str, *words: str | Path) -> list[str]:
        return [str(root() / "usr/bin" / program), "-c", str(self._folder / "ceph.conf"), *map(str, words)]

    def _environment(self) -> dict[str, str]:
        """The loader finds what was unpacked, and nothing reads the machine's own configuration."""
        folders = (self._libraries, self._libraries / "ceph", root() / "lib" / self._libraries.name)
        given = {} if root() == Path("/") else {"LD_LIBRARY_PATH": ":".join(map(str, folders))}
        return {name: value for name, value in os.environ.items() if not name.startswith("CEPH_")} | given

    def _run(self, program: str, *words: str | Path) -> None:
        done = subprocess.run(
            self._command(program, *words),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {words[0]} failed: {done.stdout[-500:]}{done.stderr[-1500:]}")

    def _spawn(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / f"{program}.out").open("wb"))
        process = subprocess.Popen(
            [*self._command(program, *words), "-f"],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def _wait(self, gateway: subprocess.Popen[bytes]) -> None:
        """Until the gateway makes the bucket, by the one request that makes one."""
        import obstore

        link = obstore.sign(connect(replace(self.place, prefix="")), "PUT", "", timedelta(seconds=PATIENCE))
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and gateway.poll() is None:
            try:
                urlopen(Request(link, method="PUT"), timeout=10).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        said = "".join(path.read_text("utf-8", "replace")[-1500:] for path in self._folder.glob("*.out"))
        raise RuntimeError(f"the gateway made no bucket within {PATIENCE:.0f} s: {said}")


def keyring() -> str:
    """A key for each who takes part, with what it may do."""
    users = {
        "mon.": ["mon"],
        "client.admin": ["mon", "osd", "mgr"],
        "osd.0": ["mon", "osd"],
    }
    lines = []
    for user, places in users.items():
        lines += [f"[{user}]", f"\tkey = {key()}", *(f'\tcaps {place} = "allow *"' for place in places)]
    return "\n".join(lines) + "\n"


def key() -> str:
    """A new key in Ceph's form: type 1 (AES), the time it was made, its length, and 16 random bytes."""
    head = struct.pack("<hIIh", 1, int(time.time()), 0, 16)
    return base64.b64encode(head + secrets.token_bytes(16)).decode()
