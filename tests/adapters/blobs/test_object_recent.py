"""What is remembered of small blobs just stored, and when the store's own answer is proof enough."""

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters.blobs import object_uploading
from modelyard.adapters.blobs.object_recent import RecentObjects
from modelyard.adapters.blobs.object_uploading import PROVEN, proves


def test_bytes_are_found_until_they_are_forgotten():
    recent = RecentObjects()
    recent.record("a", b"one")
    recent.record("a", b"one")
    assert recent.find("a") == b"one"
    recent.forget("a")
    recent.forget("a")
    assert recent.find("a") is None


@pytest.mark.parametrize("clock", ["time", "monotonic"])
def test_one_clock_that_says_too_long_ago_is_enough(clock, monkeypatch):
    recent = RecentObjects(seconds=60)
    recent.record("a", b"one")
    now = getattr(time, clock)()
    monkeypatch.setattr(time, clock, lambda: now + 3600)
    assert recent.find("a") is None
    monkeypatch.undo()
    assert recent.find("a") is None


def test_a_clock_that_was_set_back_is_not_believed(monkeypatch):
    recent = RecentObjects()
    recent.record("a", b"one")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert recent.find("a") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=40)), max_size=30))
def test_no_more_is_held_than_the_limit_and_the_newest_stays(stored):
    recent = RecentObjects(most=64)
    for name, data in stored:
        recent.record(name, data)
        assert recent.find(name) == data
        held = [found for each in "abcdef" if (found := recent.find(each)) is not None]
        assert sum(map(len, held)) <= 64


def test_what_is_larger_than_the_limit_is_not_held():
    recent = RecentObjects(most=3)
    recent.record("a", b"four")
    assert recent.find("a") is None


@given(st.binary(max_size=200))
def test_an_etag_that_is_the_md5_of_the_bytes_proves_them_and_no_other_does(data):
    right = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert proves(f'"{right}"', data)
    assert proves(right, data)
    assert not proves(right, data + b"x")
    assert not proves(f"{right}-1", data)
    assert not proves(None, data)


def test_nothing_is_proven_where_asking_the_store_is_quicker_or_md5_is_forbidden(monkeypatch):
    data = bytes(PROVEN + 1)
    assert not proves(hashlib.md5(data, usedforsecurity=False).hexdigest(), data)

    def forbidden(*_, **__):
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr(object_uploading.hashlib, "md5", forbidden)
    assert not proves("d41d8cd98f00b204e9800998ecf8427e", b"")
