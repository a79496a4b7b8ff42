"""A real MySQL for tests, which Debian 12 does not have.

``MODELYARD_TEST_MYSQL_URL`` names a server that is there already, with a user who may create databases.
``MODELYARD_TEST_MYSQL_ROOT`` names a folder into which ``mysql-server-core`` of a newer Debian and all it needs (its
``libc6`` too) were unpacked; it is run with the loader and the libraries in there.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from .postgresql import PASSWORD, QUOTED, RAM, free_port

VARIABLE = "MODELYARD_TEST_MYSQL_URL"
ROOT = "MODELYARD_TEST_MYSQL_ROOT"
PATIENCE = 60.0


def missing() -> str | None:
    """Why there is no MySQL for tests here, or ``None`` if there is one."""
    if importlib.util.find_spec("pymysql") is None:
        return "mysql: the driver is not installed (pip install PyMySQL)"
    if os.environ.get(VARIABLE):
        return None
    root = os.environ.get(ROOT)
    if root and (Path(root) / "usr/sbin/mysqld").exists():
        return None
    return f"mysql: neither {VARIABLE} nor {ROOT} is set"


@contextmanager
def running() -> Iterator[str]:
    """The address of a server, ``mysql://user:password@host:port/mysql``; one of our own is stopped at the end."""
    if url := os.environ.get(VARIABLE):
        yield url
        return
    root = Path(os.environ[ROOT])
    with TemporaryDirectory(prefix="modelyard-mysql-", dir=RAM if RAM.is_dir() else None) as name:
        folder, port = Path(name), free_port()
        make(root, folder)
        process = start(root, folder, port)
        try:
            wait(port, process, folder)
            yield f"mysql://reg:{QUOTED}@127.0.0.1:{port}/mysql"
        finally:
            process.kill()
            process.wait()


def make(root: Path, folder: Path) -> None:
    """The system's tables, and a user with a password who may do everything."""
    made = f"CREATE USER reg@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"
    (folder / "first.sql").write_text(f"{made};\nGRANT ALL ON *.* TO reg@'127.0.0.1';\n")
    if os.geteuid() == 0:
        for path in (folder, folder / "first.sql"):
            shutil.chown(path, str(user()))
    subprocess.run(
        [*command(root, folder), "--initialize-insecure", f"--init-file={folder / 'first.sql'}"],
        check=True,
        capture_output=True,
        cwd="/",
        user=user(),
    )


def start(root: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                *command(root, folder),
                f"--socket={folder / 's.sock'}",
                f"--pid-file={folder / 'pid'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--mysqlx=OFF",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=64M",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            user=user(),
        )


def command(root: Path, folder: Path) -> list[str]:
    libraries = root / "usr/lib/x86_64-linux-gnu"
    return [
        str(libraries / "ld-linux-x86-64.so.2"),
        "--library-path",
        str(libraries),
        str(root / "usr/sbin/mysqld"),
        "--no-defaults",
        "--secure-file-priv=NULL",
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={root / 'usr/share/mysql'}",
        f"--datadir={folder / 'data'}",
    ]


def user() -> str | None:
    """Whom root has to run it as; the process is ours to kill then, which one behind ``runuser`` would not be."""
    if os.geteuid() != 0:
        return None
    for name in ("mysql", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("root may not run mysqld, and there is no user mysql or nobody")


def wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    import pymysql

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(pymysql.Error):
            pymysql.connect(host="127.0.0.1", port=port, user="reg", password=PASSWORD).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"mysqld did not start: {(folder / 'log').read_text()[-2000:]}")
