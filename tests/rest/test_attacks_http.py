"""Requests that were made to confuse a server about whose they are, what they ask and where they end."""

from __future__ import annotations

import re
import time

import pytest

from modelyard.rest.examples import DIGEST

from .serving import problem

CRLF = "\r\n"


def raw(server, line, *headers, body=b"", token=True, **manner):
    """An answer's status and whole text for a request written by hand; ``Host`` unless one is given."""
    given = list(headers)
    if not any(h.lower().startswith("host:") for h in given):
        given.insert(0, "Host: localhost")
    if token:
        given.append(f"Authorization: Bearer {server.token}")
    if not any(h.lower().startswith("connection:") for h in given):
        given.append("Connection: close")
    found = server.raw((CRLF.join([line, *given]) + CRLF * 2).encode("latin-1"), then=body, **manner)
    match = re.match(rb"HTTP/1\.[01] (\d{3})", found)
    return int(match[1]) if match else 0, found.decode("latin-1")


def answers(text):
    return re.findall(r"HTTP/1\.[01] (\d{3})", text)


# --- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method", "X-Original-Method"]
)
def test_a18_headers_that_rename_the_method_change_nothing(server, header):
    assert server.http.get("/versions/fraud%231", headers={header: "DELETE"}).status_code == 200
    assert (
        problem(server.http.post("/versions/fraud%231", json={}, headers={header: "DELETE"}))["status"] == 405
    )
    assert server.http.get("/versions/fraud%231").status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path"]
)
def test_a18_headers_that_rename_the_address_change_nothing(server, header):
    found = server.http.get("/models/fraud", headers={header: "/api/v1/stats"}).json()
    assert found["name"] == "fraud"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/models/",
        "/api/v1//models",
        "//api/v1/models",
        "/API/v1/models",
        "/api/v1/Models",
        "/api/v1/models;x=1",
        "/api/v1/./models",
        "/api/v1/x/../models",
        "/api/v1/%6dodels",
        "/api/v1/models%2f",
        "/api%2fv1%2fmodels",
        "/api/v1/models%00",
        "/api/v1/models%3fcontains=x",
    ],
)
def test_a18_an_address_has_one_spelling(server, path):
    status, text = raw(server, f"GET {path} HTTP/1.1")
    assert status in (400, 404), text


def test_a18_absolute_and_old_requests_get_the_same_decision(server):
    for line in (
        "GET /api/v1/models/fraud HTTP/1.1",
        f"GET {server.url}/api/v1/models/fraud HTTP/1.1",
        "GET /api/v1/models/fraud HTTP/1.0",
    ):
        assert raw(server, line)[0] == 200
        assert raw(server, line, token=False)[0] == 401


@pytest.mark.parametrize(
    "part",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%252e%252e%252f",
        "%c0%ae%c0%ae",
        "%00",
        "%ff",
        "a%2fb%2fc",
        "%0d%0ax",
    ],
)
def test_a2_a_name_that_tries_to_be_a_path_is_refused(server, part):
    for address in (f"/models/{part}", f"/versions/{part}", f"/blobs/{part}"):
        status, text = raw(server, f"GET /api/v1{address} HTTP/1.1")
        assert status in (400, 404), text
        assert "root:" not in text


@pytest.mark.parametrize(
    "name", ["team/fraud", "Ä rger", "模型", "a & b", "a+b", "it's", "fraud (old)", "x,y", "100"]
)
def test_a_name_survives_its_way_through_an_address(server, name):
    made = server.ask("create_version", name=name, json={"version": "1.0.0"})
    assert made.status_code == 201, made.text
    assert server.ask("get_model", name=name).json()["name"] == name
    for ref in (f"{name}:1.0.0", f"{name}#1", f"{name}@latest", made.json()["model_id"]):
        assert server.ask("get_version", ref=ref).json()["model_id"] == made.json()["model_id"]


@pytest.mark.parametrize(
    "ref", ["fraud{x}", "fraud@champion{2030-01-01}", "fraud#", "#1", "@champion", "fraud:", "?", "%"]
)
def test_odd_references_are_answered_in_the_one_shape(server, ref):
    answer = server.ask("get_version", ref=ref)
    if not answer.is_success:
        assert problem(answer)["status"] in (400, 404)


# --- where a request ends --------------------------------------------------------------------------------------------

HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 0", "Content-Length: 45"),
        ("Content-Length: 0, 45",),
        ("Content-Length: +45",),
        ("Content-Length: -1",),
        ("Content-Length: 0x2d",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding:\x0bchunked",),
        ("X: 1\nContent-Length: 5",),
        ("Content-Length : 45",),
        (" Content-Length: 45",),
    ],
    ids=lambda headers: " | ".join(headers).encode("unicode_escape").decode(),
)
def test_smuggled_requests_are_never_answered(server, headers):
    line = "POST /api/v1/care/check HTTP/1.1"
    kept = ("Connection: keep-alive", *headers)
    _, text = raw(server, line, *kept, body=b"0\r\n\r\n" + HIDDEN, token=False, patience=0.3)
    # The address that is hidden in the body is anybody's to ask, so an answer to it would be a 200.
    assert "200" not in answers(text), text
    assert all(code.startswith("4") for code in answers(text)), text


def test_a_second_request_would_be_answered_if_it_were_one(server):
    """What the test above would look like if the hidden request got through."""
    line, kept = "POST /api/v1/care/check HTTP/1.1", ("Connection: keep-alive", "Content-Length: 5")
    _, text = raw(server, line, *kept, body=b"0\r\n\r\n" + HIDDEN, token=False, patience=0.5)
    assert answers(text) == ["401", "200"]


@pytest.mark.parametrize("header", ["X-A: 1\rX-B: 2", "X-A\x00: 1", "X A: 1", "X-A: \x00", ": 1"])
def test_a42_broken_headers_are_refused(server, header):
    status, text = raw(server, "GET /api/v1/whoami HTTP/1.1", header)
    assert status in (0, 200, 400), text
    assert "x-b" not in text.lower()


@pytest.mark.parametrize(
    "line", ["GET / HTTP/9.9", "GET /", "\x16\x03\x01", "PRI * HTTP/2.0", "G" * 70000, "CONNECT x:1 HTTP/1.1"]
)
def test_nonsense_ends_the_connection_and_not_the_server(server, line):
    status, _ = raw(server, line, token=False)
    assert status == 0 or (400 <= status < 600 and status != 500)
    assert server.http.get("/whoami").status_code == 200


def test_a13_a_body_shorter_than_announced_leaves_nothing(server):
    path = "/api/v1/blobs/sha256:" + "0" * 64
    before = server.http.get("/stats").json()
    status, _ = raw(server, f"PUT {path} HTTP/1.1", "Content-Length: 100", body=b"hello", hang_up=True)
    assert status in (0, 400)
    status, _ = raw(
        server, f"PUT {path} HTTP/1.1", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n", hang_up=True
    )
    assert status in (0, 400)
    assert server.http.get("/stats").json() == before


# --- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil", "", "localhost@evil", "localhost:80:80", "evil.localhost"]
)
def test_a31_an_unknown_host_is_refused(server, host):
    status, text = raw(server, "GET /api/v1/models HTTP/1.1", f"Host: {host}")
    assert status in (400, 421), text


def test_a31_two_hosts_are_refused(server):
    assert raw(server, "GET /api/v1/models HTTP/1.1", "Host: localhost", "Host: localhost")[0] in (400, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost.evil"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a32_a_page_of_another_site_changes_nothing(server, method, headers):
    before = server.http.get("/stats").json()
    for path in ("/versions/fraud%231", "/models/fraud/aliases/champion", "/care/collect"):
        answer = server.http.request(method, path, headers=headers)
        assert answer.status_code in (403, 405), answer.text
    assert server.http.get("/stats").json() == before


def test_a32_a_page_of_this_server_may(server):
    host, port = server.address
    own = {"Origin": f"http://{host}:{port}", "Sec-Fetch-Site": "same-origin"}
    assert server.ask(
        "record_check", ref="fraud#1", json={"check": "a", "passed": True}, headers=own
    ).is_success


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_a33_no_answer_allows_another_origin(server, origin):
    for method in ("GET", "OPTIONS"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        answer = server.http.request(method, "/models", headers=asked)
        assert [name for name in answer.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize(
    "header",
    [
        "X-Remote-User: root",
        "X-Forwarded-User: root",
        "Remote-User: root",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "Cookie: token=x; session=x",
        "X-User: root",
    ],
)
def test_a29_headers_of_strangers_make_nobody_known(server, header):
    assert raw(server, "GET /api/v1/models HTTP/1.1", header, token=False)[0] == 401


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic cm9vdDpyb290",
        "Bearer my_x",
        "bearer\tx",
        "Bearer a b",
        "Bearer " + "x" * 5000,
    ],
)
def test_a20_what_is_no_token_is_no_token(server, value):
    status, text = raw(server, "GET /api/v1/models HTTP/1.1", f"Authorization: {value}", token=False)
    assert status == 401, text
    assert "www-authenticate: bearer" in text.lower()
    assert len(value) < 10 or value not in text


def test_a26_a_token_in_an_address_is_refused(server):
    for query in (
        f"token={server.token}",
        f"access_token={server.token}",
        f"authorization=Bearer+{server.token}",
    ):
        for path in ("/models", "/whoami", f"/blobs/{DIGEST}", "/openapi.json"):
            assert server.http.get(f"{path}?{query}").status_code == 400
        status, text = raw(server, f"GET /api/v1/models?{query} HTTP/1.1", token=False)
        assert status == 401
        assert server.token not in text


@pytest.mark.parametrize(
    "extra",
    [
        {"created_by": "root"},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"model_id": "0" * 26},
        {"number": 99},
        {"revision": 99},
        {"actor": {"name": "root"}},
        {"role": "admin"},
        {"approved_by": "root"},
        {"aliases": ["champion"]},
        {"scans": {}},
        {"digest": "sha256:0"},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_a19_facts_that_are_the_servers_to_say_are_refused(server, extra):
    told = problem(server.ask("create_version", name="fraud", json=extra))
    assert (told["status"], told["data"]["field"]) == (400, next(iter(extra)))


def test_a19_internal_headers_have_no_effect(server):
    headers = {"X-Actor": "eve", "X-Role": "admin", "X-Request-Id": "chosen", "X-Modelyard-Actor": "eve"}
    made = server.ask("create_version", name="fraud", json={}, headers=headers)
    assert made.json()["created_by"] != "eve"
    assert made.headers["x-request-id"] != "chosen"


# --- how much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        ("X-Big: " + "x" * 70_000,),
        tuple(f"X-{i}: y" for i in range(5000)),
        ("Cookie: " + "a=b; " * 20_000,),
    ],
    ids=["one", "many", "cookie"],
)
def test_a56_headers_without_end_are_cut_off(server, headers):
    begun = time.process_time()
    status, text = raw(server, "GET /api/v1/whoami HTTP/1.1", *headers)
    assert status in (0, 400, 431)
    assert status == 0 or ("application/problem+json" in text and '"code": "' in text)
    assert time.process_time() - begun < 1
    assert server.http.get("/whoami").status_code == 200


def test_a56_a_hundred_thousand_ranges_are_one_answer(server):
    ranges = "bytes=" + ",".join(f"{i}-{i}" for i in range(2000))
    answer = server.http.get(f"/blobs/{DIGEST}", headers={"Range": ranges})
    assert answer.status_code in (200, 416)
    assert len(answer.content) <= 1000


def test_a56_a_form_with_ten_thousand_parts_is_not_even_read(server):
    edge = "x" * 70
    body = (f'--{edge}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 10_000).encode()
    begun = time.monotonic()
    answer = server.http.post(
        "/models/fraud/versions",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
    )
    assert problem(answer)["code"] == "unsupported_media_type"
    assert time.monotonic() - begun < 20


# --- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/v1/openapi.json", "/metrics", "/api/v1/stats", "/api/v1/whoami", "/api/v1/history?ref="]
)
def test_a71_strangers_are_told_nothing(server, path):
    status, text = raw(server, f"GET {path} HTTP/1.1", token=False)
    assert status == 401
    assert "fraud" not in text


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/v1", "/api/v1/nothing", "/api/v1/models", "/healthz", "/docs", "/openapi.json"],
)
def test_a71_no_answer_tells_what_the_server_is_made_of(server, path):
    _, text = raw(server, f"GET {path} HTTP/1.1", token=False)
    assert not re.search(r"^server:|x-powered-by", text, re.IGNORECASE | re.MULTILINE)
    assert not re.search(r"uvicorn|starlette|python|Traceback|\d+\.\d+\.\d+", text, re.IGNORECASE)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_an_address_that_is_not_there_is_404_whatever_the_method(server, method):
    answer = server.http.request(method, "/nothing/here")
    assert answer.status_code == 404
    assert method == "HEAD" or problem(answer)["code"] == "not_found"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_an_address_with_other_methods_names_them(server, method):
    answer = server.http.request(method, "/models")
    assert problem(answer)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/models", "/models/fraud", "/versions/fraud%231", f"/blobs/{DIGEST}", "/openapi.json"]
)
def test_head_is_get_without_its_body(server, path):
    got, head = server.http.get(path), server.http.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-type", "content-length", "etag"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("suffix", [".html", ".svg", ".xml", ".js", ".pdf"])
def test_a35_uploaded_bytes_never_become_a_page(server, suffix):
    import hashlib

    body = f"<script>alert(1)</script>{suffix}".encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert server.http.put(f"/blobs/{digest}", content=body).is_success
    files = [{"path": f"page{suffix}", "size": len(body), "digest": digest, "media_type": "text/html"}]
    assert server.ask("create_version", name=f"page{suffix[1:]}", json={"files": files}).is_success
    answer = server.http.get(f"/blobs/{digest}", headers={"Accept": "text/html"})
    assert answer.content == body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (
        "sandbox" in answer.headers["content-security-policy"]
        or "default-src 'none'" in answer.headers["content-security-policy"]
    )
