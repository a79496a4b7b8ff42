"""A real MariaDB for tests, in a temporary folder.

``MODELYARD_TEST_MARIADB_URL`` names a server that is there already, with a user who may create databases. Otherwise the
programs are those of Debian's package ``mariadb-server-core``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .mysqld import Daemon, run_once
from .postgresql import PASSWORD, RAM

VARIABLE = "MODELYARD_TEST_MARIADB_URL"
OPTIONS = (
    "--bind-address=127.0.0.1",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--skip-log-bin",
)


def missing() -> str | None:
    """Why there is no MariaDB for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("pymysql") is None:
        return "mariadb: the driver is not installed (pip install PyMySQL)"
    if os.environ.get(VARIABLE):
        return None
    if _program("mariadbd") and _program("mariadb-install-db"):
        return None
    return f"mariadb: no {VARIABLE} and no Debian package mariadb-server-core"


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running() -> Iterator[str]:
    """The address of a server, ``mariadb://user:password@host:port/mysql``; one of our own is stopped at the end."""
    if url := os.environ.get(VARIABLE):
        yield url
        return
    with TemporaryDirectory(prefix="modelyard-mariadb-", dir=RAM if RAM.is_dir() else None) as name:
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
        super().__init__(folder, "mariadb")
        self._user = "root" if os.geteuid() == 0 else None

    def make(self) -> None:
        """The system's tables, and a user with a password who may do everything."""
        given = ["--no-defaults", f"--datadir={self._folder / 'data'}", "--skip-test-db"]
        given += ["--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"]
        run_once([str(_program("mariadb-install-db")), *given, *self._as_user()])
        grant = f"GRANT ALL ON *.* TO reg@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' WITH GRANT OPTION;\n"
        (self._folder / "first.sql").write_text(f"FLUSH PRIVILEGES;\n{grant}")

    def _as_user(self) -> list[str]:
        return [f"--user={self._user}"] if self._user else []

    def _command(self) -> list[str]:
        data, first = f"--datadir={self._folder / 'data'}", f"--init-file={self._folder / 'first.sql'}"
        return [str(_program("mariadbd")), "--no-defaults", data, first, *OPTIONS, *self._as_user()]
