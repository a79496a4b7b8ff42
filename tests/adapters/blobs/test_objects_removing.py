"""Removing an object while others change it: what is overtaken is done again, everything else is told at once."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from modelyard.adapters.blobs import object_removing
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_removing import TRIES, removing
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.domain.errors import StorageError

PLACE = Place(kind="s3", bucket="models")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Nobody to step out of the way of."""
    monkeypatch.setattr(object_removing, "PAUSE", 0)


def failing(times, code):
    """A request that fails so often, and the list of its tries."""
    from obstore.exceptions import GenericError

    tries = []

    def request():
        tries.append(len(tries))
        if len(tries) <= times:
            raise GenericError(f"DeleteObjects request failed for key k: no reason (code: {code})")

    return request, tries


@pytest.mark.parametrize("times", [0, 1, TRIES - 1])
def test_a_removal_that_was_overtaken_is_made_again(times):
    request, tries = failing(times, "UnknownError")
    removing(PLACE, request)
    assert len(tries) == times + 1


def test_one_that_is_overtaken_for_ever_is_given_up():
    request, tries = failing(10**6, "UnknownError")
    with pytest.raises(StorageError, match="removing from the store failed"):
        removing(PLACE, request)
    assert len(tries) == TRIES


def test_another_refusal_is_told_at_once():
    request, tries = failing(1, "AccessDenied")
    with pytest.raises(StorageError, match="AccessDenied"):
        removing(PLACE, request)
    assert len(tries) == 1


def test_what_is_not_there_is_said_to_be_that():
    def request():
        raise FileNotFoundError("no such object")

    with pytest.raises(FileNotFoundError):
        removing(PLACE, request)


@pytest.mark.parametrize("kind", ["seaweedfs", "ceph"])
def test_whoever_removes_what_others_store_and_remove_is_answered(kind, request, monkeypatch):
    monkeypatch.undo()
    store = ObjectBlobs(replace(request.getfixturevalue(kind), prefix=uuid.uuid4().hex))
    stored = store.put((b"bytes",))
    together = threading.Barrier(4)

    def work(number):
        together.wait()
        for _ in range(60):
            if number % 2:
                store.put((b"bytes",))
            else:
                store.delete(stored.digest)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    store.delete(stored.digest)
    assert store.stat(stored.digest) is None
