"""Requests as OpenTelemetry spans: what is in them, what never is, and that nothing of it is there when it is off."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from modelyard.domain.errors import MissingDependency
from modelyard.edge import tracing
from modelyard.edge.routing import PUBLIC, Route
from modelyard.edge.tracing import Spans
from modelyard.server import Plan

from .running import Command, on_a_thread, wait_until

API = "/api/v1"


class Kept:
    """The spans of a server, and the server."""

    def __init__(self, server):
        self.server, self.exporter = server, InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        server.app.front.spans = Spans(provider)

    def ask(self, method, path, **given):
        """The answer, the span of the request, and those below it."""
        self.exporter.clear()
        answer = httpx.request(method, self.server.url + path, timeout=60, **given)
        wait_until(lambda: any(span.kind is SpanKind.SERVER for span in self.exporter.get_finished_spans()))
        found = self.exporter.get_finished_spans()
        (top,) = [span for span in found if span.kind is SpanKind.SERVER]
        return answer, top, [span for span in found if span is not top]


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    async def fail(call):
        raise RuntimeError("hunter2")

    more = [Route(method="GET", path="/fail", action=PUBLIC, handler=fail)]
    with on_a_thread(tmp_path_factory.mktemp("traced") / "registry", more=more) as server:
        server.service.as_actor(server.service.actor)
        yield Kept(server)


def test_a_request_is_one_span_with_its_route_its_status_and_its_request_id(spans):
    body = {"description": "nobody's business"}
    answer, top, below = spans.ask("POST", f"{API}/models/fraud/versions?", json=body)
    assert answer.status_code == 201
    assert top.name == "POST /api/v1/models/{name}/versions"
    assert dict(top.attributes) == {
        "http.route": "/api/v1/models/{name}/versions",
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "http.request.body.size": int(answer.request.headers["content-length"]),
        "http.response.body.size": len(answer.content),
        "modelyard.request_id": answer.headers["x-request-id"],
    }
    assert top.status.status_code is StatusCode.UNSET
    (operation,) = below
    assert operation.name == "registry.create_version"
    assert operation.parent.span_id == top.context.span_id
    assert operation.context.trace_id == top.context.trace_id


def test_what_was_refused_says_why_by_its_code_and_is_no_failure_of_the_server(spans):
    _, top, (operation,) = spans.ask("GET", f"{API}/versions/nobody")
    assert top.attributes["http.response.status_code"] == 404
    assert top.status.status_code is StatusCode.UNSET
    assert operation.attributes["error.type"] in ("not_found", "model_not_found", "version_not_found")
    assert not operation.events


def test_a_failure_of_the_server_is_marked_as_one_without_its_text(spans):
    answer, top, _ = spans.ask("GET", "/fail")
    assert answer.status_code == 500
    assert top.status.status_code is StatusCode.ERROR
    assert "hunter2" not in top.to_json()


def test_an_address_that_is_none_is_not_a_name(spans):
    _, top, _ = spans.ask("GET", "/etc/passwd?token=hunter2")
    assert top.name == "GET"
    assert "http.route" not in top.attributes
    _, top, _ = spans.ask("PROPFIND", "/x")
    assert top.name == "_OTHER"


def test_A26_no_secret_name_or_text_is_in_a_span(spans):
    secrets = ("hunter2", "secret-model", "secret-label", "secret-tag")
    headers = {"Authorization": "Bearer hunter2", "Cookie": "x=hunter2", "X-Hunter": "hunter2"}
    for method, path, given in (
        ("POST", f"{API}/models/secret-model/versions", {"json": {"tags": {"a": "secret-tag"}}}),
        ("GET", f"{API}/versions/secret-model", {}),
        ("GET", f"{API}/versions/secret-model:secret-label", {}),
        ("GET", f"{API}/versions?text=secret-tag", {}),
        ("POST", f"{API}/models/secret-model/versions", {"content": b"{secret-tag"}),
    ):
        _, top, below = spans.ask(method, path, headers=headers, **given)
        said = "".join(span.to_json() for span in (top, *below))
        assert not [secret for secret in secrets if secret in said]


def test_the_trace_of_a_caller_is_linked_to_and_never_continued(spans):
    theirs = "0af7651916cd43dd8448eb211c80319c"
    _, top, _ = spans.ask("GET", "/healthz", headers={"traceparent": f"00-{theirs}-b7ad6b7169203331-01"})
    assert f"{top.context.trace_id:032x}" != theirs
    assert top.parent is None
    assert [f"{link.context.trace_id:032x}" for link in top.links] == [theirs]
    _, top, _ = spans.ask("GET", "/healthz", headers={"traceparent": "nonsense"})
    assert not top.links


def test_nothing_of_it_is_imported_while_it_is_off():
    program = (
        "import sys; from modelyard.server import Plan, build; from modelyard.wiring import in_memory;"
        "app = build(in_memory(), Plan()); app.begin(); app.end();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("part", ["trace", "sdk.trace", "exporter"])
def test_without_all_of_the_packages_a_server_that_should_trace_does_not_start(part, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, f"opentelemetry.{part}", None)
    Plan().check()
    with pytest.raises(MissingDependency, match=r"modelyard\[otel\]"):
        Plan(tracing=True).check()


class Stuck(SpanProcessor):
    """Its collector takes what is sent and never answers."""

    def __init__(self):
        self.begun, self.answered, self.ended = threading.Event(), threading.Event(), threading.Event()

    def shutdown(self):
        self.begun.set()
        assert self.answered.wait(60)
        self.ended.set()


def test_a_silent_collector_does_not_hold_the_end_of_a_process(monkeypatch):
    monkeypatch.setattr(tracing, "FLUSH", 0.01)
    stuck, provider = Stuck(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(stuck)
    Spans(provider).close()
    assert not stuck.ended.is_set()
    stuck.answered.set()
    assert stuck.ended.wait(60)


@pytest.mark.long
def test_a_process_ends_though_its_collector_is_silent():
    program = (
        "from modelyard.edge import tracing\ntracing.FLUSH = 0.1\nspans = tracing.exporting()\n"
        "with spans.operation('search'): pass\nspans.close()"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": where, "OTEL_EXPORTER_OTLP_TIMEOUT": "100000"}
        subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=90)


@pytest.mark.long
def test_spans_of_every_worker_reach_the_collector_that_the_variables_name(tmp_path):
    taken = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        where = f"http://127.0.0.1:{collector.server_port}"
        env = {
            "MODELYARD_SERVER_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": where,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        try:
            with Command(tmp_path / "registry", "--workers", "2", env=env) as server:
                for _ in range(20):
                    assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
                wait_until(lambda: taken, seconds=60)
        finally:
            collector.shutdown()
            thread.join()
    assert {path for path, _ in taken} == {"/v1/traces"}
    assert any(b"GET /healthz" in body and b"modelyard" in body for _, body in taken)
