"""What is agreed with a provider, from the settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from modelyard.domain.errors import InvalidConfig, NotAuthenticated
from modelyard.edge.oidc import agreed, groups_of, mapped, person
from modelyard.server.plan import planned
from modelyard.settings import load
from modelyard.settings.model import OidcSettings, ServerSettings

GOOD = OidcSettings(issuer="https://login.example", client_id="registry")
URL = "https://models.example/"


def test_without_an_issuer_nobody_logs_in():
    assert agreed(OidcSettings(client_id="x", client_secret="y"), None) is None
    assert planned(ServerSettings()).oidc is None


def test_a_server_without_tokens_has_no_logins():
    server = ServerSettings(public_url=URL)
    assert planned(server, GOOD).oidc is not None
    assert planned(server, GOOD, authenticate=False).oidc is None


def test_the_agreement_says_where_people_come_back_to():
    oidc = agreed(replace(GOOD, scopes=("groups",), hours=2, idle_minutes=5), URL)
    assert oidc.callback == "https://models.example/login/callback"
    assert oidc.secure
    assert oidc.scopes == ("openid", "groups")
    assert (oidc.life, oidc.idle) == (timedelta(hours=2), timedelta(minutes=5))
    assert not agreed(GOOD, "http://localhost:8000").secure


@pytest.mark.parametrize(
    ("settings", "url", "key"),
    [
        (replace(GOOD, client_id=None), URL, "security.oidc.client_id"),
        (GOOD, None, "server.public_url"),
        (GOOD, "http://models.example", "server.public_url"),
        (GOOD, "http://127.0.0.1.evil.example", "server.public_url"),
        (replace(GOOD, issuer="http://login.example"), URL, "security.oidc.issuer"),
        (replace(GOOD, client_secret_file="./nowhere"), URL, "security.oidc.client_secret_file"),
        (replace(GOOD, grants=("ml-team",)), URL, "security.oidc.grants"),
        (replace(GOOD, grants=("-> reader",)), URL, "security.oidc.grants"),
        (replace(GOOD, grants=("ml-team -> king",)), URL, "security.oidc.grants"),
    ],
)
def test_what_is_missing_or_unsafe_is_refused_by_its_key(settings, url, key):
    with pytest.raises(InvalidConfig) as caught:
        agreed(settings, url)
    assert caught.value.detail.startswith(key)


def test_the_secret_comes_from_a_file_or_a_variable_and_is_shown_nowhere(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("hush-hush\n")
    from_file = agreed(replace(GOOD, client_secret_file=str(tmp_path / "secret")), URL)
    monkeypatch.chdir(tmp_path)
    env = {
        "MODELYARD_SECURITY_OIDC_ISSUER": "https://login.example",
        "MODELYARD_SECURITY_OIDC_CLIENT_ID": "registry",
        "MODELYARD_SECURITY_OIDC_CLIENT_SECRET": "hush-hush",
        "MODELYARD_SECURITY_OIDC_GRANTS": "a -> approver on fraud, to staging, b -> reader",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = load().security.oidc
    from_env = agreed(settings, URL)
    assert from_file.client_secret == from_env.client_secret == "hush-hush"
    assert [(group, str(grant)) for group, grant in from_env.grants] == [
        ("a", "approver on fraud, to staging"),
        ("b", "reader on *"),
    ]
    assert "hush" not in repr((from_file, from_env, settings))


def test_servers_with_one_secret_agree_on_the_key_of_logins_and_others_do_not():
    shared = replace(GOOD, client_secret="s")
    assert agreed(shared, URL).key == agreed(shared, URL).key != agreed(GOOD, URL).key
    assert agreed(GOOD, URL).key != agreed(GOOD, URL).key


def test_groups_with_arrows_and_equals_signs_are_taken_whole():
    ((group, grant),) = mapped(["cn=ml -> x,dc=example -> reader"])
    assert (group, str(grant)) == ("cn=ml -> x,dc=example", "reader on *")


@pytest.mark.parametrize(
    ("claim", "groups"),
    [("one", {"one"}), (["a", "b", 7], {"a", "b"}), (None, set()), ({"a": 1}, set()), ([], set())],
)
def test_groups_are_a_list_of_texts_or_one(claim, groups):
    assert groups_of(claim) == groups


def test_everybody_gets_what_the_star_says_and_each_grant_once():
    oidc = agreed(replace(GOOD, grants=("* -> reader", "a -> reader", "b -> auditor")), URL)
    claims = {"sub": "1", "email": "Ada@Example.org", "email_verified": True, "groups": ["a"]}
    who = person(oidc, claims)
    assert [str(grant) for grant in who.grants] == ["reader on *"]
    assert who.name == "ada@example.org"
    other = person(oidc, claims | {"sub": "2"})
    assert other.key != who.key


def test_people_are_never_named_by_an_address_that_nobody_verified():
    claims = {"sub": "1", "email": "boss@example.org", "email_verified": False}
    with pytest.raises(NotAuthenticated, match="verify"):
        person(agreed(GOOD, URL), claims)
