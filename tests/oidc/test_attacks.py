"""A28, A32: what a login must refuse, and what a browser with a session must not be made to do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from modelyard.ports.metadata import EventQuery

from .provider import CLIENT
from .room import browsing, halfway, log_in, serving

SESSION = "modelyard-session"


def b64(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def assert_refused(answer, browser, service, *statuses):
    assert answer.status_code in (statuses or (401,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert SESSION not in browser.cookies
    assert not service.store.find(EventQuery(model_key="")).items


# --- the ID token ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://evil.example"}, "issued by"),
        ({"iss": None}, "issued by"),
        ({"aud": "another"}, "another client"),
        ({"aud": ["another"]}, "another client"),
        ({"aud": [CLIENT, "another"]}, "another client"),
        ({"aud": CLIENT, "azp": "another"}, "another client"),
        ({"aud": []}, "another client"),
        ({"nonce": "of another login"}, "another login"),
        ({"nonce": None}, "another login"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "9999999999"}, "expired"),
        ({"exp": True}, "expired"),
        ({"iat": 99999999999}, "future"),
        ({"iat": None}, "when it was made"),
        ({"nbf": 99999999999}, "not hold yet"),
        ({"nbf": "soon"}, "not hold yet"),
        ({"sub": ""}, "whom"),
        ({"sub": None}, "whom"),
        ({"sub": 7}, "whom"),
        ({"sub": "x" * 256}, "whom"),
        ({"email_verified": False}, "verify"),
        ({"email_verified": "true"}, "verify"),
        ({"email_verified": None}, "verify"),
        ({"email": None}, "claim"),
        ({"email": " ada@example.org"}, "claim"),
        ({"email": "ada\n@example.org"}, "claim"),
        ({"email": ["ada@example.org"]}, "claim"),
    ],
)
def test_A28_claims_that_are_wrong_or_missing_let_nobody_in(browser, provider, service, changes, why):
    def bend(claims):
        claims.update(changes)
        for name in [name for name, value in claims.items() if value is None]:
            del claims[name]

    provider.bend = bend
    answer = log_in(browser)
    assert_refused(answer, browser, service)
    assert why in answer.json()["detail"]


def unsigned(provider):
    return lambda claims: f"{b64({'alg': 'none', 'kid': 'one'})}.{b64(claims)}."


def unsigned_without_a_dot(provider):
    return lambda claims: f"{b64({'alg': 'NonE'})}.{b64(claims)}.{b64(b'x')}"


def by_the_public_key_as_a_shared_secret(provider):
    pem = provider.key.as_pem(private=False)

    def sign(claims):
        body = f"{b64({'alg': 'HS256', 'kid': 'one'})}.{b64(claims)}"
        return f"{body}.{b64(hmac.new(pem, body.encode(), hashlib.sha256).digest())}"

    return sign


def by_the_client_secret(provider):
    key = OctKey.import_key("x" * 40)
    return lambda claims: jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, algorithms=["HS256"])


def by_a_strangers_key(provider):
    key = RSAKey.generate_key(2048)
    return lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def by_a_strangers_key_named_in_the_header(provider):
    """``jku`` and ``jwk`` point to a key that fits the signature."""
    key = RSAKey.generate_key(2048, {"kid": "theirs"})

    def sign(claims):
        public = key.as_dict(private=False)
        head = b64({"alg": "RS256", "kid": "theirs", "jku": f"{provider.issuer}/keys", "jwk": public})
        body = f"{head}.{b64(claims)}"
        made = key.private_key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{body}.{b64(made)}"

    return sign


def by_no_key_of_several(provider):
    provider.published = [provider.key, RSAKey.generate_key(2048, {"kid": "two"})]
    return lambda claims: jwt.encode({"alg": "RS256"}, claims, provider.key)


def by_an_algorithm_that_the_key_is_not_for(provider):
    same = {name: value for name, value in provider.key.as_dict(private=True).items() if name != "alg"}
    key = RSAKey.import_key(same)
    return lambda claims: jwt.encode({"alg": "PS256", "kid": "one"}, claims, key, algorithms=["PS256"])


def with_changed_claims(provider):
    def sign(claims):
        head, _, signature = provider.signed(claims).split(".")
        return f"{head}.{b64(claims | {'groups': ['bosses']})}.{signature}"

    return sign


def by_a_curve_under_an_rsa_name(provider):
    key = ECKey.generate_key("P-256", {"kid": "one"})
    return lambda claims: jwt.encode({"alg": "ES256", "kid": "one"}, claims, key)


def no_token(provider):
    return lambda claims: "not.a.token"


def a_number(provider):
    return lambda claims: 7


def a_huge_one(provider):
    return lambda claims: "x" * 100_000


def a_list_of_claims(provider):
    return lambda claims: jws.serialize_compact({"alg": "RS256", "kid": "one"}, b"[1]", provider.key)


@pytest.mark.parametrize(
    "forged",
    [
        unsigned,
        unsigned_without_a_dot,
        by_the_public_key_as_a_shared_secret,
        by_the_client_secret,
        by_a_strangers_key,
        by_a_strangers_key_named_in_the_header,
        by_no_key_of_several,
        by_an_algorithm_that_the_key_is_not_for,
        with_changed_claims,
        by_a_curve_under_an_rsa_name,
        no_token,
        a_number,
        a_huge_one,
        a_list_of_claims,
    ],
    ids=lambda forged: forged.__name__,
)
def test_A28_a_token_that_the_provider_did_not_sign_lets_nobody_in(browser, provider, service, forged):
    provider.sign = forged(provider)
    assert_refused(log_in(browser), browser, service)


def test_A28_published_keys_that_cannot_verify_are_passed_over(browser, provider, service):
    shared = {"kty": "oct", "kid": "one", "k": b64(b"x" * 40), "alg": "HS256"}
    provider.published = [shared, {"kty": "RSA", "kid": "one"}, "no key", {"kty": "new"}, provider.key]
    assert log_in(browser).status_code == 200


def test_A28_a_key_for_encryption_or_too_small_verifies_nothing(browser, provider, service):
    public = provider.key.as_dict(private=False)
    provider.published = [public | {"use": "enc"}, public | {"alg": "RSA-OAEP"}]
    assert_refused(log_in(browser), browser, service)
    with pytest.warns(Warning, match="2048"):
        provider.key = RSAKey.generate_key(1024, {"kid": "one"})
    provider.published = [provider.key]
    assert_refused(log_in(browser), browser, service)


# --- the way there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil.example",
        "/%0d%0aX: y",
        "javascript:alert(1)",
        "",
        "/ä",
        "/" + "x" * 1000,
    ],
)
def test_A28_a_login_never_leads_to_another_site(browser, where):
    answer = browser.get("/login", params={"next": where}, follow_redirects=False)
    assert answer.status_code == 400
    assert answer.json()["data"]["field"] == "next"


@pytest.mark.parametrize(
    "query",
    [
        "next=/a&next=/b",
        "port=0&challenge=c&state=s",
        "port=80@evil.example&challenge=c&state=s",
        "port=70000&challenge=c&state=s",
        "port=8000&challenge=short&state=s",
        f"port=8000&challenge={'c' * 43}&state=<script>",
        f"port=8000&challenge={'c' * 43}",
        "redirect_uri=http://evil.example",
    ],
)
def test_A28_malformed_questions_begin_no_login(browser, query):
    answer = browser.get(f"/login?{query}", follow_redirects=False)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


def test_A28_an_answer_is_taken_once(browser, service):
    back = halfway(browser)
    cookie = {"Cookie": f"modelyard-login={browser.cookies['modelyard-login']}"}
    assert browser.get(back, follow_redirects=False).status_code == 303
    with browsing(str(browser.base_url)) as thief:
        again = thief.get(back, headers=cookie, follow_redirects=False)
        assert again.status_code == 401
        assert SESSION not in thief.cookies


def test_A28_a_login_counts_once_even_if_the_provider_would_take_its_code_again(browser, provider, service):
    back = halfway(browser)
    cookie = {"Cookie": f"modelyard-login={browser.cookies['modelyard-login']}"}
    codes = dict(provider._codes)
    assert browser.get(back, follow_redirects=False).status_code == 303
    provider._codes = codes
    with browsing(str(browser.base_url)) as thief:
        again = thief.get(back, headers=cookie, follow_redirects=False)
        assert again.status_code == 401
        assert "completed before" in again.json()["detail"]


def test_A28_an_answer_is_of_no_use_in_another_browser(browser, url, service):
    back = halfway(browser)
    with browsing(url) as victim:
        assert_refused(victim.get(back), victim, service)
        halfway(victim)  # has a login of its own under way
        assert_refused(victim.get(back), victim, service)


@pytest.mark.parametrize(
    "change",
    [
        lambda back, value: (back, value[:-1] + ("0" if value[-1] != "0" else "1")),
        lambda back, value: (back, "x" + value),
        lambda back, value: (back, value.partition(".")[0]),
        lambda back, value: (back, "."),
        lambda back, value: (back, "ä.ä"),
        lambda back, value: (back.copy_set_param("state", "x"), value),
        lambda back, value: (back.copy_remove_param("state"), value),
        lambda back, value: (back.copy_remove_param("code"), value),
        lambda back, value: (back.copy_set_param("code", "guessed"), value),
        lambda back, value: (back.copy_add_param("error", "access_denied"), value),
        lambda back, value: (back.copy_set_param("iss", "https://evil.example"), value),
    ],
)
def test_A28_a_changed_answer_or_cookie_lets_nobody_in(browser, service, change):
    back, value = change(halfway(browser), browser.cookies["modelyard-login"])
    browser.cookies.clear()
    answer = browser.get(back, headers={"Cookie": f"modelyard-login={value}".encode()})
    assert_refused(answer, browser, service)


def test_A28_a_login_that_takes_too_long_is_begun_again(browser, service):
    back = halfway(browser)
    service.clock.advance(seconds=601)
    cookie = {"Cookie": f"modelyard-login={browser.cookies['modelyard-login']}"}
    assert_refused(browser.get(back, headers=cookie), browser, service)


def test_A28_a_provider_that_says_who_answers_has_to_say_it(service, provider):
    provider.answer_iss = provider.issuer
    with serving(service, provider) as url, browsing(url) as browser:
        assert log_in(browser).status_code == 200
        provider.answer_iss = "https://evil.example"
        assert log_in(browser).status_code == 401
        back = halfway(browser).copy_remove_param("iss")
        assert browser.get(back).status_code == 401


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
        {"token_endpoint": None},
    ],
)
def test_A28_a_provider_that_is_another_or_unencrypted_is_not_spoken_to(service, provider, document):
    provider.document = document
    with serving(service, provider) as url, browsing(url) as browser:
        answer = browser.get("/login", follow_redirects=False)
        assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")
    assert provider.asked == ["/.well-known/openid-configuration"]


def test_who_fails_again_and_again_is_told_to_wait(browser, provider):
    statuses = [browser.get("/login/callback?code=x&state=y").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert provider.asked == []


# --- with a live session ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "SELF"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/tokens", "/api/v1/blobs/missing", "/logout"])
def test_A32_another_site_changes_nothing_with_a_live_session(browser, url, service, provider, headers, path):
    provider.groups = ["bosses"]
    log_in(browser)
    sent = {name: url if value == "SELF" else value for name, value in headers.items()}
    answer = browser.post(path, json={"name": "x", "grants": [{"role": "admin"}]}, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert not service.list_tokens().items
    assert browser.get("/api/v1/whoami").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "SELF"}]
)
def test_a_page_of_this_server_may_change_things_in_a_session(browser, url, provider, headers):
    provider.groups = ["bosses"]
    log_in(browser)
    sent = {name: url if value == "SELF" else value for name, value in headers.items()}
    answer = browser.post("/api/v1/tokens", json={"name": "x", "grants": [{"role": "reader"}]}, headers=sent)
    assert answer.status_code == 201, answer.text


def test_beside_a_token_no_cookie_counts(browser, service):
    log_in(browser)
    for wrong in ("Bearer", "Bearer my_wrong", "Basic eDp5", ""):
        answer = browser.get("/api/v1/whoami", headers={"Authorization": wrong})
        assert answer.status_code == 401, wrong
    from modelyard.domain.permissions import parse_grant
    from modelyard.domain.records import Actor
    from modelyard.ports.access import CreateToken

    asked = CreateToken(name="n", grants=(parse_grant("auditor"),), owner=Actor(name="bob"))
    secret = service.create_token(asked).secret
    told = browser.get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).json()
    assert told["actor"]["name"] == "bob"


def test_a_token_in_the_place_of_a_session_is_nobody(browser, service):
    from modelyard.domain.permissions import parse_grant
    from modelyard.ports.access import CreateToken

    secret = service.create_token(CreateToken(name="n", grants=(parse_grant("admin"),))).secret
    assert browser.get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    answer = browser.get("/api/v1/whoami", headers={"Cookie": f"{SESSION}={secret}"})
    assert answer.status_code == 401


def test_logging_out_without_anything_to_end_is_refused(browser):
    assert browser.post("/logout").status_code == 401


# --- strangers -------------------------------------------------------------------------------------------------------

OPEN = {"GET /login", "GET /login/callback", "POST /login/token", "POST /logout"}
"""What a server where people log in answers to strangers more than another: how one gets in or out, and no more."""


def test_A15_logging_in_opens_no_other_route_to_strangers(service, provider, url):
    from modelyard.edge.oidc import agreed
    from modelyard.edge.routing import Public
    from modelyard.server import Plan, build

    from .room import settings

    with_people = build(service, Plan(public_url=url, oidc=agreed(settings(provider), url)))
    without = {f"{route.method} {route.path}" for route in build(service).api.router.routes}
    routes = with_people.api.router.routes
    assert {f"{r.method} {r.path}" for r in routes} - without == OPEN
    with browsing(url) as stranger:
        for route in routes:
            if isinstance(route.action, Public):
                continue
            for cookie in ("x" * 43, "", "ä"):
                sent = {"Cookie": f"{SESSION}={cookie}".encode(), "Sec-Fetch-Site": "same-origin"}
                answer = stranger.request(route.method, route.path, headers=sent)
                assert answer.status_code in (401, 429), (route, answer.text)
