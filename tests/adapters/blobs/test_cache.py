"""A cache with a limit: what was used last stays."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

from modelyard.adapters.blobs.cache import IN_USE, USED, CachedBlobs
from modelyard.adapters.blobs.uploads.local import LocalUploads
from modelyard.domain.errors import InvalidConfig
from modelyard.settings import load

KIB = 1024


def blob(number):
    return bytes([number]) * 100 * KIB


def digest(number):
    return f"sha256:{hashlib.sha256(blob(number)).hexdigest()}"


def used_before(cache, number, seconds):
    """Pretend that the last use of a blob is that long ago."""
    then = time.time() - seconds
    os.utime(cache.root / USED / digest(number)[7:], (then, then))


@pytest.fixture
def cache(tmp_path):
    cache = CachedBlobs(tmp_path, limit=300 * KIB)
    for number in range(3):
        cache.put((blob(number),))
        used_before(cache, number, IN_USE * (10 - number))
    return cache


def here(cache):
    return {number for number in range(9) if cache.stat(digest(number))}


def test_what_was_not_used_for_the_longest_time_makes_room(cache):
    cache.put((blob(3),))
    assert here(cache) == {1, 2, 3}


@pytest.mark.parametrize(
    "use",
    [
        lambda cache, tmp: list(cache.open(digest(0))),
        lambda cache, tmp: cache.verify(digest(0)),
        lambda cache, tmp: cache.materialise(digest(0), tmp / "copy"),
    ],
)
def test_any_use_counts(cache, tmp_path, use):
    use(cache, tmp_path)
    cache.put((blob(3),))
    assert here(cache) == {0, 2, 3}


def test_what_may_be_in_use_stays_even_over_the_limit(cache):
    for number in (3, 4, 5, 6):
        cache.put((blob(number),))
    assert here(cache) == {3, 4, 5, 6}


def test_a_finished_download_makes_room_too(cache):
    uploads = LocalUploads(cache, notes=False)
    upload = uploads.begin("x").upload
    uploads.append("x", upload, 0, (blob(3),))
    uploads.finish("x", upload, digest(3))
    assert here(cache) == {1, 2, 3}
    assert list((cache.root / "tmp").iterdir()) == []


def test_a_use_does_not_make_the_bytes_unverified(cache, tmp_path):
    cache.verify(digest(2))
    cache.materialise(digest(2), tmp_path / "copy")
    assert cache._unchanged_since_verified(digest(2)[7:])


def test_room_is_made_without_marks_of_use_as_well(cache):
    for mark in (cache.root / USED).iterdir():
        mark.unlink()
    old = time.time() - 2 * IN_USE
    for number in range(3):
        os.utime(cache.location(digest(number)), (old, old))
    cache.limit = 100 * KIB
    assert cache.make_room() == 200 * KIB


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ("", 50 * 2**30),
        ("0", 0),
        ("1000", 1000),
        ("20GiB", 20 * 2**30),
        ("500MB", 500 * 10**6),
        ("1 k", 1000),
    ],
)
def test_the_limit_is_set_by_the_environment(monkeypatch, given, limit):
    monkeypatch.setenv("MODELYARD_CACHE_LIMIT", given)
    assert load().cache.limit == limit


@pytest.mark.parametrize("given", ["much", "-1", "1.5GB", "1e9", "٣"])
def test_a_limit_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("MODELYARD_CACHE_LIMIT", given)
    with pytest.raises(InvalidConfig, match="MODELYARD_CACHE_LIMIT"):
        load()
