"""Records that served to recognise somebody or something go once they are past that, and never before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.answers import Forgotten
from modelyard.domain.errors import InvalidInput, NotAuthenticated
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor, Receipt, Registry
from modelyard.domain.sessions import Person
from modelyard.ports.metadata import (
    Changes,
    Put,
    ReceiptKey,
    ReceiptQuery,
    SessionQuery,
    TokenKey,
    TokenQuery,
)
from modelyard.ports.service import Collect, CreateToken, CreateVersion, History, RevokeToken
from modelyard.scanning.scanner import TracingScanner
from modelyard.service import leftovers
from modelyard.service.local import LocalService
from modelyard.service.pages import every
from modelyard.service.sessions import ServiceSessions

READER = (Grant(role="reader"),)
LIFE = {"life": timedelta(hours=12), "idle": timedelta(hours=1)}
RUN = Collect(dry_run=False)


@pytest.fixture(params=["memory", "sqlite"])
def service(request, clock, tmp_path):
    store = MemoryMetadata() if request.param == "memory" else SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    blobs = MemoryBlobs(), MemoryBlobs()
    yield LocalService(store, *blobs, clock=clock, scanner=TracingScanner(), actor=Actor(name="ann"))
    store.close()


def forgotten(service):
    """What a run drops, which is what its preview announced."""
    announced = service.collect(Collect()).forgotten
    done = service.collect(RUN).forgotten
    assert done == announced
    assert service.collect(RUN).forgotten == Forgotten()
    return done


def keyed(service, key="k", **facts):
    return service.create_version(CreateVersion(name="fraud", idempotency_key=key, **facts))


def token(service, **facts):
    return service.create_token(CreateToken(**({"name": "n", "grants": READER} | facts))).token


def test_an_idempotency_key_counts_for_90_days_and_is_then_dropped(service, clock):
    first = keyed(service)
    clock.advance(days=90)
    assert forgotten(service) == Forgotten()
    assert keyed(service) == first
    clock.advance(seconds=1)
    assert forgotten(service) == Forgotten(receipts=1)
    assert keyed(service).number == 2


def test_what_an_old_key_means_does_not_depend_on_whether_somebody_cleaned_up(service, clock):
    keyed(service)
    clock.advance(days=91)
    second = keyed(service, description="another request")
    assert second.number == 2
    assert keyed(service, description="another request") == second
    with pytest.raises(InvalidInput, match="another registration"):
        keyed(service)


def test_that_bytes_were_sent_is_dropped_with_the_day_for_which_it_counts(service, clock):
    digest = service.put_blob([b"weights"]).digest
    service.access.note_upload(service.actor, digest)
    clock.advance(days=1)
    assert service.access.uploaded(service.actor, digest)
    assert forgotten(service) == Forgotten()
    clock.advance(seconds=1)
    assert not service.access.uploaded(service.actor, digest)
    assert forgotten(service) == Forgotten(receipts=1)


def test_how_far_a_work_has_come_is_never_dropped(service, clock):
    receipt = Receipt(key="drain:somewhere", request="", result={"position": 7}, at=clock.now(), revision=1)
    service.store.commit(Changes(puts=(Put(record=receipt, expected=0),)))
    clock.advance(days=10_000)
    assert forgotten(service) == Forgotten()
    assert service.store.get(ReceiptKey("drain:somewhere")) == receipt


def test_logins_and_sessions_go_a_day_after_they_are_over(service, clock):
    sessions = ServiceSessions(service)
    ada = Person(key="a" * 32, name="ada", grants=READER)
    busy = sessions.open(ada, life=timedelta(days=30), idle=timedelta(days=3), once="1")
    sessions.open(ada, **LIFE, once="2")
    sessions.end(sessions.open(ada, **LIFE, once="3"))
    clock.advance(days=1)
    assert forgotten(service) == Forgotten()
    clock.advance(seconds=1)
    assert forgotten(service) == Forgotten(receipts=3, sessions=1)
    clock.advance(seconds=3600)
    assert forgotten(service) == Forgotten(sessions=1)
    assert sessions.recognise(busy).actor.name == "ada"
    sessions.open(ada, **LIFE, once="4")
    assert len(list(every(service.store, SessionQuery()))) == 2


def test_tokens_go_90_days_after_they_ended_but_the_first_of_all_stays(service, clock):
    first = service.access.first_token().token
    expiring = token(service, expires_at=clock.now() + timedelta(days=1))
    revoked = token(service)
    service.revoke_token(RevokeToken(token=revoked.token_id))
    valid = token(service)
    clock.advance(days=90, seconds=1)
    assert forgotten(service) == Forgotten(tokens=1)
    assert service.store.get(TokenKey(revoked.token_id)) is None
    assert service.store.get(TokenKey(expiring.token_id)) is not None
    clock.advance(days=3_650)
    assert forgotten(service) == Forgotten(tokens=1)
    left = [each.token_id for each in every(service.store, TokenQuery())]
    assert left == [first.token_id, valid.token_id]
    assert service.access.first_token() is None


def test_the_secret_of_a_dropped_token_is_refused_as_unknown(service, clock):
    token(service)
    made = service.create_token(CreateToken(name="n", grants=READER))
    service.revoke_token(RevokeToken(token=made.token.token_id))
    clock.advance(days=91)
    assert forgotten(service).tokens == 1
    with pytest.raises(NotAuthenticated):
        service.access.recognise(made.secret)


def test_a_run_that_dropped_something_is_in_the_history_and_one_that_did_not_is_not(service, clock):
    keyed(service)
    clock.advance(days=91)
    forgotten(service)
    said = [event for event in service.history(History(ref="")).items if event.action == "registry.collected"]
    assert [event.after["receipts"] for event in said] == [1]


def test_what_is_used_in_the_moment_of_dropping_stays_and_the_others_go(service, clock, monkeypatch):
    for key in "abc":
        keyed(service, key)
    clock.advance(days=91)
    real = type(service.store).commit
    raced = []

    def commit(store, changes):
        if changes.drops and not raced:
            raced.append(True)
            monkeypatch.undo()
            keyed(service, "b")
        real(store, changes)

    monkeypatch.setattr(type(service.store), "commit", commit)
    assert leftovers.forget(service) == Forgotten(receipts=2)
    assert [each.key[-1] for each in every(service.store, ReceiptQuery())] == ["b"]
