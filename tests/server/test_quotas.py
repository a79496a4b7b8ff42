"""Quotas and the daily allowance of bytes, over a real connection (A57)."""

from __future__ import annotations

import hashlib

import httpx

from modelyard.domain.quota import Quotas
from modelyard.edge.limits import Limits
from modelyard.server import Plan

from .running import on_a_thread

API = "/api/v1"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sent(server, data):
    return httpx.put(f"{server.url}{API}/blobs/{digest(data)}", content=data, timeout=60)


def registered(server, data=b"weights"):
    body = {"files": [{"path": "m", "size": len(data), "digest": digest(data)}]}
    return httpx.post(f"{server.url}{API}/models/fraud/versions", json=body, timeout=60)


def test_a_version_beyond_the_quota_is_refused_as_too_large_and_says_which_quota(tmp_path):
    plan = Plan(authenticate=False)
    with on_a_thread(tmp_path / "registry", plan, quotas=Quotas(versions_per_model=1)) as server:
        assert sent(server, b"weights").status_code == 201
        assert registered(server).status_code == 201
        answer = registered(server)
        assert answer.status_code == 413
        assert answer.json()["code"] == "quota_exceeded"
        assert answer.json()["data"] == {"quota": "versions_per_model", "limit": 1, "found": 2}


def test_bytes_are_refused_at_once_while_the_registry_is_full(tmp_path):
    with on_a_thread(
        tmp_path / "registry", Plan(authenticate=False), quotas=Quotas(bytes_stored=7)
    ) as server:
        assert sent(server, b"weights").status_code == 201
        assert registered(server).status_code == 201
        server.service.access._room._counted = (float("-inf"), 0)
        assert sent(server, b"more").json()["code"] == "quota_exceeded"
        begun = httpx.post(f"{server.url}{API}/blobs/uploads", timeout=60)
        assert (begun.status_code, begun.json()["code"]) == (413, "quota_exceeded")
        assert registered(server).status_code == 201


def test_a_caller_sends_so_many_bytes_a_day_and_is_told_when_to_go_on(tmp_path):
    plan = Plan(authenticate=False, limits=Limits(upload_bytes_a_day=1000))
    with on_a_thread(tmp_path / "registry", plan) as server:
        assert sent(server, b"a" * 600).status_code == 201
        answer = sent(server, b"b" * 600)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert "1,000 bytes of files a day" in answer.json()["detail"]
        assert 60 < int(answer.headers["retry-after"]) <= 86_400 // 5
        assert sent(server, b"c" * 300).status_code == 201
        assert httpx.get(f"{server.url}{API}/blobs/{digest(b'b' * 600)}", timeout=60).status_code == 404


def test_a_piece_that_was_refused_can_be_sent_again_when_there_is_room(tmp_path):
    plan = Plan(authenticate=False, limits=Limits(upload_bytes_a_day=10))
    with on_a_thread(tmp_path / "registry", plan) as server, httpx.Client(timeout=60) as client:
        place = server.url + client.post(f"{server.url}{API}/blobs/uploads").headers["location"]
        assert client.patch(place, content=b"01234567").status_code == 202
        assert client.patch(place, content=b"89abcdef").status_code == 429
        assert client.get(place).json()["size"] == 8
