"""``modelyard server`` as people and machines run it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import httpx
import pytest

from modelyard import ModelRegistry

from .running import PATIENCE, Command, everything, raw, wait_until


def run(*words: str, **options) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    return subprocess.run(
        [sys.executable, "-m", "modelyard", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean,
        **options,
    )


def test_the_first_start_makes_an_administrator_and_later_ones_do_not(tmp_path) -> None:
    with Command(tmp_path / "registry") as server, server.client() as client:
        first = server.token
        assert first.startswith("my_")
        assert client.get("/api/v1/whoami").status_code == 200
        assert httpx.get(f"{server.url}/api/v1/whoami", timeout=60).status_code == 401
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        assert first not in server.log()
    with Command(tmp_path / "registry") as server:
        assert server.token == ""
        answer = httpx.get(
            f"{server.url}/api/v1/whoami", headers={"Authorization": f"Bearer {first}"}, timeout=60
        )
        assert answer.status_code == 200


def test_a_notebook_uses_it_in_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    with Command(tmp_path / "registry") as server, ModelRegistry(server.url, token=server.token) as registry:
        registry.register_model({"w": 1}, "fraud", serialization_format="pickle")
        assert registry.get_model("fraud").version == "0.1.0"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "0.0.0.0"], "unencrypted"),
        (["--host", "0.0.0.0", "--no-auth", "--behind-proxy"], "--no-auth"),
        (["--tls-cert", "nothing.pem"], "belong together"),
        (["--behind-proxy", "*"], "behind_proxy"),
        (["--host", "192.0.2.1", "--behind-proxy"], "cannot listen on 192.0.2.1"),
    ],
)
def test_what_it_refuses_it_gives_a_reason_for_and_makes_nothing(tmp_path, options, reason) -> None:
    done = run("server", "--port", "0", "--registry", "registry", *options, cwd=tmp_path)
    assert done.returncode != 0
    assert reason in done.stderr
    assert not (tmp_path / "registry").exists()


def test_a_port_that_is_taken_is_named(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("server", "--port", port, "--registry", str(tmp_path / "registry"))
    assert done.returncode != 0
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_short_names_are_read_from_a_file_and_go_after_long_ones(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / ".env").write_text(f"# ours\nexport REGISTRY_PORT='{port}' # why\nOTHER=1\n")
    words = [sys.executable, "-m", "modelyard", "server", "--no-auth", "--json"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    process = subprocess.Popen(
        words, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: _answers(port))
    finally:
        process.terminate()
        told, errors = process.communicate(timeout=30)
    assert json.loads(told)["url"] == f"http://127.0.0.1:{port}"
    assert "OTHER" not in errors  # what is somebody else's is no fault


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_it_is_ready_soon_and_small(tmp_path) -> None:
    run("stats", "--registry", str(tmp_path / "registry"))
    with Command(tmp_path / "registry"):
        pass  # made, so that the next start only opens
    began = time.monotonic()
    with Command(tmp_path / "registry") as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        assert time.monotonic() - began < 30  # 0.6 s on a quiet machine
        assert resident(server.pid) < 120 << 20


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def test_a_certificate_makes_it_speak_tls_only(tmp_path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out {cert} "
        "-addext subjectAltName=DNS:localhost".split(),
        check=True,
        capture_output=True,
    )
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--host", "localhost")
    with Command(tmp_path / "registry", *options) as server:
        context = ssl.create_default_context(cafile=str(cert))
        answer = httpx.get(f"https://localhost:{server.port}/healthz", verify=context, timeout=60)
        assert answer.json() == {"status": "ok"}
        assert "max-age" in answer.headers["strict-transport-security"]
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{server.port}/healthz", timeout=60)


def test_what_a_stranger_says_about_itself_is_believed_from_a_proxy_only(tmp_path) -> None:
    claim = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for folder, options in (("plain", ()), ("elsewhere", ("--behind-proxy", "192.0.2.7"))):
        with Command(tmp_path / folder, *options) as server:
            httpx.get(f"{server.url}/healthz", headers=claim, timeout=60)
            server.signal(signal.SIGTERM)
            server.ended()
            assert '"client":"127.0.0.1"' in server.log()
            assert "203.0.113.9" not in server.log()
    with Command(tmp_path / "proxied", "--behind-proxy", "127.0.0.1") as server:
        httpx.get(f"{server.url}/healthz", headers=claim, timeout=60)
        server.signal(signal.SIGTERM)
        server.ended()
        assert '"client":"203.0.113.9"' in server.log()


# --- logs -------------------------------------------------------------------------------------------------------


def test_logs_hold_no_token_no_body_and_no_query(tmp_path) -> None:
    canary = "canary5ecret"
    with Command(tmp_path / "registry") as server, server.client() as client:
        client.get("/api/v1/models", params={"contains": canary})
        client.get(f"/api/v1/models/{canary}")
        client.post("/api/v1/versions", json={"name": canary})
        httpx.get(f"{server.url}/api/v1/whoami", headers={"Authorization": f"Bearer {canary}"}, timeout=60)
        request_id = client.get("/healthz").headers["x-request-id"]
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        log = server.log()
    assert canary not in log
    assert server.token not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert request_id in [line.get("request_id") for line in lines]
    assert "GET /api/v1/models/{name}" in [line.get("route") for line in lines]


# --- stopping ---------------------------------------------------------------------------------------------------


def upload(server: Command, data: bytes) -> tuple[socket.socket, bytes]:
    """An upload that has begun, and what is left of it."""
    digest = hashlib.sha256(data).hexdigest()
    connection = raw(server.port)
    head = f"PUT /api/v1/blobs/sha256:{digest} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[:1000])
    return connection, data[1000:]


def under_way(server: Command) -> int:
    with server.client() as client:
        text = client.get("/metrics").text
    line = next(each for each in text.splitlines() if each.startswith("modelyard_requests_under_way "))
    return int(line.split()[1])


def refuses_connections(port: int) -> bool:
    try:
        with raw(port) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return everything(connection) == b""
    except OSError:
        return True


def test_sigterm_lets_an_upload_end_and_takes_nothing_new(tmp_path) -> None:
    with Command(tmp_path / "registry") as server:
        connection, rest = upload(server, os.urandom(100_000))
        wait_until(lambda: under_way(server) >= 1)
        server.signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(server.port))
        connection.sendall(rest)
        answer = everything(connection)
        connection.close()
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        assert server.ended() == 0
        assert "Traceback" not in server.log()


def test_whoever_outlives_the_grace_is_told_to_come_back(tmp_path) -> None:
    with Command(tmp_path / "registry", "--grace", "1") as server:
        connection, _ = upload(server, os.urandom(100_000))
        wait_until(lambda: under_way(server) >= 1)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        answer = everything(connection)
        connection.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"overloaded" in answer
        assert server.ended() == 0
        assert time.monotonic() - began < PATIENCE
        assert "Traceback" not in server.log()


# --- several workers --------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as found:
        return [int(each) for each in found.read().split()]


def test_a_killed_worker_is_replaced_and_callers_hardly_notice(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    with Command(tmp_path / "registry", "--workers", "4") as server:
        wait_until(lambda: len(children(server.pid)) == 4)
        with ModelRegistry(server.url, token=server.token) as registry:
            made = []
            for n in range(12):
                if n % 4 == 2:
                    os.kill(children(server.pid)[n % 3], signal.SIGKILL)
                made.append(registry.register_model({"w": n}, "fraud", serialization_format="pickle"))
            assert [registry.get_model(each).number for each in made] == list(range(1, 13))
        wait_until(lambda: len(children(server.pid)) == 4)
        with server.client() as client:
            figures = client.get("/metrics").text
        made = 'requests_total{route="POST /api/v1/models/{name}/versions",status="201"} '
        counted = sum(int(line.split()[-1]) for line in figures.splitlines() if made in line)
        assert counted >= 9  # an answer is out before it is counted: each of three killed may take one along
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        assert "SIGKILL" in server.log()


def test_workers_end_with_whoever_started_them(tmp_path) -> None:
    with Command(tmp_path / "registry", "--workers", "2") as server:
        wait_until(lambda: len(children(server.pid)) == 2)
        orphans = children(server.pid)
        wait_until(lambda: httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200)
        server.signal(signal.SIGKILL)
        server.ended()
        wait_until(lambda: not any(is_alive(each) for each in orphans))


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def test_a_kept_alive_answer_takes_no_forty_milliseconds_with_two_workers(tmp_path) -> None:
    with Command(tmp_path / "registry", "--workers", "2") as server, server.client() as client:
        client.get("/healthz")
        times = []
        for _ in range(30):
            began = time.perf_counter()
            client.get("/healthz").raise_for_status()
            times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 4] < 0.04


def test_ctrl_c_ends_it_in_order(tmp_path) -> None:
    with Command(tmp_path / "registry") as server:
        server.signal(signal.SIGINT)
        assert server.ended() == 0
        assert server.log() == ""
