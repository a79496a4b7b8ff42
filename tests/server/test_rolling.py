"""Servers and clients of two builds at the same time (F40): what goes on, and what says clearly that it does not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from modelyard import ModelRegistry
from modelyard.adapters.metadata import statements_sqlite
from modelyard.domain.errors import NotSupported
from modelyard.wiring import over_http

from .running import Command, on_a_thread

OLD = """
import sys
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.migrations.versions import m0005_sessions as last
sql.DDL = tuple(text for text in sql.DDL if not any(f" {name} " in text for name in last.TABLES))
sql.SCHEMA_VERSION = 4
from modelyard.cli.main import main
sys.argv = ["modelyard", *sys.argv[1:]]
sys.exit(main())
"""
"""The program as it was before the newest tables came."""

API = "/api/v1"


def registered(url: str) -> int:
    """The number of a version registered through a server."""
    return httpx.post(f"{url}{API}/models/fraud/versions", json={}, timeout=60).json()["number"]


@pytest.mark.long
def test_a_server_of_the_build_before_goes_on_while_a_newer_one_comes_beside_it(
    tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "registry"
    monkeypatch.setattr(Command, "program", ("-c", OLD))
    with Command(folder, "--no-auth") as old:
        monkeypatch.undo()
        assert registered(old.url) == 1
        with Command(folder, "--no-auth") as new:
            numbers = [registered(url) for url in (new.url, old.url, new.url, old.url)]
            assert numbers == [2, 3, 4, 5]
            for url in (old.url, new.url):
                assert httpx.get(f"{url}{API}/versions/fraud", timeout=60).json()["number"] == 5
                assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    again = subprocess.run(
        [sys.executable, "-c", OLD, "server", "--port", "0", "--registry", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 2
    assert f"has schema {statements_sqlite.SCHEMA_VERSION}" in again.stderr
    assert "knows up to 4" in again.stderr
    assert "update this one" in again.stderr
    with ModelRegistry(folder) as registry:
        assert registry.verify_audit().ok
        assert not registry.fsck(deep=True).findings


@contextlib.contextmanager
def answering(**more):
    """A server of a later build, which tells of versions what this client has never heard of."""

    class Newer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(more).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Newer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_client_says_that_a_server_is_newer_where_it_does_not_understand_it() -> None:
    with answering(total_models=1, moods={"fraud": "sad"}) as url:
        service = over_http(url)
        try:
            with pytest.raises(NotSupported, match=r"unknown keys: moods.*update modelyard"):
                service.stats()
        finally:
            service.close()


def test_a_server_says_which_part_of_a_newer_request_it_does_not_know(tmp_path) -> None:
    with on_a_thread(tmp_path / "registry") as server:
        answer = httpx.post(f"{server.url}{API}/models/fraud/versions", json={"mood": "sad"}, timeout=60)
        assert answer.status_code == 400
        assert "takes no 'mood' here; it takes:" in answer.json()["detail"]
        assert httpx.get(f"{server.url}{API}/moods", timeout=60).json()["code"] == "not_found"
