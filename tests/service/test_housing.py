"""A registry whose bytes are kept in places of their own for some models."""

from __future__ import annotations

import logging

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.rooms import Rooms
from modelyard.domain.errors import StorageError
from modelyard.ports.service import Check, Collect, Delete

from .shelf import WEIGHTS, make

NOW = Collect(dry_run=False, grace_days=0)


@pytest.fixture
def housed(service):
    """The service, with a room for ``risk/*``."""
    service.blobs = Rooms(service.blobs, [("risk/*", MemoryBlobs())])
    return service


def where(service, digest):
    return [store.stat(digest) is not None for store in service.blobs.stores]


def test_a_registered_version_has_its_bytes_in_its_models_place_and_soon_only_there(housed):
    digest = make(housed, WEIGHTS, name="risk/a").files[0].digest
    assert where(housed, digest) == [True, True]
    collected = housed.collect(NOW)
    assert (collected.blobs, collected.freed) == ((), 0)
    assert where(housed, digest) == [False, True]
    assert b"".join(housed.open_blob(digest)) == WEIGHTS
    assert housed.check(Check(deep=True), None).findings == ()


def test_equal_bytes_of_two_places_are_kept_in_both_until_one_lets_go(housed):
    digest = make(housed, WEIGHTS, name="risk/a").files[0].digest
    other = make(housed, WEIGHTS, name="fraud")
    housed.collect(NOW)
    assert where(housed, digest) == [True, True]
    housed.delete(Delete(ref=other.model_id))
    housed.collect(NOW)
    assert where(housed, digest) == [False, True]
    housed.delete(Delete(ref="risk/a:0.1.0"))
    assert housed.collect(NOW).blobs == (digest,)
    assert where(housed, digest) == [False, False]


def test_a_place_that_fails_delays_the_copy_and_not_the_registration(housed, caplog, monkeypatch):
    room = housed.blobs.stores[1]

    def full(*_, **__):
        raise StorageError("the bucket is full")

    with monkeypatch.context() as failing, caplog.at_level(logging.WARNING):
        failing.setattr(room, "put", full)
        made = make(housed, WEIGHTS, name="risk/a")
        housed.collect(NOW)
    assert "not yet where they belong: the bucket is full" in caplog.text
    assert "collect again: the bucket is full" in caplog.text
    assert where(housed, made.files[0].digest) == [True, False]
    assert b"".join(housed.open_blob(made.files[0].digest)) == WEIGHTS
    housed.collect(NOW)
    assert where(housed, made.files[0].digest) == [False, True]


def test_a_preview_moves_nothing(housed):
    digest = make(housed, WEIGHTS, name="risk/a").files[0].digest
    housed.collect(Collect(grace_days=0))
    assert where(housed, digest) == [True, True]
