"""Quotas: what there is room for, exactly, and what those who are refused are told (A57)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import QuotaExceeded
from modelyard.domain.quota import Quotas
from modelyard.domain.records import Actor, FileEntry, Registry
from modelyard.ports.metadata import Changes, Put
from modelyard.ports.service import Collect, CreateVersion, CreateVersions, Delete, Search
from modelyard.scanning.scanner import TracingScanner
from modelyard.service import quota
from modelyard.service.local import LocalService

from .shelf import make


@pytest.fixture
def limited(clock, tmp_path):
    """Makes a service with quotas."""
    stores = []

    def made(**given):
        store = SqlMetadata(tmp_path / "registry.db")
        stores.append(store)
        store.migrate()
        record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
        store.commit(Changes(puts=(Put(record=record, expected=0),)))
        blobs = MemoryBlobs(), MemoryBlobs()
        quotas = Quotas(**given)
        return LocalService(
            store, *blobs, clock=clock, scanner=TracingScanner(), actor=Actor(name="ann"), quotas=quotas
        )

    yield made
    for store in stores:
        store.close()


def refused(service, *given, name="fraud"):
    """What a registration is told, which must leave nothing behind."""
    before = service.search(Search(limit=1000)), service.store.events(0, 1000)
    with pytest.raises(QuotaExceeded) as caught:
        make(service, *given, name=name)
    assert (service.search(Search(limit=1000)), service.store.events(0, 1000)) == before
    return caught.value


def test_without_quotas_nothing_is_counted(service, monkeypatch):
    monkeypatch.setattr(quota, "_sum", None)
    make(service, b"1")
    service.access.require_room()


def test_a_model_has_so_many_versions_and_deleting_one_makes_room(limited):
    service = limited(versions_per_model=2)
    first = make(service)
    make(service)
    make(service, name="other")
    error = refused(service)
    assert error.data == {"quota": "versions_per_model", "limit": 2, "found": 3}
    assert "versions of 'fraud' would be 3" in error.detail
    assert "gc" in error.detail
    service.delete(Delete(ref=first.model_id))
    make(service)
    refused(service)


def test_a_repeated_registration_needs_no_room(limited):
    service = limited(versions_per_model=1, models=1)
    first = make(service, version="1.0.0", idempotency_key="k")
    assert make(service, version="1.0.0") == first
    assert make(service, version="1.0.0", idempotency_key="k") == first


def test_a_model_has_so_many_bytes_each_version_counted_whole(limited):
    service = limited(bytes_per_model=20)
    make(service, b"0123456789")
    make(service, b"0123456789")
    assert refused(service, b"1").data == {"quota": "bytes_per_model", "limit": 20, "found": 21}
    make(service)
    make(service, b"1", name="other")


def test_a_namespace_has_so_many_bytes_and_others_have_their_own(limited):
    service = limited(bytes_per_namespace=20)
    make(service, b"0123456789", name="risk/a")
    make(service, b"0123456789", name="Risk/b")
    error = refused(service, b"1", name="risk/c")
    assert error.data == {"quota": "bytes_per_namespace", "limit": 20, "found": 21}
    make(service, b"0123456789", name="risky/a")
    for _ in range(3):
        make(service, b"0123456789", name="risk")


def test_a_registry_has_so_many_models(limited):
    service = limited(models=1)
    make(service)
    make(service)
    assert refused(service, name="other").data == {"quota": "models", "limit": 1, "found": 2}


def test_a_registry_stores_so_many_bytes_equal_ones_once(limited):
    service = limited(bytes_stored=20)
    first = make(service, b"0123456789")
    make(service, b"0123456789")
    make(service, b"abcdefghij")
    assert refused(service, b"1").data == {"quota": "bytes_stored", "limit": 20, "found": 21}
    make(service, b"abcdefghij", name="other")
    service.delete(Delete(ref=first.model_id))
    service.delete(Delete(ref="fraud#2"))
    refused(service, b"1")
    service.collect(Collect(dry_run=False, grace_days=0))
    make(service, b"1")


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "as a batch"])
def test_bytes_that_were_collected_count_as_new_ones_when_they_come_back(limited, together):
    service = limited(bytes_stored=20)
    for data in (b"0123456789", b"abcdefghij"):
        service.delete(Delete(ref=make(service, data).model_id))
    service.collect(Collect(dry_run=False, grace_days=0))
    make(service, b"other bytes")
    with pytest.raises(QuotaExceeded) as caught:
        batch(service, ("fraud", b"0123456789")) if together else make(service, b"0123456789")
    assert caught.value.data.items() >= {"limit": 20, "found": 21}.items()


def test_collected_bytes_that_come_back_count_for_the_rest_of_their_batch(limited):
    service = limited(bytes_stored=20)
    service.delete(Delete(ref=make(service, b"0123456789").model_id))
    service.collect(Collect(dry_run=False, grace_days=0))
    with pytest.raises(QuotaExceeded, match="entry 3"):
        batch(service, ("fraud", b"0123456789"), ("fraud", b"abcdefghij"), ("fraud", b"1"))
    assert len(batch(service, ("fraud", b"0123456789"), ("other", b"0123456789"))) == 2


@pytest.mark.parametrize(
    "quotas",
    [{"versions_per_model": 1}, {"bytes_per_model": 10}, {"bytes_per_namespace": 10}],
    ids=lambda given: next(iter(given)),
)
def test_a_version_whose_place_was_taken_does_not_come_back_beside_the_other(limited, quotas):
    service = limited(**quotas)
    hidden = make(service, b"0123456789", name="risk/a")
    service.delete(Delete(ref=hidden.model_id))
    taken = make(service, b"abcdefghij", name="risk/a")
    before = service.store.events(0, 1000)
    with pytest.raises(QuotaExceeded) as caught:
        service.undelete(hidden.model_id)
    assert caught.value.data["quota"] == next(iter(quotas))
    assert service.store.events(0, 1000) == before
    service.delete(Delete(ref=taken.model_id))
    assert not service.undelete(hidden.model_id).deleted


def test_what_adds_no_bytes_is_not_held_to_how_many_are_stored(limited):
    service = limited(bytes_stored=10)
    hidden = make(service, b"0123456789")
    service.delete(Delete(ref=hidden.model_id))
    service.quotas = Quotas(bytes_stored=5)
    assert not service.undelete(hidden.model_id).deleted
    make(service, b"0123456789", name="other")
    refused(service, b"1")


def test_bytes_are_not_even_taken_while_there_is_no_room_for_any(limited, monkeypatch):
    service = limited(bytes_stored=10)
    service.access.require_room()
    make(service, b"0123456789")
    service.access.require_room()
    monkeypatch.setattr(quota, "COUNTED_ANEW", 0.0)
    with pytest.raises(QuotaExceeded, match="bytes_stored allows 10"):
        service.access.require_room()


def test_whoever_acts_is_held_to_the_same_quotas(limited):
    service = limited(versions_per_model=1)
    make(service)
    other = service.as_actor(Actor(name="bob"))
    assert other.quotas == service.quotas == replace(Quotas(), versions_per_model=1)
    refused(other)


def batch(service, *given):
    entries = []
    for name, data in given:
        info = service.put_blob([data])
        files = (FileEntry(path="m", size=info.size, digest=info.digest),)
        entries.append(CreateVersion(name=name, files=files))
    return service.create_versions(CreateVersions(versions=tuple(entries)))


@pytest.mark.parametrize(
    ("quotas", "third"),
    [
        ({"versions_per_model": 2}, ("risk/a", b"0123456789")),
        ({"bytes_per_model": 20}, ("risk/a", b"0123456789")),
        ({"bytes_per_namespace": 20}, ("risk/b", b"0123456789")),
        ({"bytes_stored": 10}, ("other", b"1")),
        ({"models": 1}, ("other", b"0123456789")),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_entries_of_one_batch_count_for_those_after_them(limited, quotas, third):
    service = limited(**quotas)
    two = [("risk/a", b"0123456789")] * 2
    with pytest.raises(QuotaExceeded, match="entry 3"):
        batch(service, *two, third)
    assert service.search(Search()).items == ()
    assert len(batch(service, *two)) == 2
