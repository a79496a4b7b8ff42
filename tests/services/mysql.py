"""A real MySQL for tests, which no release of Debian has.

``MODELYARD_TEST_MYSQL_URL`` names a server that is there already, with a user who may create databases.
``MODELYARD_TEST_MYSQL_ROOT`` names a folder into which ``mysql-server-core`` of a newer Debian and all it needs (its
``libc6`` too) were unpacked, otherwise it is ``.make/mysql``, which ``unpack.py`` makes. It is run with the loader and
the libraries in there.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .mysqld import Daemon, run_once
from .postgresql import PASSWORD, RAM

VARIABLE = "MODELYARD_TEST_MYSQL_URL"
ROOT = "MODELYARD_TEST_MYSQL_ROOT"
OPTIONS = (
    "--bind-address=127.0.0.1",
    "--mysqlx=OFF",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=64M",
)


def root() -> Path:
    """Where the programs were unpacked, or would be."""
    return Path(os.environ.get(ROOT) or Path(__file__).parents[2] / ".make" / "mysql")


def missing() -> str | None:
    """Why there is no MySQL for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("pymysql") is None:
        return "mysql: the driver is not installed (pip install PyMySQL)"
    if os.environ.get(VARIABLE) or (root() / "usr/sbin/mysqld").exists():
        return None
    return f"mysql: no {VARIABLE} and nothing in {root()} (python tests/services/unpack.py mysql)"


@contextmanager
def running() -> Iterator[str]:
    """The address of a server, ``mysql://user:password@host:port/mysql``; one of our own is stopped at the end."""
    if url := os.environ.get(VARIABLE):
        yield url
        return
    with TemporaryDirectory(prefix="modelyard-mysql-", dir=RAM if RAM.is_dir() else None) as name:
        server = Server(Path(name))
        server.make()
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


class Server(Daemon):
    """One server over a folder of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "mysql")

    def make(self) -> None:
        """The system's tables, and a user with a password who may do everything."""
        first = self._folder / "first.sql"
        made = f"CREATE USER reg@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"
        first.write_text(f"{made};\nGRANT ALL ON *.* TO reg@'127.0.0.1' WITH GRANT OPTION;\n")
        run_once([*self._program(), "--initialize-insecure", f"--init-file={first}"])

    def _command(self) -> list[str]:
        return [*self._program(), *OPTIONS]

    def _program(self) -> list[str]:
        libraries = root() / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        (loader,) = libraries.glob("ld-linux-*.so.*")
        return [
            str(loader),
            "--library-path",
            str(libraries),
            str(root() / "usr/sbin/mysqld"),
            "--no-defaults",
            "--secure-file-priv=NULL",
            f"--basedir={root() / 'usr'}",
            f"--lc-messages-dir={root() / 'usr/share/mysql'}",
            f"--datadir={self._folder / 'data'}",
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]
