"""Sessions over a registry: opened once, counted, ended, exchanged."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.domain.errors import InvalidInput, NotAuthenticated, NotFound, StorageError
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor, Registry
from modelyard.domain.sessions import PLACES, Person, challenge_of, digest_of, write_secret
from modelyard.ports.access import EndSessions
from modelyard.ports.metadata import Changes, EventQuery, Put, SessionSecretKey
from modelyard.scanning.scanner import TracingScanner
from modelyard.service.local import LocalService
from modelyard.service.sessions import ServiceSessions
from modelyard.testing.clock import SettableClock
from modelyard.testing.metadata import spelled

ADA = Person(key="a" * 32, name="ada", grants=(Grant(role="writer", models="risk/*"),))
LIFE = {"life": timedelta(hours=12), "idle": timedelta(hours=1)}
VERIFIER = "v" * 43
CHALLENGE = challenge_of(VERIFIER)


@pytest.fixture
def service():
    clock, store = SettableClock(), MemoryMetadata()
    record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    blobs = MemoryBlobs(), MemoryBlobs()
    return LocalService(store, *blobs, clock=clock, scanner=TracingScanner(), actor=Actor(name="root"))


@pytest.fixture
def sessions(service):
    return ServiceSessions(service)


def stored(service, secret):
    return service.store.get(SessionSecretKey(digest_of(secret)))


def test_a_session_acts_as_its_person_with_their_grants_until_it_ends(service, sessions):
    secret = sessions.open(ADA, **LIFE, once="1")
    principal = sessions.recognise(secret)
    assert principal.actor == Actor(name="ada")
    assert principal.grants == ADA.grants
    assert principal.expires_at == service.clock.now() + timedelta(hours=12)
    assert principal.token_id == ""


def test_nobody_without_grants_gets_a_session(sessions):
    with pytest.raises(InvalidInput):
        sessions.open(Person(key="b" * 32, name="bob", grants=()), **LIFE, once="1")


def test_a_login_counts_once(sessions, service):
    sessions.open(ADA, **LIFE, once="1")
    with pytest.raises(NotAuthenticated, match="completed before"):
        sessions.open(ADA, **LIFE, once="1")
    with pytest.raises(NotAuthenticated, match="completed before"):
        sessions.open_code(ADA, CHALLENGE, life=timedelta(hours=1), once="1")


def test_of_many_that_complete_one_login_at_once_one_gets_in(sessions):
    got, barrier = [], threading.Barrier(4)

    def complete():
        barrier.wait()
        try:
            got.append(sessions.open(ADA, **LIFE, once="same"))
        except NotAuthenticated:
            got.append(None)

    threads = [threading.Thread(target=complete) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len([each for each in got if each]) == 1


def test_uses_are_noted_once_a_minute(sessions, service):
    secret = sessions.open(ADA, **LIFE, once="1")
    service.clock.advance(seconds=59)
    sessions.recognise(secret)
    assert stored(service, secret).revision == 1
    service.clock.advance(seconds=1)
    sessions.recognise(secret)
    assert stored(service, secret).used_at == service.clock.now()
    assert stored(service, secret).revision == 2


def test_a_full_disk_locks_nobody_out(sessions, service, monkeypatch):
    secret = sessions.open(ADA, **LIFE, once="1")
    service.clock.advance(seconds=90)

    def full(changes):
        raise StorageError("no space left")

    monkeypatch.setattr(service.store, "commit", full)
    assert sessions.recognise(secret).actor.name == "ada"


def test_an_ended_session_stays_ended_and_ending_it_again_tells_nothing(sessions, service):
    secret, other = (sessions.open(ADA, **LIFE, once=once) for once in "12")
    for _ in range(2):
        sessions.end(secret)
    with pytest.raises(NotAuthenticated):
        sessions.recognise(secret)
    assert sessions.recognise(other)
    sessions.end(write_secret(bytes(32)))
    told = [event.action for event in service.store.find(EventQuery(model_key="")).items]
    assert told == ["session.opened", "session.opened", "session.ended"]


def test_ending_everywhere_ends_all_of_one_person(sessions):
    bob = Person(key="b" * 32, name="ada", grants=ADA.grants)
    first, second, third = (sessions.open(ADA, **LIFE, once=once) for once in "123")
    others = sessions.open(bob, **LIFE, once="4")
    sessions.end(third)
    sessions.end(first, everywhere=True)
    for gone in (first, second, third):
        with pytest.raises(NotAuthenticated):
            sessions.recognise(gone)
    assert sessions.recognise(others)


def test_a_person_has_so_many_sessions_and_no_more(sessions, service):
    opened = []
    for number in range(PLACES + 2):
        opened.append(sessions.open(ADA, **LIFE, once=str(number)))
        service.clock.advance(seconds=1)
    assert [stored(service, secret) is None for secret in opened] == [True] * 2 + [False] * PLACES


def test_a_code_makes_one_token_of_the_person(sessions, service):
    code = sessions.open_code(ADA, CHALLENGE, life=timedelta(hours=12), once="1")
    made = sessions.exchange(code, VERIFIER, "laptop")
    assert made.token.owner == Actor(name="ada")
    assert made.token.grants == ADA.grants
    assert made.token.expires_at == service.clock.now() + timedelta(hours=12)
    assert service.access.recognise(made.secret).actor.name == "ada"
    with pytest.raises(NotAuthenticated):
        sessions.exchange(code, VERIFIER, "laptop")


def test_a_code_may_be_over_though_its_token_would_have_lived(sessions, service):
    code = sessions.open_code(ADA, CHALLENGE, life=timedelta(hours=12), once="1")
    service.clock.advance(seconds=300)
    with pytest.raises(NotAuthenticated):
        sessions.exchange(code, VERIFIER, "laptop")
    assert not service.list_tokens().items


def test_no_secret_is_in_the_history(sessions, service):
    secret = sessions.open(ADA, **LIFE, once="once-word")
    sessions.end(secret)
    told = str(spelled(service.store.find(EventQuery(model_key="")).items))
    assert "risk/*" in told
    for word in (secret, digest_of(secret), "once-word"):
        assert word not in told


def test_a_login_with_other_grants_ends_the_sessions_that_have_the_old_ones(sessions):
    same, other = (sessions.open(ADA, **LIFE, once=once) for once in "12")
    sessions.end(other)
    again = sessions.open(ADA, **LIFE, once="3")
    assert sessions.recognise(same)
    less = Person(key=ADA.key, name="ada", grants=(Grant(role="reader"),))
    newest = sessions.open(less, **LIFE, once="4")
    for gone in (same, other, again):
        with pytest.raises(NotAuthenticated):
            sessions.recognise(gone)
    assert sessions.recognise(newest).grants == less.grants


# --- by an administrator ----------------------------------------------------------------------------------------------


def test_sessions_are_listed_without_anything_to_recognise_them_by(sessions, service):
    secret = sessions.open(ADA, **LIFE, once="1")
    sessions.open_code(ADA, CHALLENGE, life=timedelta(hours=1), once="2")
    first, second = service.list_sessions().items
    assert (first.owner, first.state(service.clock.now()), first.challenge) == (Actor(name="ada"), "open", "")
    assert second.challenge == "code"
    assert first.digest == second.digest == ""
    assert digest_of(secret) not in repr(service.list_sessions())
    assert CHALLENGE not in repr(service.list_sessions())


def test_the_list_goes_on_where_a_page_ended(sessions, service):
    for once in "123":
        sessions.open(ADA, **LIFE, once=once)
    page = service.list_sessions(limit=2)
    rest = service.list_sessions(limit=2, after=page.next)
    assert [each.session_id[-2:] for each in (*page.items, *rest.items)] == [".0", ".1", ".2"]


def test_one_session_is_ended_by_its_id_and_all_of_a_person_by_name(sessions, service):
    bob = Person(key="b" * 32, name="bob", grants=ADA.grants)
    first, second, third = (sessions.open(ADA, **LIFE, once=once) for once in "123")
    others = sessions.open(bob, **LIFE, once="4")
    (ended,) = service.end_sessions(EndSessions(who=stored(service, second).session_id))
    assert (ended.ended_at, ended.digest) == (service.clock.now(), "")
    assert ended.state(service.clock.now()) == "ended"
    with pytest.raises(NotAuthenticated):
        sessions.recognise(second)
    assert sessions.recognise(first)
    assert len(service.end_sessions(EndSessions(who="ada"))) == 2
    for gone in (first, third):
        with pytest.raises(NotAuthenticated):
            sessions.recognise(gone)
    assert sessions.recognise(others)


def test_who_ended_whose_sessions_and_why_is_one_event(sessions, service):
    for once in "12":
        sessions.open(ADA, **LIFE, once=once)
    service.end_sessions(EndSessions(who="ada", reason="laptop stolen"))
    (event,) = service.store.find(EventQuery(model_key="", newest_first=True, limit=1)).items
    assert (event.actor, event.action, event.reason) == ("root", "session.ended", "laptop stolen")
    key = f"session:{ADA.key}."
    assert event.before == {f"{key}0.open": True, f"{key}1.open": True}
    assert event.after[f"{key}0.open"] is False
    assert event.after[f"{key}1.owner"] == "ada"


def test_what_is_not_open_cannot_be_ended(sessions, service):
    secret = sessions.open(ADA, **LIFE, once="1")
    place = stored(service, secret).session_id
    service.clock.advance(days=1)
    assert service.list_sessions().items[0].state(service.clock.now()) == "over"
    for who in (place, "ada", "nobody", ""):
        with pytest.raises(NotFound, match="no open session"):
            service.end_sessions(EndSessions(who=who))
