"""Bodies that were made to break a parser (A48): refused in our words, without growing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from .serving import problem

MIB = 1024 * 1024
DEEP = 100_000

HOSTILE = {
    "depth_100k_lists": b"[" * DEEP + b"]" * DEEP,
    "depth_100k_objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "depth_never_closed": b'{"tags":' + b"[" * DEEP,
    "depth_65": b'{"attributes":' + b"[" * 65 + b"]" * 65 + b"}",
    "integer_of_5000_digits": b'{"metrics":{"a":' + b"1" * 5000 + b"}}",
    "integer_of_300_digits": b'{"attributes":{"a":' + b"1" * 400 + b"}}",
    "integer_2_63_where_one_is_stored": b'{"files":[{"path":"a","size":9223372036854775808,"digest":"sha256:00"}]}',
    "nan": b'{"attributes":{"a":NaN}}',
    "infinity": b'{"attributes":{"a":-Infinity}}',
    "1e999": b'{"attributes":{"a":1e999}}',
    "key_given_twice": b'{"version":"1","version":"2"}',
    "key_given_twice_deep": b'{"attributes":{"x":{"a":1,"a":2}}}',
    "lone_surrogate": b'{"description":"\\ud800"}',
    "lone_surrogate_in_a_key": b'{"attributes":{"\\udfff":1}}',
    "nul_in_a_tag": b'{"tags":{"a":"x\\u0000y"}}',
    "nul_raw": b'{"tags":{"a":"x\x00y"}}',
    "utf8_broken": b'{"description":"\xff\xfe"}',
    "utf8_overlong": b'{"description":"\xc0\xaf"}',
    "utf8_surrogate": b'{"description":"\xed\xa0\x80"}',
    "utf16": '{"version":"1"}'.encode("utf-16"),
    "utf8_with_mark": b'\xef\xbb\xbf{"version":"1"}',
    "a_million_keys": b"{" + b",".join(b'"%d":1' % i for i in range(1_000_000)) + b"}",
    "a_million_lists": b'{"attributes":{"a":[' + b",".join([b"[]"] * 1_000_000) + b"]}}",
    "a_list": b"[]",
    "a_number": b"7",
    "nothing_but_null": b"null",
    "two_documents": b"{}{}",
    "comment": b"{/*a*/}",
    "single_quotes": b"{'version':'1'}",
    "unknown_key": b'{"nam":"x"}',
    "prototype": b'{"__proto__":{"stage":"production"}}',
    "boolean_for_a_number": b'{"metrics":[{"name":"a","value":true}]}',
    "number_for_a_text": b'{"version":1.5}',
    "text_for_a_list": b'{"files":"abc"}',
    "stage_nobody_knows": b'{"stage":"prod"}',
}


def post(server, body, **headers) -> httpx.Response:
    return server.http.post(
        "/models/fraud/versions", content=body, headers={"Content-Type": "application/json", **headers}
    )


def count(server) -> int:
    return server.http.get("/models/fraud").json()["last_number"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a48_a_hostile_body_is_refused_and_nothing_changes(server, name):
    before = count(server)
    answer = post(server, HOSTILE[name])
    told = problem(answer)
    assert answer.status_code in (400, 413, 422), told
    assert len(answer.content) < 2000
    assert "Traceback" not in answer.text
    assert "sys." not in told["detail"]
    assert count(server) == before


def test_a48_all_of_them_together_cost_less_than_50_mib(server):
    post(server, b"{}")
    before = server.memory()
    server.forget_peak()
    for _ in range(3):
        for body in HOSTILE.values():
            assert post(server, body).status_code < 500
    assert server.peak() - before < 50 * MIB


def test_a48_a_body_of_300_mb_is_refused_from_its_first_line(server):
    before = server.memory()
    server.forget_peak()
    declared = server.raw(
        b"POST /api/v1/models/fraud/versions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + server.token.encode() + b"\r\nContent-Length: 314572800\r\n\r\n",
        then=b'{"a":"' + b"x" * 100_000,
    )
    assert declared.startswith(b"HTTP/1.1 413 ")
    assert server.peak() - before < 50 * MIB


def test_a48_a_body_of_300_mb_in_chunks_is_refused_at_the_limit(server):
    before = server.memory()
    server.forget_peak()

    def pieces() -> Iterator[bytes]:
        yield b'{"description":"'
        for _ in range(300):
            yield b"x" * MIB

    with suppress(httpx.TransportError):  # the server may close on a caller that goes on sending
        assert problem(post(server, pieces()))["code"] == "too_large"
    assert server.peak() - before < 50 * MIB
    assert server.http.get("/whoami").status_code == 200


def test_a48_a_compressed_body_is_not_unpacked(server):
    import gzip

    bomb = gzip.compress(b'{"description":"' + b"x" * 50_000_000 + b'"}')
    assert problem(post(server, bomb, **{"Content-Encoding": "gzip"}))["status"] in (400, 415)


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a32_json_that_calls_itself_something_else_is_refused(server, media_type):
    before = count(server)
    told = problem(post(server, b'{"version":"9.9.9"}', **{"Content-Type": media_type}))
    assert told["code"] == "unsupported_media_type"
    assert count(server) == before


def test_a57_facts_of_more_than_a_mebibyte_are_refused(server):
    before = count(server)
    for fact in (
        {"attributes": {"a": ["x" * 40] * 40_000}},
        {"tags": {"a": "x" * MIB}},
        {"description": "x" * MIB},
    ):
        told = problem(post(server, json.dumps(fact).encode()))
        assert told["status"] in (400, 413)
    assert count(server) == before


def test_a_large_body_keeps_nobody_waiting(server):
    body = json.dumps({"files": [{"path": f"{i}.bin", "size": 1, "digest": "x" * 71} for i in range(40_000)]})
    slowest, done = 0.0, threading.Event()
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(post, server, body.encode())
        answer.add_done_callback(lambda _: done.set())
        while not done.is_set():
            begun = time.perf_counter()
            assert server.http.get("/whoami").status_code == 200
            slowest = max(slowest, time.perf_counter() - begun)
        assert problem(answer.result())["status"] in (400, 413)
    assert slowest < 20  # 0.1 s on a quiet machine; as long as the large one takes if it kept the loop
