"""The real command with two workers: what one began, the other goes on with."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests.server.running import Command

from .provider import CLIENT, providing
from .room import browsing, log_in

SAME = {"Sec-Fetch-Site": "same-origin"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def environment(provider, port, **more):
    prefix = "MODELYARD_SECURITY_OIDC_"
    return {
        f"{prefix}ISSUER": provider.issuer,
        f"{prefix}CLIENT_ID": CLIENT,
        f"{prefix}GRANTS": "ml-team -> writer on risk/*, bosses -> admin",
        "MODELYARD_SERVER_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MODELYARD_SERVER_PORT": str(port),
        **more,
    }


def test_workers_share_logins_and_sessions(tmp_path):
    port = free_port()
    with providing() as provider:
        provider.secret = ""  # the key of logins is made by this start then, before its workers
        env = environment(provider, port)
        options = ("--port", str(port), "--workers", "2")
        with Command(tmp_path / "registry", *options, env=env, cwd=tmp_path) as server:
            for _ in range(6):
                with browsing(server.url) as browser:
                    for _ in range(2):  # connections anew: each may come to another worker
                        assert log_in(browser).status_code == 200
                        kept = browser.cookies["modelyard-session"]
                        browser.headers["Connection"] = "close"
                    assert browser.post("/logout", headers=SAME).status_code == 204
                    shown = server.log()
                    assert "GET /login/callback" in shown
                    assert not any(secret in shown for secret in (kept, "code=", "state="))


def test_a_server_that_cannot_take_people_back_does_not_start(tmp_path):
    with providing() as provider:
        env = environment(provider, 1) | {"MODELYARD_SERVER_PUBLIC_URL": "http://models.example"}
        words = [sys.executable, "-m", "modelyard", "server", "--registry", str(tmp_path / "r")]
        done = subprocess.run(
            words, env=env, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
        )
    assert done.returncode == 2
    assert "server.public_url" in done.stderr
