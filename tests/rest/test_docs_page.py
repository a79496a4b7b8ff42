"""The page that shows the interface: it needs no network, runs no inline script and tells strangers nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from modelyard.rest.docs import PAGES


def test_the_page_brings_everything_from_this_server(server):
    page = server.http.get("/docs", headers={"Authorization": ""})
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded == ["docs/viewer.css", "docs/viewer.js", "openapi.json"]
    for name in loaded[:2]:
        assert server.http.get(f"/{name}", headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize("path", [path for path, _, _ in PAGES])
def test_the_browser_is_told_to_run_nothing_else(server, path):
    answer = server.http.get(path)
    rules = answer.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert "frame-ancestors 'none'" in rules
    assert "unsafe" not in rules
    assert "://" not in answer.text.replace("https://json-schema.org", "")
    assert not re.search(r"<script>|<style|\son\w+=|javascript:", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_script_sets_text_and_never_markup(server):
    script = server.http.get("/docs/viewer.js").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(", script)


def test_strangers_learn_no_version_and_no_address(server):
    for path, _, _ in PAGES:
        text = server.http.get(path, headers={"Authorization": ""}).text
        assert "/api/v1/" not in text
        assert not re.search(r"\d+\.\d+\.\d+", text)


def test_a_page_that_is_known_is_not_sent_again(server):
    tag = server.http.get("/docs").headers["etag"]
    assert server.http.get("/docs", headers={"If-None-Match": f'"x", {tag}'}).status_code == 304


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_script_is_javascript(tmp_path, server):
    file = tmp_path / "viewer.js"
    file.write_text(server.http.get("/docs/viewer.js").text)
    done = subprocess.run(["node", "--check", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
@pytest.mark.parametrize("status", ["200", "401"])
def test_the_page_shows_every_operation_and_every_record(tmp_path, server, status):
    script, document = tmp_path / "viewer.js", tmp_path / "openapi.json"
    script.write_text(server.http.get("/docs/viewer.js").text)
    openapi = server.http.get("/openapi.json").json()
    document.write_text(json.dumps(openapi))
    command = ["node", str(Path(__file__).with_name("stub_browser.js")), str(script), str(document), status]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    operations = {one["operationId"] for methods in openapi["paths"].values() for one in methods.values()}
    assert set(shown["ids"]) == operations | {f"schema-{name}" for name in openapi["components"]["schemas"]}
    assert "undefined" not in shown["text"]
    assert "[object" not in shown["text"]
    assert set(shown["left"]) >= {"promote", "promote_winner"}
    assert "stats" not in shown["left"]
    assert shown["asksFirst"] is (status == "401")
    assert shown["asked"][-1] == ({"Authorization": "Bearer my_token"} if status == "401" else {})
