"""Real servers: on a thread of the test for what is asked of one process, as a command for everything else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from modelyard.server import Plan, build
from modelyard.server.process import Process
from modelyard.server.start import bound
from modelyard.wiring import in_folder

PATIENCE = 60.0


@contextlib.contextmanager
def on_a_thread(folder, plan=None, more=(), **given):
    """A server without tokens over a new registry; gives its process object, with ``url`` and ``port``."""
    plan = plan or Plan(authenticate=False)
    service = in_folder(folder, **given)
    app = build(service, plan)
    for route in more:
        app.api.router.__init__((*app.api.router.routes, route))
    listening = bound(plan)
    process = Process(app, plan)
    process.port = listening.getsockname()[1]
    process.url = f"http://127.0.0.1:{process.port}"
    process.app, process.service = app, service
    thread = threading.Thread(target=process.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: process.started)
        yield process
    finally:
        process.stop()
        thread.join()
        listening.close()
        service.close()


def wait_until(true, seconds=PATIENCE):
    """Poll until something is the case; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.005)
    return time.monotonic() - began


class Command:
    """``modelyard server`` as a process of its own.

    Attributes:
        program: What the interpreter is told to run.
    """

    program: tuple[str, ...] = ("-m", "modelyard")

    def __init__(
        self, folder: Path, *options: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        words = [*self.program, "server", "--port", "0", "--json", "--registry", str(folder), *options]
        self.errors = (folder.parent / f"{folder.name}.log").open("a+")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=cwd,
            env=clean | (env or {}),
        )
        try:
            told = self._told()
        except BaseException:
            self.kill()
            raise
        self.url, self.token = told["url"], told["token"]
        self.port = int(self.url.rpartition(":")[2])

    def _told(self) -> dict[str, str]:
        lines = ""
        for line in self.process.stdout:
            lines += line
            with contextlib.suppress(ValueError):
                return json.loads(lines)
        raise AssertionError(f"no server: {self.log()}")

    @property
    def pid(self) -> int:
        return self.process.pid

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def signal(self, what: signal.Signals) -> None:
        self.process.send_signal(what)

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def raw(port: int) -> socket.socket:
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return bytes(found)
