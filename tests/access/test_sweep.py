"""A15: every route and every method, asked by strangers of every kind."""

from __future__ import annotations

import re

import pytest

from modelyard.domain.tokens import write_secret
from modelyard.edge import admission
from modelyard.edge.routing import PUBLIC, Public, Route
from modelyard.ports import service as ask
from modelyard.server import build
from modelyard.testing.clock import SettableClock
from modelyard.wiring import in_folder

from .room import make_token, serving, talking

OPEN = {
    "GET /healthz",
    "GET /readyz",
    "GET /api/v1/docs",
    "GET /api/v1/docs/viewer.css",
    "GET /api/v1/docs/viewer.js",
}
"""What strangers may ask. A route that is added here has to say why it tells nothing about the registry."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = in_folder(tmp_path_factory.mktemp("swept") / "registry")
    service.clock = SettableClock(service.clock.now())
    yield service
    service.close()


@pytest.fixture(scope="module")
def strangers(service):
    """Headers of everybody who is nobody here."""
    expired, revoked = make_token(service, "admin", days=1), make_token(service, "admin", name="gone")
    service.revoke_token(ask.RevokeToken(token="gone"))
    service.clock.advance(days=2)
    good = make_token(service, "admin", name="good")
    return {
        "nobody": {},
        "unknown": {"Authorization": f"Bearer {write_secret(bytes(32))}"},
        "expired": {"Authorization": f"Bearer {expired}"},
        "revoked": {"Authorization": f"Bearer {revoked}"},
        "slip": {"Authorization": f"Bearer {good[:-1]}{'a' if good[-1] != 'a' else 'b'}"},
        "empty": {"Authorization": "Bearer"},
        "another scheme": {"Authorization": f"Basic {good}"},
        "cookie": {"Cookie": f"token={good}; session={good}; Authorization=Bearer {good}"},
        "other headers": {"X-Remote-User": "root", "X-Forwarded-User": "root", "X-Api-Key": good},
        "smuggled": {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/healthz", "X-Token": good},
    }


@pytest.fixture(scope="module")
def url(service):
    with pytest.MonkeyPatch.context() as patch, serving_patched(patch, service) as found:
        yield found


def serving_patched(patch, service):
    """A server that lets strangers fail as often as the sweep needs."""
    patch.setattr(admission, "FAILURES", 10**9)
    return serving(service)


def routes(service):
    return build(service).api.router.routes


def test_A15_only_the_listed_routes_are_open(service):
    found = {f"{r.method} {r.path}" for r in routes(service) if isinstance(r.action, Public)}
    assert found == OPEN


@pytest.mark.parametrize("who", range(10))
def test_A15_no_route_answers_a_stranger(service, url, strangers, who):
    name, headers = list(strangers.items())[who]
    addresses = sorted({re.sub(r"\{\w+\}", "x", route.path) for route in routes(service)})
    addresses += ["/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/models", "/docs", "/static/x"]
    with talking(url) as client:
        for address in addresses:
            for method in METHODS:
                answer = client.request(method, address, headers=headers)
                if f"{method.replace('HEAD', 'GET')} {address}" in OPEN:
                    assert answer.status_code in (200, 503), (name, method, address)
                else:
                    assert answer.status_code == 401, (name, method, address, answer.text)
                    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_A15_every_other_route_answers_whoever_may_do_everything(service, url):
    """So that the sweep proves something: the same requests with a token are not refused for want of one."""
    secret = make_token(service, "admin", name="sweeper")
    with talking(url, secret) as client:
        for route in routes(service):
            answer = client.request(route.method, re.sub(r"\{\w+\}", "x", route.path))
            assert answer.status_code not in (401, 403, 405), (route.path, answer.text)


@pytest.mark.parametrize("role", ["reader", "approver", "auditor", "writer on x, only read"])
def test_no_route_that_takes_bytes_takes_them_from_who_may_not_write(service, url, role):
    with talking(url, make_token(service, role, name=role)) as client:
        taking = [r for r in routes(service) if "/blobs" in r.path and r.method not in ("GET", "HEAD")]
        assert len(taking) >= 2
        for route in taking:
            address = re.sub(r"\{\w+\}", "x", route.path)
            given = {"json": {"digests": []}} if address.endswith("/missing") else {"content": b"x"}
            answer = client.request(route.method, address, **given)
            assert answer.status_code == 403, (route.path, answer.text)


def test_A26_a_token_in_the_address_lets_nobody_in(service, url):
    secret = make_token(service, "admin", name="in the address")
    with talking(url) as client:
        for word in ("token", "access_token", "authorization"):
            answer = client.get("/api/v1/models", params={word: secret})
            assert answer.status_code in (400, 401)
            assert secret not in answer.text


@pytest.mark.parametrize("action", [None, "read", ""])
def test_no_route_without_a_permission_can_be_built(action):
    async def handler(call):
        raise AssertionError("never asked")

    Route(method="GET", path="/x", action=PUBLIC, handler=handler)
    with pytest.raises(TypeError):
        Route(method="GET", path="/x", action=action, handler=handler)
    with pytest.raises(TypeError):
        Route(method="GET", path="/x", handler=handler)
