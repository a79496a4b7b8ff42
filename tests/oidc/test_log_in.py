"""People log in at a provider and get a session: the whole way, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from threading import Event
from time import monotonic, sleep

import httpx
import pytest

from modelyard.domain.sessions import PLACES
from modelyard.ports.metadata import EventQuery
from modelyard.server import build
from modelyard.service.sessions import ServiceSessions

from .room import browsing, halfway, log_in, parts, serving

SAME = {"Sec-Fetch-Site": "same-origin"}


def events(service):
    return [event.action for event in service.store.find(EventQuery(model_key="")).items]


def test_whoever_logs_in_acts_by_name_with_what_their_groups_may(browser, service):
    answer = log_in(browser)
    assert answer.status_code == 200
    assert answer.json()["actor"] == {"name": "ada@example.org", "kind": "user"}
    assert [grant["role"] for grant in answer.json()["grants"]] == ["writer"]
    assert browser.get("/api/v1/models/risk%2Ffraud").status_code == 200
    assert browser.get("/api/v1/models/other%2Fsecret").status_code == 404
    assert events(service) == ["session.opened", "call.denied"]


def test_what_a_session_changes_is_recorded_under_the_persons_name(browser, service):
    log_in(browser)
    answer = browser.post("/api/v1/models/risk%2Ffraud/versions", json={}, headers=SAME)
    assert answer.status_code == 201, answer.text
    assert answer.json()["created_by"] == "ada@example.org"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(browser, url):
    back = halfway(browser)
    answer = browser.get(back, follow_redirects=False)
    login_over, session = answer.headers.get_list("set-cookie")
    assert "Max-Age=0" in login_over
    assert session.startswith("modelyard-session=")
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert attribute in session.split("; ")
    assert "Domain" not in session
    assert answer.headers["location"] == f"{url}/api/v1/docs"
    assert answer.headers["cache-control"] == "no-store"


def test_only_a_digest_of_the_session_is_kept(browser, service):
    log_in(browser)
    secret = browser.cookies["modelyard-session"]
    assert len(secret) == 43
    assert secret not in repr(service.store.__dict__)


def test_the_provider_is_asked_with_pkce_state_and_nonce(browser, provider):
    begun = browser.get("/login", follow_redirects=False)
    asked = parts(begun.headers["location"])
    assert asked.address == f"{provider.issuer}/authorize"
    assert asked.query["redirect_uri"].endswith("/login/callback")
    assert asked.query["code_challenge_method"] == "S256"
    secrets = {asked.query[name] for name in ("state", "nonce", "code_challenge")}
    assert len(secrets) == 3
    assert {len(each) for each in secrets} == {43}
    cookie = begun.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Max-Age=600"} <= set(cookie.split("; "))


def test_logging_out_ends_the_session_on_the_server(browser, service):
    log_in(browser)
    stolen = browser.cookies["modelyard-session"]
    assert browser.post("/logout", headers=SAME).status_code == 204
    assert "modelyard-session" not in browser.cookies
    service.clock.advance(seconds=2)
    old = {"Cookie": f"modelyard-session={stolen}"}
    with browsing(str(browser.base_url)) as thief:
        poll_until_refused(thief, old)
    assert events(service) == ["session.opened", "session.ended"]


def poll_until(true):
    began = monotonic()
    while not true():
        assert monotonic() - began < 60
        sleep(0.02)


def poll_until_refused(client, headers):
    """A server may remember somebody for a second."""
    poll_until(lambda: client.get("/api/v1/whoami", headers=headers).status_code == 401)


def test_logging_out_everywhere_ends_every_session_of_the_person(url, provider):
    with browsing(url) as here, browsing(url) as there, browsing(url) as other:
        assert log_in(here).status_code == log_in(there).status_code == 200
        provider.claims = {"sub": "u2", "email": "bob@example.org", "email_verified": True}
        assert log_in(other).status_code == 200
        assert here.post("/logout", json={"everywhere": True}, headers=SAME).status_code == 204
        poll_until_refused(there, {})
        assert other.get("/api/v1/whoami").status_code == 200


def test_a_session_ends_when_nobody_uses_it(service, provider):
    with serving(service, provider, idle_minutes=30) as url, browsing(url) as browser:
        log_in(browser)
        for _ in range(3):
            service.clock.advance(seconds=29 * 60)
            ServiceSessions(service).recognise(browser.cookies["modelyard-session"])
        service.clock.advance(seconds=31 * 60)
        poll_until_refused(browser, {})


def test_a_session_ends_after_its_hours_however_busy(service, provider):
    with serving(service, provider, hours=1, idle_minutes=600) as url, browsing(url) as browser:
        log_in(browser)
        service.clock.advance(seconds=61 * 60)
        poll_until_refused(browser, {})


def test_a_person_has_a_bounded_number_of_sessions_and_the_least_used_one_goes(url, service):
    with browsing(url) as first:
        log_in(first)
        for _ in range(PLACES):
            service.clock.advance(seconds=1)
            with browsing(url) as browser:
                assert log_in(browser).status_code == 200
        poll_until_refused(first, {})


def test_groups_are_asked_anew_at_each_login(url, provider):
    with browsing(url) as browser:
        assert [g["role"] for g in log_in(browser).json()["grants"]] == ["writer"]
        provider.groups = ["bosses", "ml-team"]
        assert [g["role"] for g in log_in(browser).json()["grants"]] == ["writer", "admin"]
        provider.groups = []
        refused = log_in(browser)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_whoever_is_in_no_group_is_refused_and_that_is_written_down(browser, provider, service):
    provider.groups = ["strangers"]
    answer = log_in(browser)
    assert answer.status_code == 403
    assert "ada@example.org" in answer.json()["detail"]
    assert "modelyard-session" not in browser.cookies
    assert events(service) == ["call.denied"]


def test_claims_that_the_id_token_lacks_are_asked_of_the_userinfo_endpoint(browser, provider):
    provider.groups = None
    provider.userinfo = {"sub": "u1", "groups": ["bosses"], "email": "evil@example.org"}
    answer = log_in(browser)
    assert answer.json()["actor"]["name"] == "ada@example.org"
    assert [g["role"] for g in answer.json()["grants"]] == ["admin"]


def test_userinfo_about_somebody_else_is_refused(browser, provider):
    provider.groups = None
    provider.userinfo = {"sub": "u2", "groups": ["bosses"]}
    assert log_in(browser).status_code == 401


def test_keys_are_kept_and_asked_for_once_more_when_an_unknown_one_signs(url, provider):
    for _ in range(2):
        with browsing(url) as browser:
            assert log_in(browser).status_code == 200
    assert provider.asked.count("/keys") == 1
    provider.rotate("two", kind="EC")
    with browsing(url) as browser:
        assert log_in(browser).status_code == 200
    assert provider.asked.count("/keys") == 2


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic", "client_secret_post"]])
def test_the_client_shows_its_secret_as_the_provider_wants_it(service, provider, methods):
    provider.document = {"token_endpoint_auth_methods_supported": methods}
    with serving(service, provider) as url, browsing(url) as browser:
        assert log_in(browser).status_code == 200


def test_a_client_without_a_secret_logs_people_in_by_pkce_alone(service, provider):
    provider.secret = ""
    with serving(service, provider) as url, browsing(url) as browser:
        assert log_in(browser).status_code == 200


def test_people_may_be_named_by_another_claim(service, provider):
    provider.claims |= {"login": "ada"}
    with serving(service, provider, name_claim="login") as url, browsing(url) as browser:
        assert log_in(browser).json()["actor"]["name"] == "ada"


def test_a_token_that_a_session_makes_ends_with_the_session(url, provider, service):
    provider.groups = ["bosses"]
    with browsing(url) as browser:
        log_in(browser)
        asked = {"name": "mine", "grants": [{"role": "reader"}]}
        made = browser.post("/api/v1/tokens", json=asked, headers=SAME)
        assert made.status_code == 201, made.text
        ends = datetime.fromisoformat(made.json()["token"]["expires_at"])
        assert ends <= service.clock.now() + timedelta(hours=12)


def test_without_a_provider_there_is_no_login(service):
    paths = {route.path for route in build(service).api.router.routes}
    assert not any("log" in path for path in paths)


def test_A22_logging_in_again_ends_the_session_that_the_browser_had(browser, url):
    log_in(browser)
    before = browser.cookies["modelyard-session"]
    log_in(browser)
    assert browser.cookies["modelyard-session"] != before
    with browsing(url) as thief:
        poll_until_refused(thief, {"Cookie": f"modelyard-session={before}"})
    assert browser.get("/api/v1/whoami").status_code == 200


def test_a_provider_that_does_not_answer_keeps_nobody_else_waiting(url, provider):
    """More browsers wait for it than a server has threads; whoever has a session does not."""
    silent, hold = Event(), Event()

    def bend(claims):
        claims.update(sub=claims["nonce"])  # each is somebody else
        silent.set()
        hold.wait(60)

    def complete(browser, back):
        with closing(browser):
            return browser.get(back, follow_redirects=False).status_code

    with browsing(url) as inside, ThreadPoolExecutor(50) as pool:
        log_in(inside)
        browsers = [httpx.Client(base_url=url, timeout=30, verify=False) for _ in range(50)]
        ready = [(browser, halfway(browser)) for browser in browsers]
        provider.bend = bend
        waiting = [pool.submit(complete, *each) for each in ready]
        try:
            assert silent.wait(60)
            began = monotonic()
            while monotonic() - began < 1:
                assert inside.get("/api/v1/models/risk%2Ffraud", timeout=20).status_code == 200
        finally:
            hold.set()
        assert {each.result() for each in waiting} == {303}
