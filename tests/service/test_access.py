"""Recognising callers, the first administrator, what was refused, and who sent which bytes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import NotAuthenticated, NotSupported, StorageFull
from modelyard.domain.permissions import OWNER, Action, Grant, Principal, require_within
from modelyard.domain.records import Actor, FileEntry, ModelStage, Registry
from modelyard.domain.tokens import digest_of
from modelyard.ports import service as ask
from modelyard.ports.access import Subject
from modelyard.ports.metadata import Changes, Put, SecretKey
from modelyard.scanning.scanner import TracingScanner
from modelyard.service.local import LocalService
from modelyard.testing.clock import SettableClock

READER = (Grant(role="reader", models="risk/*"),)
BOB = Principal(actor=Actor(name="bob"), grants=READER)


def token(service: LocalService, **facts: object) -> tuple[str, str]:
    """Id and secret of a new token."""
    given = {"name": "n", "grants": READER, "owner": Actor(name="bob", kind="service")} | facts
    made = service.create_token(ask.CreateToken(**given))  # type: ignore[arg-type]
    return made.token.token_id, made.secret


def version(service: LocalService, name: str = "fraud") -> str:
    return service.create_version(ask.CreateVersion(name=name)).model_id


# --- recognising -----------------------------------------------------------------------------------------------------


def test_a_secret_is_recognised_as_its_owner_with_its_grants(service: LocalService) -> None:
    token_id, secret = token(service)
    found = service.access.recognise(secret)
    assert found == Principal(actor=Actor(name="bob", kind="service"), grants=READER, token_id=token_id)


def test_every_view_of_a_registry_recognises_alike(service: LocalService) -> None:
    _, secret = token(service)
    assert service.as_actor(Actor(name="eve")).access is service.access
    assert service.as_actor(Actor(name="eve")).access.recognise(secret).actor.name == "bob"


def test_the_last_use_is_noted_once_a_minute_and_in_no_chain(
    service: LocalService, clock: SettableClock
) -> None:
    _, secret = token(service)
    events = len(service.store.events(0, 100))
    began = clock.now()
    for _ in range(3):
        service.access.recognise(secret)
        clock.advance(seconds=20)
    used = service.store.get(SecretKey(digest_of(secret)))
    assert used is not None
    assert (used.used_at, used.revision) == (began, 2)
    service.access.recognise(secret)
    assert service.list_tokens().items[0].used_at == clock.now()
    assert len(service.store.events(0, 100)) == events
    assert service.verify_audit().ok


def test_a_full_disk_locks_nobody_out(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = token(service)

    def full(_: Changes) -> None:
        raise StorageFull("no space left")

    monkeypatch.setattr(service.store, "commit", full)
    assert service.access.recognise(secret).actor.name == "bob"


def test_a_revoked_or_expired_token_is_refused_at_once(service: LocalService, clock: SettableClock) -> None:
    token_id, revoked = token(service)
    _, expiring = token(service, expires_at=clock.now() + timedelta(hours=1))
    service.revoke_token(ask.RevokeToken(token=token_id))
    with pytest.raises(NotAuthenticated, match="revoked"):
        service.access.recognise(revoked)
    service.access.recognise(expiring)
    clock.advance(seconds=3600)
    with pytest.raises(NotAuthenticated, match="expired"):
        service.access.recognise(expiring)


def test_a_clock_that_went_back_revives_no_revoked_token(service: LocalService, clock: SettableClock) -> None:
    token_id, secret = token(service)
    service.revoke_token(ask.RevokeToken(token=token_id))
    clock.advance(days=-1)
    with pytest.raises(NotAuthenticated):
        service.access.recognise(secret)


def test_A27_no_byte_of_the_database_holds_a_secret(tmp_path: Path, clock: SettableClock) -> None:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    service = introduced(store, clock)
    token_id, secret = token(service, reason="because")
    service.access.recognise(secret)
    service.revoke_token(ask.RevokeToken(token=token_id))
    service.close()
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
        assert secret[3:40].encode() not in path.read_bytes()


# --- the first administrator -----------------------------------------------------------------------------------------


def test_the_first_token_is_for_the_owner_and_ends(service: LocalService, clock: SettableClock) -> None:
    made = service.access.first_token()
    assert made is not None
    assert (made.token.owner, made.token.grants) == (service.actor, OWNER)
    found = service.access.recognise(made.secret)
    assert found.grants == OWNER
    require_within(found, OWNER, None)  # what it makes may outlive it
    clock.advance(days=7)
    with pytest.raises(NotAuthenticated, match="expired"):
        service.access.recognise(made.secret)


def test_there_is_one_first_token_ever(service: LocalService, clock: SettableClock) -> None:
    assert service.access.first_token() is not None
    assert service.access.first_token() is None
    clock.advance(days=30)
    assert service.access.first_token() is None


def test_whoever_made_a_token_by_hand_gets_no_first_one(service: LocalService) -> None:
    token(service)
    assert service.access.first_token() is None


def introduced(store: MemoryMetadata | SqlMetadata, clock: SettableClock) -> LocalService:
    record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    return LocalService(
        store, MemoryBlobs(), MemoryBlobs(), clock=clock, scanner=TracingScanner(), actor=Actor(name="ann")
    )


def test_of_many_servers_that_start_at_once_one_makes_the_first_token(
    tmp_path: Path, clock: SettableClock
) -> None:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    service = introduced(store, clock)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: service.as_actor(service.actor).access.first_token(), range(8)))
    assert sum(token is not None for token in made) == 1
    assert len(service.list_tokens().items) == 1
    service.close()


def test_a_registry_without_a_record_of_itself_makes_no_token(clock: SettableClock) -> None:
    service = LocalService(
        MemoryMetadata(),
        MemoryBlobs(),
        MemoryBlobs(),
        clock=clock,
        scanner=TracingScanner(),
        actor=Actor(name="ann"),
    )
    with pytest.raises(NotSupported):
        service.access.first_token()


# --- refused ---------------------------------------------------------------------------------------------------------


def denied(service: LocalService) -> Iterator[str]:
    for event in service.history(ask.History(ref="", newest_first=False, limit=1000)).items:
        if event.action == "call.denied":
            yield event.actor


def test_a_refused_call_is_in_the_registrys_history(service: LocalService) -> None:
    service.access.tell_denied(BOB, Action.PROMOTE, "promote", "fraud#1")
    (event,) = service.history(ask.History(ref="")).items
    assert (event.actor, event.action, event.subject) == ("bob", "call.denied", "actor:bob")
    assert event.after == {
        "denied:promote.action": "promote",
        "denied:promote.about": "fraud#1",
        "denied:promote.left_out": 0,
    }
    service.access.tell_denied(replace(BOB, token_id="01t"), Action.READ, "get_version", "x")
    assert service.history(ask.History(ref="")).items[0].subject == "token:01t"
    assert service.verify_audit().ok


def test_a_flood_of_refused_calls_does_not_fill_the_disk(
    service: LocalService, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "modelyard"):
        for _ in range(500):
            service.access.tell_denied(BOB, Action.READ, "get_version", "x" * 10_000)
    assert len(list(denied(service))) == 20
    assert len(caplog.records) == 500
    clock.advance(seconds=60)
    service.access.tell_denied(BOB, Action.READ, "get_version", "x")
    event = service.history(ask.History(ref="")).items[0]
    assert event.after["denied:get_version.left_out"] == 480
    assert all(len(str(e.after)) < 500 for e in service.history(ask.History(ref="")).items)


def test_a_refusal_that_cannot_be_written_down_is_still_one(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Changes) -> None:
        raise StorageFull("no space left")

    monkeypatch.setattr(service.store, "commit", full)
    service.access.tell_denied(BOB, Action.READ, "get_version", "x")


# --- what a reference is about ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "stage"),
    [
        ("fraud", ModelStage.STAGING),
        ("FRAUD", ModelStage.STAGING),
        ("fraud#1", ModelStage.STAGING),
        ("fraud:0.1.0", ModelStage.STAGING),
        ("fraud@staging", ModelStage.STAGING),
        ("fraud#9", None),
        ("fraud@champion", None),
        ("empty", None),
    ],
)
def test_a_reference_is_about_a_model_as_it_is_stored(
    service: LocalService, ref: str, stage: ModelStage | None
) -> None:
    version(service)
    service.promote(ask.Promote(ref="fraud#1", target=ModelStage.STAGING))
    gone = version(service, "empty")
    service.delete(ask.Delete(ref=gone))
    found = service.access.subject(ref)
    assert found == Subject(model="empty" if ref == "empty" else "fraud", stage=stage)


def test_a_deleted_version_is_still_about_its_model(service: LocalService) -> None:
    gone = version(service)
    service.delete(ask.Delete(ref=gone))
    assert service.access.subject(gone) == Subject(model="fraud", stage=ModelStage.DEVELOPMENT)


@pytest.mark.parametrize("ref", ["nothing", "nothing#1", "0" * 26, "sha256:" + "0" * 64, "", "@", "a:b:c"])
def test_what_names_nothing_is_about_nothing(service: LocalService, ref: str) -> None:
    version(service)
    assert service.access.subject(ref) is None


def test_an_experiment_is_about_its_model(service: LocalService) -> None:
    version(service)
    version(service)
    began = service.begin_experiment(ask.BeginExperiment(model="fraud", variants={"A": "#1", "B": "#2"}))
    assert service.access.subject_of_experiment(began.experiment_id) == Subject(model="fraud")
    assert service.access.subject_of_experiment("nothing") is None


# --- who sent which bytes --------------------------------------------------------------------------------------------


def test_who_sent_bytes_has_them_for_a_day(service: LocalService, clock: SettableClock) -> None:
    digest = service.put_blob([b"x"]).digest
    assert not service.access.uploaded(BOB.actor, digest)
    service.access.note_upload(BOB.actor, digest)
    assert service.access.uploaded(BOB.actor, digest)
    assert not service.access.uploaded(Actor(name="bob", kind="service"), digest)
    assert not service.access.uploaded(Actor(name="eve"), digest)
    clock.advance(days=1, seconds=1)
    assert not service.access.uploaded(BOB.actor, digest)
    service.access.note_upload(BOB.actor, digest)
    assert service.access.uploaded(BOB.actor, digest)


def test_no_idempotency_key_makes_anybody_the_sender_of_bytes(service: LocalService) -> None:
    info = service.put_blob([b"x"])
    entry = FileEntry(path="m", size=info.size, digest=info.digest)
    as_bob = service.as_actor(BOB.actor)
    for key in (info.digest, f"upload:{info.digest}"):
        as_bob.create_version(ask.CreateVersion(name="m" + key[-3:], files=(entry,), idempotency_key=key))
    assert not service.access.uploaded(BOB.actor, info.digest)
