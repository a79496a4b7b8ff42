"""Real servers in processes of their own, and callers who do not tidy up what they send."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from modelyard.rest.examples import BODIES, DIGEST, PATHS, QUERIES
from modelyard.wire.operations import BY_NAME, PREFIX

ADDRESSES = (f"127.9.{high}.{low}" for high in range(250) for low in range(1, 250))
SERVE = Path(__file__).with_name("serve.py")


class Server:
    """One that runs, and what one may ask of it.

    Attributes:
        http: A client with the administrator's token, if there is one.
    """

    def __init__(self, process, told):
        self.process, self.url, self.token, self.pid = process, told["url"], told["token"], told["pid"]
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.http = httpx.Client(base_url=self.url + PREFIX, headers=headers, timeout=30)

    @property
    def address(self):
        parts = urlsplit(self.url)
        return parts.hostname, parts.port

    def raw(self, request: bytes, *, then: bytes = b"", patience: float = 20, hang_up=False) -> bytes:
        """What comes back for bytes sent as they are, until the server closes or says nothing for ``patience`` seconds.

        Each call comes from another address of this machine: callers without a token are counted by address.
        """
        found = b""
        source = (next(ADDRESSES), 0)
        with (
            socket.create_connection(self.address, timeout=patience, source_address=source) as connection,
            suppress(OSError),
        ):
            connection.sendall(request)
            connection.sendall(then)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                found += piece
        return found

    def memory(self) -> int:
        """Resident bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    def peak(self) -> int:
        """Resident bytes at most, since it was started or ``forget_peak`` was called."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def ask(self, operation: str, /, **given) -> httpx.Response:
        """One row of the operations table; ``json`` and ``params`` as httpx takes them, the rest is in the address."""
        row = BY_NAME[operation]
        sent = {key: given.pop(key) for key in ("json", "params", "headers") if key in given}
        path = row.path
        for part in row.in_path:
            path = path.replace(f"{{{part}}}", quote(given[part], safe=""))
        return self.http.request(row.method, path, **sent)

    def example(self, name: str) -> httpx.Response:
        """A row with its own example."""
        row = BY_NAME[name]
        places = {part: PATHS.get(part, "fraud") for part in row.in_path}
        body = {"json": BODIES[name]} if row.has_body else {"params": QUERIES.get(name, {})}
        return self.ask(name, **places, **body)

    def populate(self) -> None:
        """The examples, in order: a model with one version that is in production and champion."""
        self.http.put(f"/blobs/{DIGEST}", content=b"hello").raise_for_status()
        for name in BODIES:
            answer = self.example(name)
            assert answer.is_success, answer.text


@contextmanager
def running(folder, *options):
    """A server over a folder, until the block ends."""
    errors = folder.with_suffix(".log")
    with errors.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(SERVE), str(folder), *options], stdout=subprocess.PIPE, stderr=log
        )
    try:
        line = process.stdout.readline()
        assert line, errors.read_text()
        server = Server(process, json.loads(line))
        with server.http:
            yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def problem(answer: httpx.Response) -> dict:
    """The body of an error, which must have the one shape."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert set(told) == {"type", "title", "status", "code", "detail", "reasons", "data", "request_id"}
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["type"] == f"urn:modelyard:problem:{told['code']}"
    return told
