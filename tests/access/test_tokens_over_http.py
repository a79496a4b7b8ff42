"""Tokens on the way to a server: who is recognised, how fast a revocation works, how failures are held back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import NotAuthenticated, PermissionDenied
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor
from modelyard.domain.tokens import write_secret
from modelyard.edge.admission import network
from modelyard.edge.doorkeeper import MOST, TokenDoorkeeper, bearer
from modelyard.ports import service as ask
from modelyard.registry import ModelRegistry
from modelyard.wiring import in_folder

from .room import empty, make_token, principal, serving, talking


@pytest.fixture
def service():
    service = empty()
    yield service
    service.close()


def of(secret):
    return {"authorization": f"Bearer {secret}"}


class Seconds:
    """A clock for the doorkeeper."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


# --- the doorkeeper --------------------------------------------------------------------------------------------------


def test_who_was_recognised_is_remembered_for_a_second(service):
    clock = Seconds()
    keeper = TokenDoorkeeper(service.access, clock)
    secret = make_token(service, "reader")
    assert keeper.recall(of(secret)) is None
    assert keeper.recognise(of(secret)) == keeper.recall(of(secret))
    service.revoke_token(ask.RevokeToken(token="ann"))
    clock.now += 0.99
    assert keeper.recall(of(secret)) is not None
    clock.now += 0.01
    assert keeper.recall(of(secret)) is None
    with pytest.raises(NotAuthenticated):
        keeper.recognise(of(secret))


def test_a_clock_that_went_back_remembers_nobody(service):
    clock = Seconds()
    keeper = TokenDoorkeeper(service.access, clock)
    keeper.recognise(of(secret := make_token(service, "reader")))
    clock.now -= 10
    assert keeper.recall(of(secret)) is None


def test_an_expired_token_is_refused_within_a_second_though_it_is_remembered(service):
    clock = Seconds()
    keeper = TokenDoorkeeper(service.access, clock)
    keeper.recognise(of(secret := make_token(service, "reader", days=1)))
    service.clock.advance(days=1)
    clock.now += 1
    with pytest.raises(NotAuthenticated, match="expired"):
        keeper.recognise(of(secret))


def test_the_doorkeeper_remembers_a_bounded_number(service, monkeypatch):
    assert MOST == 10_000
    monkeypatch.setattr("modelyard.edge.doorkeeper.MOST", 3)
    keeper = TokenDoorkeeper(service.access)
    for number in range(10):
        keeper.recognise(of(make_token(service, "reader", name=f"t{number}")))
    assert len(keeper._known) == 3


def test_a_failed_attempt_is_not_remembered(service):
    keeper = TokenDoorkeeper(service.access)
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            keeper.recognise(of(write_secret(bytes(32))))
    assert not keeper._known


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Token abc", "bearerabc"])
def test_only_a_bearer_token_is_one(header):
    with pytest.raises(NotAuthenticated, match="Authorization: Bearer"):
        bearer({"authorization": header})


# --- over the network ------------------------------------------------------------------------------------------------


def test_A21_a_revoked_token_is_refused_by_every_worker_within_a_second(tmp_path):
    """Two servers over one folder, as two workers are: what is revoked in one is refused by the other."""
    first, second = (in_folder(tmp_path / "registry", actor=Actor(name="root")) for _ in range(2))
    secret, admin = make_token(first, "reader"), make_token(first, "admin", name="admin")
    with (
        serving(first) as one,
        serving(second) as two,
        talking(one, secret) as here,
        talking(two, secret) as there,
        talking(one, admin) as boss,
    ):
        for client in (here, there):
            assert client.get("/api/v1/models").status_code == 200
        revoked = boss.post("/api/v1/tokens/ann/revocation", json={"reason": "lost"})
        assert revoked.status_code == 200, revoked.text
        began = time.monotonic()
        while {client.get("/api/v1/models").status_code for client in (here, there)} != {401}:
            assert time.monotonic() - began < 10  # a second, and whatever a busy machine adds
            time.sleep(0.05)
    for service in (first, second):
        service.close()


def test_the_client_makes_lists_and_revokes_tokens_over_the_network(service):
    with serving(service) as url, ModelRegistry(url, token=make_token(service, "admin")) as registry:
        made = registry.create_token("nightly", ["writer on risk/*"], owner="trainer", service=True)
        assert service.access.recognise(made.secret).actor == Actor(name="trainer", kind="service")
        assert [token.name for token in registry.list_tokens()] == ["ann", "nightly"]
        assert registry.revoke_token("nightly", reason="done").revoked_by == "ann"
        with pytest.raises(NotAuthenticated), ModelRegistry(url, token=made.secret) as other:
            other.list_names()


@pytest.mark.parametrize(
    ("grants", "days"),
    [
        ((Grant(role="admin"),), 30),
        ((Grant(role="writer", models="*"),), None),
        ((Grant(role="admin", actions=(Action.READ,)),), 30),
    ],
)
def test_A20_a_token_makes_none_that_may_more_or_lives_longer(service, grants, days):
    """The one that asks ends in 10 days and may administer and read, nothing else."""
    secret = make_token(service, "admin, only administer and read", days=10)
    with serving(service) as url, ModelRegistry(url, token=secret) as registry:
        with pytest.raises(PermissionDenied):
            registry.create_token("more", list(grants), days=days)
        assert len(registry.list_tokens()) == 1
        made = registry.create_token("less", "admin, only read", days=None)
        assert made.token.expires_at == registry.list_tokens()[0].expires_at
        assert service.history(ask.History(ref="", newest_first=False)).items[1].action == "call.denied"


def test_A14_a_service_that_is_called_like_a_user_has_nothing_of_the_user(service):
    """Neither what she began to send nor the answers to her keys."""
    secrets = {"user": make_token(service, "writer", name="ann")}
    owner = Actor(name="ann", kind="service")
    request = ask.CreateToken(name="robot", grants=(Grant(role="writer"),), owner=owner)
    secrets["service"] = service.create_token(request).secret
    keyed = {"Idempotency-Key": "nightly"}
    with (
        serving(service) as url,
        talking(url, secrets["user"]) as user,
        talking(url, secrets["service"]) as robot,
    ):
        begun = user.post("/api/v1/blobs/uploads").headers["location"]
        assert (user.get(begun).status_code, robot.get(begun).status_code) == (200, 404)
        made = [
            each.post("/api/v1/models/fraud/versions", json={}, headers=keyed).json()
            for each in (user, robot)
        ]
        assert [version["number"] for version in made] == [1, 2]


@pytest.mark.parametrize("role", ["reader", "writer", "approver", "auditor", "admin on ours/*"])
def test_A20_who_does_not_administer_everything_makes_and_sees_no_token(service, role):
    with serving(service) as url, ModelRegistry(url, token=make_token(service, role)) as registry:
        for call in (
            lambda: registry.create_token("mine", "reader"),
            registry.list_tokens,
            lambda: registry.revoke_token("ann"),
        ):
            with pytest.raises(PermissionDenied):
                call()
    assert len(service.list_tokens().items) == 1


def test_A19_nothing_in_a_request_makes_its_sender_more(service):
    """Neither a body nor a header decides who asks, or what they may."""
    secret = make_token(service, "admin, only administer and read")
    smuggled = {"X-Remote-User": "root", "X-Role": "admin", "X-Actor": "root", "X-Forwarded-User": "root"}
    with serving(service) as url, talking(url, secret) as client:
        for extra in ({"token_id": "x"}, {"created_by": "root"}, {"digest": "0" * 64}, {"role": "admin"}):
            body = {"name": "n", "grants": [{"role": "admin", "actions": ["read"]}]} | extra
            assert client.post("/api/v1/tokens", json=body, headers=smuggled).status_code == 400
        found = client.get("/api/v1/whoami", headers=smuggled).json()
        assert found["actor"]["name"] == "ann"
        assert found["grants"][0]["actions"] == ["administer", "read"]


def test_no_answer_holds_the_digest_of_a_secret(service):
    secret = make_token(service, "admin")
    from modelyard.domain.tokens import digest_of

    with serving(service) as url, talking(url, secret) as client:
        for address in ("/api/v1/tokens", "/api/v1/whoami", "/api/v1/history?ref=", "/api/v1/stats"):
            answer = client.get(address)
            assert answer.status_code == 200
            assert digest_of(secret) not in answer.text
            assert secret not in answer.text
        made = client.post("/api/v1/tokens", json={"name": "n", "grants": [{"role": "reader"}]})
        assert made.status_code == 201
        assert digest_of(made.json()["secret"]) not in made.text


# --- held back -------------------------------------------------------------------------------------------------------


def test_A24_an_address_that_fails_too_often_is_told_to_wait_and_a_right_token_is_let_in(service):
    secret = make_token(service, "reader")
    with serving(service) as url, talking(url) as stranger, talking(url, secret) as known:
        wrong = {"Authorization": f"Bearer {write_secret(bytes(32))}"}
        codes = [stranger.get("/api/v1/models", headers=wrong).status_code for _ in range(50)]
        assert codes[:10] == [401] * 10
        assert set(codes[11:]) == {429}
        answer = stranger.get("/api/v1/models", headers=wrong)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert known.get("/api/v1/models").status_code == 200


def test_A24_a_slip_and_an_unknown_token_take_about_as_long(service):
    """Neither waits for the other's look-up: both are answered in the time of one."""
    keeper = TokenDoorkeeper(service.access)

    def quickest(secret):
        times = []
        for _ in range(200):
            began = time.perf_counter()
            with pytest.raises(NotAuthenticated):
                keeper.recognise(of(secret))
            times.append(time.perf_counter() - began)
        return sorted(times)[20]

    good = make_token(service, "reader")
    unknown = quickest(write_secret(bytes(32)))
    near = quickest(write_secret(bytes(31) + b"\x01"))
    slip = quickest(good[:-1] + ("a" if good[-1] != "a" else "b"))
    assert max(unknown, near, slip) < 0.01


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_one_network_of_version_six_counts_as_one_address(address, counted_as):
    assert network(address) == counted_as


def test_denied_calls_of_known_callers_are_in_the_history(service):
    with serving(service) as url, talking(url, make_token(service, "reader")) as client:
        assert client.post("/api/v1/care/collect", json={}).status_code == 403
        assert client.post("/api/v1/models/m/versions", json={}).status_code == 403
    denied = [e for e in service.history(ask.History(ref="")).items if e.action == "call.denied"]
    assert [event.actor for event in denied] == ["ann", "ann"]
    assert principal("reader").actor.name == "ann"


def test_sqlite_and_the_real_clock_work_together(tmp_path):
    """The one test with nothing replaced: folder, SQLite, the machine's clock, HTTP."""
    service = in_folder(tmp_path / "registry")
    made = service.access.first_token()
    assert made is not None
    assert isinstance(service.store, SqlMetadata)
    assert not isinstance(service.blobs, MemoryBlobs)
    assert timedelta(days=6) < made.token.expires_at - datetime.now(UTC) < timedelta(days=8)
    with serving(service) as url, ModelRegistry(url, token=made.secret) as registry:
        assert registry.list_names() == []
    assert service.list_tokens().items[0].used_at is not None
    service.close()
