"""Two minutes of mixed load with callers that hang up: nothing grows, and everything is whole afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from modelyard import ModelRegistry

from .running import Command
from .test_command import resident

pytestmark = pytest.mark.long

SECONDS, WARM = 120.0, 30.0
API = "/api/v1"


class Caller(threading.Thread):
    """Does one thing after the other over a connection of its own, and hangs up in the middle of one in a hundred."""

    def __init__(self, url: str, port: int, number: int, until: float) -> None:
        super().__init__()
        self.url, self.port, self.until = url, port, until
        self.random, self.name = random.Random(number), f"model-{number}"
        self.seen: Counter[str] = Counter()
        self.acknowledged = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.url, timeout=60) as client:
                while time.monotonic() < self.until:
                    kind = self.random.choices(
                        (self.register, self.read, self.search, self.promote, self.fetch, self.hang_up),
                        (15, 60, 10, 5, 9, 1),
                    )[0]
                    kind(client)
        except BaseException as error:
            self.failure = error

    def note(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.seen[f"{what} {answer.status_code}"] += 1
        return answer

    def register(self, client: httpx.Client) -> None:
        data = self.random.randbytes(self.random.randrange(1, 200_000))
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.note("put", client.put(f"{API}/blobs/{digest}", content=data))
        body = {"files": [{"path": "m", "size": len(data), "digest": digest}], "metrics": {"f1": 0.5}}
        answer = self.note("register", client.post(f"{API}/models/{self.name}/versions", json=body))
        self.acknowledged += answer.status_code == 201

    def read(self, client: httpx.Client) -> None:
        self.note("read", client.get(f"{API}/versions/{self.name}"))

    def search(self, client: httpx.Client) -> None:
        self.note("search", client.get(f"{API}/versions", params={"text": "metrics.f1 > 0.4", "limit": "20"}))

    def promote(self, client: httpx.Client) -> None:
        body = {"target": "staging"}
        self.note("promote", client.post(f"{API}/versions/{self.name}/promotion", json=body))

    def fetch(self, client: httpx.Client) -> None:
        answer = self.note("read", client.get(f"{API}/versions/{self.name}"))
        if answer.status_code == 200 and (files := answer.json()["files"]):
            found = self.note("fetch", client.get(f"{API}/blobs/{files[0]['digest']}"))
            assert f"sha256:{hashlib.sha256(found.content).hexdigest()}" == files[0]["digest"]

    def hang_up(self, _: httpx.Client) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 60) as one:
            path = f"{API}/blobs/sha256:{'0' * 64}"
            one.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n".encode())
            one.sendall(bytes(self.random.randrange(99_999)))
        self.seen["hung up"] += 1


def workers_of(pid: int) -> list[int]:
    """The processes that answer."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def held(pids: list[int], folder: Path) -> dict[str, int]:
    """What must not grow."""
    return {
        "memory": sum(resident(pid) for pid in pids),
        "handles": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        "log": (folder / "registry.db-wal").stat().st_size,
    }


def test_F47_two_minutes_of_mixed_load_leave_nothing_behind(tmp_path) -> None:
    folder = tmp_path / "registry"
    env = {"MODELYARD_SERVER_ACCESS_LOG": "false"}
    with Command(folder, "--no-auth", "--workers", "2", env=env) as server:
        until = time.monotonic() + SECONDS
        callers = [Caller(server.url, server.port, number, until) for number in range(6)]
        for caller in callers:
            caller.start()
        while time.monotonic() < until - SECONDS + WARM:
            time.sleep(0.5)
        pids = workers_of(server.pid)
        early = held(pids, folder)
        for caller in callers:
            caller.join()
        late = held(workers_of(server.pid), folder)
        assert workers_of(server.pid) == pids, "a worker died"
        seen = sum((caller.seen for caller in callers), Counter())
        print(dict(seen), early, late)
    assert not [caller.failure for caller in callers if caller.failure]
    assert not [what for what in seen if what[-3:-2] == "5" or what.endswith("400")], seen
    assert late["memory"] - early["memory"] < 48 << 20
    assert late["handles"] - early["handles"] <= 20
    assert late["log"] < 64 << 20
    with ModelRegistry(folder) as registry:
        assert registry.verify_audit().ok
        assert not registry.fsck(deep=True).findings
        for caller in callers:
            assert registry._service.get_model(caller.name).last_number == caller.acknowledged
    assert not [path for path in (folder / "tmp").rglob("*") if path.is_file()]
