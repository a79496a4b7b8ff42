"""A server of MySQL's family over a folder of its own, which may be stopped and started again."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

from .postgresql import PASSWORD, QUOTED, free_port

PATIENCE = 60.0


def run_once(command: list[str]) -> None:
    """A program that prepares a folder; what it printed is told if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


class Daemon:
    """What MySQL and MariaDB have in common.

    Args:
        folder: Where its data, its log and its socket are.
        scheme: Of its address: ``mysql`` or ``mariadb``.
    """

    def __init__(self, folder: Path, scheme: str) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"{scheme}://reg:{QUOTED}@127.0.0.1:{self._port}/mysql"

    def make(self) -> None:
        """The system's tables, and a user with a password who may do everything."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        """The program and its options, but for where it listens."""
        raise NotImplementedError

    def start(self) -> None:
        """Returns when the server takes connections."""
        places = [
            f"--socket={self._folder / 's.sock'}",
            f"--pid-file={self._folder / 'pid'}",
            f"--port={self._port}",
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), *places], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        import pymysql

        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(pymysql.Error):
                pymysql.connect(host="127.0.0.1", port=self._port, user="reg", password=PASSWORD).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.url} did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """At once, as a crash would."""
        self._process.kill()
        self._process.wait()
