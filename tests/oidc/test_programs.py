"""``modelyard login`` and ``logout``: a program gets a token by way of a browser."""

from __future__ import annotations

import re
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from tests.server.running import on_a_thread

from modelyard import ModelRegistry
from modelyard.cli.main import program
from modelyard.domain.errors import NotAuthenticated
from modelyard.domain.sessions import challenge_of, words_of
from modelyard.remote import credentials
from modelyard.remote.login import Waiting

from .provider import providing
from .room import browsing, registry, serving

VERIFIER = "v" * 43


@pytest.fixture
def provider():
    with providing() as found:
        yield found


@pytest.fixture
def service():
    return registry()


@pytest.fixture
def url(service, provider):
    with serving(service, provider) as found:
        yield found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MODELYARD_TOKEN", raising=False)
    monkeypatch.delenv("MODELYARD_URL", raising=False)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config"


def last_page(url, address):
    """What a browser shows after the login, and the address of its link."""
    with browsing(url) as browser:
        page = browser.get(address)
    link = re.search(r'href="([^"]+)"', page.text)
    return page, link and link[1].replace("&amp;", "&")


@contextmanager
def somebody(url, waiting):
    """Opens the address in a browser, and goes on from its last page."""

    def go():
        page, link = last_page(url, waiting.address)
        assert waiting.words in page.text
        with httpx.Client(timeout=60) as client:
            assert client.get(link).status_code == 200

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def run(*words, code=0):
    result = CliRunner().invoke(program, list(words))
    assert result.exit_code == code, result.output
    return result


def log_in(url, monkeypatch):
    """``modelyard login`` with somebody at the browser."""
    threads = []
    entered = Waiting.__enter__

    def with_somebody(waiting):
        entered(waiting)
        helper = somebody(url, waiting)
        helper.__enter__()
        threads.append(helper)
        return waiting

    with monkeypatch.context() as patch:
        patch.setattr(Waiting, "__enter__", with_somebody)
        try:
            return run("login", url)
        finally:
            threads[0].__exit__(None, None, None)


def test_a_program_logs_in_by_the_browser_and_acts_for_the_person(url, monkeypatch, folder):
    ran = log_in(url, monkeypatch)
    assert "logged in" in ran.output
    assert "ada@example.org" in ran.output
    kept = folder / "logins.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert credentials.stored(url) not in ran.output
    with ModelRegistry(url) as there:
        assert [version.name for version in there.list_models()] == ["risk/fraud"]


def test_a_token_that_is_given_goes_before_the_login(url, monkeypatch):
    log_in(url, monkeypatch)
    with ModelRegistry(url, token="my_wrong") as there, pytest.raises(NotAuthenticated):
        there.list_models()
    monkeypatch.setenv("MODELYARD_TOKEN", "my_wrong")
    with ModelRegistry(url) as there, pytest.raises(NotAuthenticated):
        there.list_models()


def test_logging_out_ends_the_token_here_and_on_the_server(url, monkeypatch, service):
    log_in(url, monkeypatch)
    run("logout", url)
    assert credentials.stored(url) is None
    (token,) = service.list_tokens().items
    assert token.revoked_at is not None
    run("logout", url, code=3)


def test_a_token_of_a_login_ends_within_hours(url, monkeypatch, service):
    log_in(url, monkeypatch)
    (token,) = service.list_tokens().items
    assert (token.expires_at - service.clock.now()).total_seconds() == 12 * 3600
    assert (token.owner.name, token.owner.kind) == ("ada@example.org", "user")


def test_nobody_at_the_browser_means_no_login(url):
    with Waiting(url) as waiting, pytest.raises(NotAuthenticated, match="nobody logged in"):
        waiting.token(0.05)


def test_nobody_waits_at_a_server_where_people_cannot_log_in(tmp_path):
    with on_a_thread(tmp_path / "registry") as server:
        ran = run("login", server.url, code=2)
    assert "no OpenID Connect provider" in ran.output
    assert "Open this address" not in ran.output


def test_login_wants_the_address_of_a_server(folder):
    assert "address of a server" in run("login", "./folder", code=2).stderr
    assert "address of a server" in run("logout", code=2).stderr


def test_logging_out_of_a_server_that_is_gone_says_that_the_token_counts_on(folder):
    gone = "http://127.0.0.1:9"
    credentials.keep(gone, "my_x", "2999-01-01T00:00:00+00:00", "ada")
    ran = run("logout", gone)
    assert "until it expires" in ran.stderr
    assert credentials.stored(gone) is None


# --- what the server gives a program ---------------------------------------------------------------------------------


def address(port=8000, verifier=VERIFIER, state="s1"):
    return f"/login?port={port}&challenge={challenge_of(verifier)}&state={state}"


def code_of(url):
    _, link = last_page(url, address())
    return httpx.URL(link).params["code"]


def test_the_last_page_leads_to_loopback_only_after_a_click_and_shows_the_words(url, provider):
    provider.claims |= {"email": "<b>@example.org"}
    page, link = last_page(url, address())
    assert page.status_code == 200
    assert link.startswith("http://127.0.0.1:8000/?code=")
    assert httpx.URL(link).params["state"] == "s1"
    assert words_of(challenge_of(VERIFIER)) in page.text
    assert "&lt;b&gt;@example.org" in page.text
    assert "<b>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "modelyard-session" not in page.headers.get("set-cookie", "")


def test_a_code_is_exchanged_once_and_only_by_the_program_that_asked(url, service):
    code = code_of(url)
    with httpx.Client(base_url=url, timeout=60) as client:
        for wrong in ("w" * 43, "", "short"):
            stolen = client.post("/login/token", json={"code": code, "verifier": wrong})
            assert stolen.status_code == 401
        right = client.post("/login/token", json={"code": code, "verifier": VERIFIER})
        assert right.status_code == 201
        assert right.headers["cache-control"] == "no-store"
        again = client.post("/login/token", json={"code": code, "verifier": VERIFIER})
        assert again.status_code == 401
    assert len(service.list_tokens().items) == 1


def test_a_code_is_no_session_and_a_session_is_no_code(url):
    code = code_of(url)
    with browsing(url) as browser:
        cookie = {"Cookie": f"modelyard-session={code}"}
        assert browser.get("/api/v1/whoami", headers=cookie).status_code == 401
        browser.get("/login?next=/api/v1/whoami")
        secret = browser.cookies["modelyard-session"]
        same = {"Sec-Fetch-Site": "same-origin"}
        body = {"code": secret, "verifier": VERIFIER}
        assert browser.post("/login/token", json=body, headers=same).status_code == 401


def test_A30_a_code_ends_after_minutes(url, service):
    code = code_of(url)
    service.clock.advance(seconds=301)
    with httpx.Client(base_url=url, timeout=60) as client:
        late = client.post("/login/token", json={"code": code, "verifier": VERIFIER})
    assert late.status_code == 401


@pytest.mark.parametrize(
    "body", [{}, [], {"code": 7, "verifier": "x"}, {"code": "x"}, {"code": "ä", "verifier": "ä"}]
)
def test_a_malformed_exchange_is_refused(url, body):
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/login/token", json=body).status_code in (400, 401)


def test_a_program_takes_only_the_answer_to_its_own_question(url):
    with Waiting(url) as waiting:
        assert not waiting.take("/?code=stolen&state=another")
        assert not waiting.take("/?state=")
        assert not waiting.take("/favicon.ico")


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_token_is_sent_only_to_the_address_it_came_from(folder):
    credentials.keep("https://a.example:443/x/", "my_a", "2999-01-01T00:00:00+00:00", "ada")
    assert credentials.stored("https://A.example/x") == "my_a"
    for other in (
        "http://a.example/x",
        "https://a.example",
        "https://a.example:8443/x",
        "https://a.example.evil/x",
    ):
        assert credentials.stored(other) is None


def test_what_has_expired_is_not_used_and_goes_with_the_next_login(folder):
    credentials.keep("https://a.example", "my_a", "2001-01-01T00:00:00+00:00", "ada")
    assert credentials.stored("https://a.example") is None
    credentials.keep("https://b.example", "my_b", "2999-01-01T00:00:00+00:00", "ada")
    assert "my_a" not in Path(folder, "logins.json").read_text()


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"https://a.example": 7}', '{"https://a.example": {"token": 7}}']
)
def test_a_damaged_file_is_no_login_and_the_next_one_repairs_it(folder, text):
    folder.mkdir()
    (folder / "logins.json").write_text(text)
    assert credentials.stored("https://a.example") is None
    credentials.keep("https://a.example", "my_a", "2999-01-01T00:00:00+00:00", "ada")
    assert credentials.stored("https://a.example") == "my_a"
