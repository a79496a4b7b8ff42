"""Slow and silent callers are let go, and nobody else notices them."""

from __future__ import annotations

import time

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from modelyard.edge.limits import Limits
from modelyard.edge.routing import PUBLIC, Route
from modelyard.server import Plan

from .running import everything, on_a_thread, raw, wait_until

LIMITS = Limits(header_seconds=0.3, stall_seconds=0.3, idle_seconds=1.5, header_bytes=4096, connections=8)


async def swallow(call):
    async for _ in call.request.stream():
        pass
    return Response(b"done")


async def glance(call):
    return Response(b"unread")


async def pour(call):
    async def pieces():
        for _ in range(64):
            yield bytes(1 << 20)

    return StreamingResponse(pieces())


@pytest.fixture
def server(tmp_path):
    more = (
        Route(method="PUT", path="/swallow", action=PUBLIC, handler=swallow),
        Route(method="PUT", path="/glance", action=PUBLIC, handler=glance),
        Route(method="GET", path="/pour", action=PUBLIC, handler=pour),
    )
    with on_a_thread(tmp_path / "registry", Plan(authenticate=False, limits=LIMITS), more) as process:
        yield process


def test_as_shipped_no_caller_is_waited_for_longer_than_a_minute() -> None:
    shipped = Limits()
    assert max(shipped.header_seconds, shipped.stall_seconds, shipped.idle_seconds) < 60


HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"PUT /swallow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"


def closed_after(connection, words=b"", each=b""):
    """Seconds until the server closes a connection over which ``each`` comes every now and then."""
    began = time.monotonic()
    connection.sendall(words)
    connection.settimeout(0.1)
    while True:
        assert time.monotonic() - began < 120, "never closed"
        try:
            if not connection.recv(1):
                break
        except TimeoutError:
            try:
                connection.sendall(each)
            except OSError:
                break
        except OSError:
            break
    return time.monotonic() - began


def test_a_connection_that_says_nothing_is_closed(server) -> None:
    with raw(server.port) as connection:
        assert 1 < closed_after(connection) < 60


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_connection_that_is_silent_after_an_early_answer_is_closed(server, size: int) -> None:
    words = f"PUT /glance HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
    with raw(server.port) as connection:
        connection.sendall(words)
        found = b""
        while b"unread" not in found:
            found += connection.recv(4096)
        assert closed_after(connection, bytes(size)) < 60


def test_a_head_that_comes_a_byte_at_a_time_is_not_waited_for(server) -> None:
    with raw(server.port) as connection:
        assert closed_after(connection, HEAD, b"X") < 60


def test_a_body_that_comes_a_byte_at_a_time_is_not_waited_for(server) -> None:
    with raw(server.port) as connection:
        assert closed_after(connection, BODY, b"x") < 60


def test_a_body_sent_after_the_answer_is_not_waited_for_either(server) -> None:
    refused = BODY.replace(b"PUT /swallow", b"PUT /nowhere")
    with raw(server.port) as connection:
        connection.sendall(refused)
        assert connection.recv(65536).startswith(b"HTTP/1.1 404")
        assert closed_after(connection, each=b"x") < 60


def test_a_reader_that_does_not_read_is_not_waited_for(server) -> None:
    with raw(server.port) as connection:
        connection.sendall(HEAD.replace(b"/healthz", b"/pour") + b"\r\n")
        wait_until(lambda: server.app.front.places.taken == 1)
        wait_until(lambda: server.app.front.places.taken == 0)
        assert len(everything(connection)) < 64 << 20


def test_a_second_head_that_never_ends_is_not_waited_for(server) -> None:
    with raw(server.port) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert closed_after(connection, HEAD, b"X-More: 1\r\n") < 60


def test_slow_and_steady_is_fast_enough(server) -> None:
    """16 KiB and more each time keep an upload alive for many times the patience."""
    with raw(server.port) as connection:
        connection.sendall(BODY)
        began = time.monotonic()
        for _ in range(50):
            connection.sendall(bytes(20_000))
            while time.monotonic() - began < 0.05:
                time.sleep(0.001)
            began = time.monotonic()
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_others_are_answered_while_slow_ones_are_waited_for(server) -> None:
    slow = [raw(server.port) for _ in range(5)]
    for connection in slow:
        connection.sendall(HEAD)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.get("/healthz").status_code == 200
    for connection in slow:
        connection.close()


def test_too_large_a_head_is_refused_in_the_one_shape(server) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        answer = client.get("/healthz", headers={"X-Large": "x" * 5000})
        assert answer.status_code == 431
        assert answer.json()["code"] == "too_large"
        assert answer.json()["data"] == {"limit": 4096}
        assert client.get("/healthz", headers={"X-Small": "x" * 3000}).status_code == 200


@pytest.mark.parametrize(
    "words", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET  /\r\n\r\n"]
)
def test_what_is_no_http_gets_a_problem(server, words: bytes) -> None:
    with raw(server.port) as connection:
        connection.sendall(words)
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code": "invalid_input"' in answer


def test_one_connection_too_many_is_told_to_come_back(server) -> None:
    taken = [raw(server.port) for _ in range(8)]
    wait_until(lambda: len(server.server_state.connections) == 8)
    with raw(server.port) as connection:
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After" in answer
    for connection in taken:
        connection.close()
    wait_until(lambda: not server.server_state.connections)
    assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


def test_a_trailer_does_not_become_a_header(server) -> None:
    with raw(server.port) as connection:
        connection.sendall(
            b"PUT /swallow HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: Host\r\n\r\n"
            b"1\r\nx\r\n0\r\nHost: evil.example\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_kept_alive_answer_takes_no_forty_milliseconds(server) -> None:
    """Nagle's algorithm with delayed acknowledgements would add 44 ms to every answer but the first."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        times = []
        for _ in range(30):
            began = time.perf_counter()
            client.get("/healthz").raise_for_status()
            times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 4] < 0.04
