"""Many callers at once, and callers that mean no good, at the limits as they are shipped."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import time
from pathlib import Path

import httpx
import pytest

from .running import Command, raw, wait_until
from .test_command import resident

pytestmark = pytest.mark.long

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LATE = 150
"""Seconds after which somebody who should be gone within a minute will not go any more, however busy the machine."""


@pytest.fixture
def handles():
    """As many open files as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 12_000:
        pytest.skip("needs 12,000 file descriptors")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def gets(port: int, times: int) -> None:
    """Kept-alive requests, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(15)
    writer.close()


def worked(pid: int) -> float:
    """Seconds that a process had of the processor, which others make no longer (proc(5), ``utime`` and ``stime``)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_five_thousand_idle_connections_do_no_harm(tmp_path, handles) -> None:
    async def run(port: int, pid: int) -> float:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5000)]
        before = worked(pid)
        await gets(port, 300)
        each = (worked(pid) - before) / 300
        for _, writer in idle:
            writer.transport.abort()
        return each

    with Command(tmp_path / "registry") as server:
        before = resident(server.pid)
        each = asyncio.run(run(server.port, server.pid))
        assert each < 0.005, "a request costs a fraction of a millisecond where nobody idles"
        grown = resident(server.pid) - before
        print(
            f"{each * 1000:.2f} ms of processor time a request; {before >> 20} MiB, grown by {grown >> 20} MiB"
        )
        assert grown < 100 << 20
        assert before + grown < 300 << 20


HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
KINDS = {"silent": (b"", b""), "header": (HEAD, b"X-More: 1\r\n"), "body": (BODY, b"x")}


async def slow(port: int, first: bytes, each: bytes) -> float:
    """Seconds until the server lets go of a caller who sends a little every second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(first)
    while time.monotonic() - began < LATE:
        try:
            if not await asyncio.wait_for(reader.read(65536), 1):
                break
        except TimeoutError:
            writer.write(each)
        except OSError:
            break
    writer.transport.abort()
    return time.monotonic() - began


@pytest.mark.parametrize("kind", KINDS)
def test_three_hundred_slow_callers_are_gone_within_a_minute(tmp_path, handles, kind: str) -> None:
    async def run(port: int) -> list[float]:
        return await asyncio.gather(*(slow(port, *KINDS[kind]) for _ in range(300)))

    with Command(tmp_path / "registry") as server:
        held = asyncio.run(run(server.port))
        print(kind, f"{max(held):.0f} s")
        assert max(held) < LATE
        assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


def connections(client: httpx.Client) -> int:
    """How many the server has open, by its own figures."""
    lines = client.get("/metrics").text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("modelyard_connections "))


def test_three_hundred_readers_that_do_not_read_are_gone_within_a_minute(tmp_path, handles) -> None:
    env = {"MODELYARD_SERVER_LIMITS_REQUESTS": "400", "MODELYARD_SERVER_LIMITS_REQUESTS_PER_CALLER": "400"}
    with Command(tmp_path / "registry", "--no-auth", env=env) as server, server.client() as client:
        data = os.urandom(1 << 20) * 32
        name = f"/api/v1/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
        assert client.put(name, content=data).status_code == 201
        before = resident(server.pid)
        began = time.monotonic()
        readers = [raw(server.port) for _ in range(300)]
        for one in readers:
            one.sendall(f"GET {name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_until(lambda: connections(client) > 250)
        grown = resident(server.pid) - before
        wait_until(lambda: connections(client) < 10, seconds=LATE)
        print(f"reader {time.monotonic() - began:.0f} s, grown by {grown >> 20} MiB")
        for one in readers:
            one.close()
        assert grown < 900 << 20, "two or three pieces of a mebibyte for each of them"
        assert client.get("/healthz").status_code == 200


def test_what_does_not_fit_into_memory_is_refused_and_the_next_is_answered(tmp_path) -> None:
    with Command(tmp_path / "registry", "--no-auth") as server, server.client() as client:
        assert client.get("/api/v1/models").status_code == 200
        with open(f"/proc/{server.pid}/status") as status:
            size = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize"))
        limit = size + (128 << 20)
        resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, limit))
        for _ in range(3):
            with contextlib.suppress(httpx.HTTPError):  # hanging up is an answer too
                body = b'{"bundle": "' + b"x" * (300 << 20) + b'"}'
                headers = {"Content-Type": "application/json"}
                assert client.post("/api/v1/import", content=body, headers=headers).status_code >= 400
            assert client.get("/api/v1/models").status_code == 200
        data = os.urandom(1 << 20) * 200
        name = f"/api/v1/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
        assert client.put(name, content=data).status_code == 201
        assert client.get("/readyz").status_code == 200


def test_ten_thousand_requests_leak_no_handle_and_little_memory(tmp_path) -> None:
    with (
        Command(tmp_path / "registry", env={"MODELYARD_SERVER_ACCESS_LOG": "false"}) as server,
        server.client() as client,
    ):
        for _ in range(500):
            client.get("/api/v1/models")
        handles, memory = len(os.listdir(f"/proc/{server.pid}/fd")), resident(server.pid)
        for n in range(10_000):
            client.get("/api/v1/models" if n % 2 else "/api/v1/models/nothing")
        assert abs(len(os.listdir(f"/proc/{server.pid}/fd")) - handles) <= 5
        assert resident(server.pid) - memory < 16 << 20


def test_running_out_of_handles_is_survived(tmp_path) -> None:
    with Command(tmp_path / "registry") as server:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (64, 64))

        async def crowd() -> None:
            many = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(100)]
            for _, writer in many:
                writer.write(GET)
            await asyncio.wait([asyncio.ensure_future(reader.read(1)) for reader, _ in many], timeout=2)
            for _, writer in many:
                writer.transport.abort()

        asyncio.run(crowd())
        with server.client() as client:
            assert client.get("/api/v1/models").status_code == 200
            assert client.get("/readyz").status_code == 200
