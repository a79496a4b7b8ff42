"""What happens to every request before and after the part that answers it."""

from __future__ import annotations

import io
import json
import logging
import threading

import httpx
import pytest
from starlette.responses import Response

from modelyard.domain.errors import Overloaded, RateLimited
from modelyard.edge.front import Front
from modelyard.edge.limits import Limits, Places
from modelyard.edge.logs import AccessLog, JsonLines, TextLines
from modelyard.edge.metrics import Metrics
from modelyard.edge.routing import PUBLIC, Route
from modelyard.edge.trail import Trail, trail
from modelyard.server import Plan

from .running import on_a_thread, wait_until


@pytest.fixture
def server(tmp_path):
    gate = threading.Event()

    async def wait(call):
        from anyio import to_thread

        await to_thread.run_sync(gate.wait)
        return Response(b"done")

    async def fail(call):
        raise RuntimeError("hunter2 is nobody's business")

    more = (
        Route(method="GET", path="/wait", action=PUBLIC, handler=wait),
        Route(method="GET", path="/fail", action=PUBLIC, handler=fail),
    )
    limits = Limits(requests=2, requests_per_caller=2, rate=10)
    with on_a_thread(tmp_path / "registry", Plan(authenticate=False, limits=limits), more) as process:
        process.gate = gate
        yield process
        gate.set()


def test_every_answer_has_the_headers_that_protect_browsers(server) -> None:
    for path in ("/healthz", "/nowhere", "/fail"):
        headers = httpx.get(server.url + path, timeout=60).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 32
        assert "server" not in headers
        assert not [name for name in headers if name.startswith("access-control")]


def test_a_foreign_name_is_refused_before_anything_is_asked(server) -> None:
    answer = httpx.get(f"{server.url}/api/v1/models", headers={"Host": "evil.example"}, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["data"] == {"field": "host"}
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_more_requests_than_places_are_told_to_come_back(server) -> None:
    threads = [threading.Thread(target=httpx.get, args=(f"{server.url}/wait",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.app.front.places.taken == 2)
    answer = httpx.get(f"{server.url}/healthz", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    server.gate.set()
    for thread in threads:
        thread.join()
    wait_until(lambda: server.app.front.places.taken == 0)
    assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


def test_who_asks_too_often_is_told_when_to_come_back(server) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        answers = [client.get("/healthz") for _ in range(60)]
    refused = [each for each in answers if each.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert refused[0].json()["code"] == "rate_limited"
    assert int(refused[0].headers["retry-after"]) >= 1


def test_one_caller_cannot_take_every_place() -> None:
    places = Places(3, 2)
    with places.taking("a"), places.taking("a"):
        with pytest.raises(RateLimited), places.taking("a"):
            raise AssertionError
        with places.taking("b"), pytest.raises(Overloaded), places.taking("c"):
            raise AssertionError
        assert places.taken == 2
    assert places.taken == 0
    with places.taking("a"):
        assert places.taken == 1


def test_figures_need_permission_and_count_by_route(server) -> None:
    httpx.get(f"{server.url}/healthz", timeout=60)
    httpx.get(f"{server.url}/api/v1/models/secret-name", timeout=60)
    found = httpx.get(f"{server.url}/metrics", timeout=60)
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'modelyard_requests_total{route="GET /healthz",status="200"} 1' in found.text
    assert 'route="GET /api/v1/models/{name}",status="404"} 1' in found.text
    assert "secret-name" not in found.text


def test_ready_says_no_at_once_when_the_server_is_told_to_stop(server) -> None:
    assert httpx.get(f"{server.url}/readyz", timeout=60).json() == {"status": "ready"}
    server.app.draining = True
    answer = httpx.get(f"{server.url}/readyz", timeout=60)
    assert (answer.status_code, answer.json()["missing"]) == (503, ["stopping"])
    assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


# --- figures and lines ----------------------------------------------------------------------------------------------


def test_workers_add_up_to_one_set_of_figures() -> None:
    metrics = Metrics(["GET /a", "GET /b"], workers=3)
    for worker in range(3):
        metrics.stripe(worker)
        metrics.count("GET /a", 200, 0.004, 10, 20)
        metrics.now(worker, 5)
    metrics.count("made up", 299, 100.0, 0, 0)
    lines = metrics.text().splitlines()
    assert 'modelyard_requests_total{route="GET /a",status="200"} 3' in lines
    assert 'modelyard_requests_total{route="other",status="other"} 1' in lines
    assert 'modelyard_request_seconds_bucket{route="GET /a",le="0.0025"} 0' in lines
    assert 'modelyard_request_seconds_bucket{route="GET /a",le="0.005"} 3' in lines
    assert 'modelyard_request_seconds_bucket{route="other",le="60.0"} 0' in lines
    assert 'modelyard_request_seconds_bucket{route="other",le="+Inf"} 1' in lines
    assert 'modelyard_request_seconds_count{route="GET /a"} 3' in lines
    assert "modelyard_connections 15" in lines
    assert "modelyard_requests_under_way 3" in lines
    assert "modelyard_received_bytes_total 30" in lines
    assert not [line for line in lines if "GET /b" in line]


def test_a_worker_that_is_started_again_goes_on_counting_and_holds_nothing() -> None:
    metrics = Metrics(["GET /a"], workers=2)
    metrics.stripe(1)
    metrics.count("GET /a", 200, 0.1, 0, 0)
    metrics.now(4, 9)
    metrics.stripe(1)
    assert 'status="200"} 1' in metrics.text()
    assert "modelyard_connections 0" in metrics.text()


def a_trail() -> Trail:
    return Trail(
        request_id="f" * 32, route="GET /x/{name}", principal="ann\n\x1b[1m", status=200, received=1, sent=2
    )


def test_a_line_in_json_is_one_object() -> None:
    stream = io.StringIO()
    AccessLog(stream, as_json=True).write(0.0, a_trail(), "GET", "127.0.0.1", 0.25)
    assert stream.getvalue().count("\n") == 1
    told = json.loads(stream.getvalue())
    assert told["time"] == "1970-01-01T00:00:00.000Z"
    assert (told["route"], told["status"], told["ms"], told["principal"]) == (
        "GET /x/{name}",
        200,
        250.0,
        "ann\n\x1b[1m",
    )


def test_a_line_of_text_cannot_be_broken_by_a_name() -> None:
    stream = io.StringIO()
    AccessLog(stream, as_json=False).write(0.0, a_trail(), "GET", "127.0.0.1", 0.25)
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_log_that_cannot_be_written_fails_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    AccessLog(stream, as_json=True).write(0.0, a_trail(), "GET", "127.0.0.1", 0.25)


def test_records_of_the_program_take_the_same_forms() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        record = logging.LogRecord(
            "modelyard.x", logging.ERROR, "", 0, "what\n%s", ("now",), (ValueError, error, None)
        )
    told = json.loads(JsonLines().format(record))
    assert (told["level"], told["message"]) == ("error", "what\nnow")
    assert "ValueError: why" in told["error"]
    assert TextLines().format(record).splitlines()[0].endswith("modelyard.x: what\\x0anow")


def test_notes_are_begun_where_nobody_began_them() -> None:
    scope: dict = {}
    assert trail(scope) is trail(scope)
    assert trail(scope).request_id != trail({}).request_id


def test_nothing_but_http_is_answered() -> None:
    import asyncio

    async def never(*_):
        raise AssertionError

    asyncio.run(Front(never)({"type": "websocket"}, never, never))
