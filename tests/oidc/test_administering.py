"""Administrators see who is logged in and end it, over HTTP; nobody else does."""

import pytest

from modelyard.domain.errors import PermissionDenied
from modelyard.domain.permissions import Grant
from modelyard.ports import service as ask
from modelyard.wiring import over_http

from .room import browsing, log_in
from .test_log_in import poll_until_refused


def token(service, role):
    return service.create_token(ask.CreateToken(name=role, grants=(Grant(role=role),))).secret


def test_an_administrator_ends_the_sessions_of_somebody_else(url, service, provider):
    with browsing(url) as here, browsing(url) as there, browsing(url) as other:
        assert log_in(here).status_code == log_in(there).status_code == 200
        name = here.get("/api/v1/whoami").json()["actor"]["name"]
        provider.claims = {"sub": "u2", "email": "bob@example.org", "email_verified": True}
        assert log_in(other).status_code == 200
        admin = over_http(url, token(service, "admin"))
        try:
            assert sorted(each.owner.name for each in admin.list_sessions().items) == sorted(
                [name, name, "bob@example.org"]
            )
            assert len(admin.end_sessions(ask.EndSessions(who=name, reason="left"))) == 2
            poll_until_refused(here, {})
            poll_until_refused(there, {})
            assert other.get("/api/v1/whoami").status_code == 200
            last = admin.history(ask.History(ref="", limit=1)).items[0]
            assert (last.action, last.reason) == ("session.ended", "left")
        finally:
            admin.close()


@pytest.mark.parametrize("role", ["reader", "writer", "approver", "auditor"])
def test_nobody_else_sees_or_ends_them(url, service, browser, role):
    assert log_in(browser).status_code == 200
    caller = over_http(url, token(service, role))
    try:
        with pytest.raises(PermissionDenied):
            caller.list_sessions()
        with pytest.raises(PermissionDenied):
            caller.end_sessions(ask.EndSessions(who="ada@example.org"))
    finally:
        caller.close()
    assert browser.get("/api/v1/whoami").status_code == 200
