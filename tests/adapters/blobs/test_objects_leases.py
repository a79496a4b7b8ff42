"""One collector at a time on a bucket, whoever dies, stalls or loses an answer; and what a sweep may take."""

from __future__ import annotations

import hashlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import obstore
import pytest

from modelyard.adapters.blobs import objectstore
from modelyard.adapters.blobs.object_lease import BEATS, FOLDER
from modelyard.adapters.blobs.object_leftovers import Leftovers
from modelyard.adapters.blobs.object_place import connect
from modelyard.adapters.blobs.object_requests import Requests, tag
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.domain.errors import Conflict, InvalidInput, StorageError

LIFE = 1.2
DATA = hashlib.shake_256(b"data").digest(9 << 20)


@pytest.fixture(params=["seaweedfs", "ceph"])
def place(request):
    return replace(request.getfixturevalue(request.param), prefix=uuid.uuid4().hex)


@pytest.fixture
def one(place):
    return ObjectBlobs(place, life=LIFE)


@pytest.fixture
def two(place):
    """The same place in another process, as far as the lease can tell."""
    return ObjectBlobs(place, life=LIFE)


def numbers(store):
    return sorted(meta["path"] for page in obstore.list(store.client, FOLDER) for meta in page)


def test_another_process_is_kept_out_as_long_as_the_holder_lives(one, two):
    with one.collecting():
        for _ in range(3):
            with pytest.raises(Conflict, match="collection is running"):
                two.collecting().__enter__()
    with two.collecting(), pytest.raises(Conflict):
        one.collecting().__enter__()


def test_of_many_that_try_at_once_exactly_one_gets_in(place):
    together, inside, most = threading.Barrier(6), [0], [0]
    done = threading.Event()

    def attempt(_):
        store = ObjectBlobs(place, life=LIFE)
        together.wait()
        try:
            with store.collecting():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                done.wait(LIFE / 2)
                inside[0] -= 1
        except Conflict:
            return 0
        return 1

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1
    assert most == [1]


def test_a_holder_that_was_overtaken_removes_nothing_more(one, two, monkeypatch):
    stored = one.put((b"bytes",))
    with one.collecting():
        one.lease._renewed -= LIFE / 2  # It could not write for that long.
        monkeypatch.setattr(one.lease, "_lost", True)
        with pytest.raises(StorageError, match="collect again"):
            one.delete(stored.digest)
    assert two.stat(stored.digest) == stored
    one.delete(stored.digest)  # Outside of a collection nobody is asked.
    assert two.stat(stored.digest) is None


def test_a_holder_notices_a_higher_number_than_its_own(one):
    with one.collecting():
        obstore.put(one.client, f"{FOLDER}/{999:012d}", b"somebody")
        wait = threading.Event()
        for _ in range(100):
            if one.lease._lost:
                break
            wait.wait(LIFE / BEATS)
        with pytest.raises(StorageError):
            one.delete("sha256:" + "0" * 64)
    assert bytes(obstore.get(one.client, f"{FOLDER}/{999:012d}").bytes()) == b"somebody"


def test_old_numbers_do_not_pile_up_and_the_last_one_stays(one, two):
    for _ in range(6):
        with one.collecting():
            pass
        with two.collecting():
            pass
    kept = numbers(one)
    assert len(kept) <= 5
    assert kept[-1] == f"{FOLDER}/{12:012d}"


def test_a_late_creation_below_the_highest_number_is_no_right(one, two, monkeypatch):
    """Whoever looked long ago may still create a number that was removed since."""
    for _ in range(6):
        with two.collecting():
            pass
    monkeypatch.setattr(one.lease, "_highest", iter([None, two.lease._highest()]).__next__)
    with pytest.raises(Conflict):
        one.collecting().__enter__()


def abandoned(place, key):
    """A multipart upload with one empty part and no end, by our own requests."""
    requests, full = Requests(place), f"{place.prefix}/{key}"
    upload = tag("UploadId", requests.ask("leaving an upload", "POST", full, {"uploads": ""}))
    requests.ask("leaving a part", "PUT", full, {"partNumber": "1", "uploadId": upload})


def days_later(monkeypatch, days):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr(objectstore, "datetime", Later)


def test_the_sweep_takes_what_was_abandoned_and_leaves_what_may_be_going_on(one, place, monkeypatch):
    obstore.put(one.client, "tmp/somebody", b"12345")
    stored = one.put((DATA,))
    abandoned(place, "blobs/sha256/00/" + "0" * 64)
    assert one.sweep(older_than_seconds=0) == 0
    assert len(list(Leftovers(place).below(""))) == 1
    days_later(monkeypatch, 1)
    assert one.sweep(older_than_seconds=7 * 86_400) == 0
    assert one.sweep(older_than_seconds=3600) == 5
    assert list(Leftovers(place).below("")) == []
    assert list(one.list()) == [stored]


def test_the_sweep_of_many_temporary_objects_goes_by_batches(one, azurite, monkeypatch):
    for store in (one, ObjectBlobs(replace(azurite, prefix=uuid.uuid4().hex))):
        for number in range(30):
            obstore.put(store.client, f"tmp/{number}", b"12345")
        days_later(monkeypatch, 1)
        assert store.sweep(older_than_seconds=0) == 150
        assert list(store._objects("tmp")) == []
        store.remove(["tmp/0", "tmp/never-was"])


def test_a_prefix_of_somebody_else_is_never_touched(one, place, monkeypatch):
    other = replace(place, prefix=place.prefix + "x")
    obstore.put(connect(other), "tmp/theirs", b"12345")
    abandoned(other, "blobs/sha256/00/" + "0" * 64)
    days_later(monkeypatch, 1)
    assert one.sweep(older_than_seconds=0) == 0
    assert len(list(Leftovers(other).below(""))) == 1
    assert list(one.list()) == []


def test_a_server_named_by_the_environment_is_used_for_everything(one, place, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", place.endpoint + "/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", place.secrets["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", place.secrets["secret_access_key"])
    other = ObjectBlobs(replace(place, endpoint=None, secrets={}))
    stored = other.put((DATA,), expect="sha256:" + hashlib.sha256(DATA).hexdigest())
    abandoned(other.place, "tmp/x")
    days_later(monkeypatch, 1)
    other.sweep(older_than_seconds=0)
    assert list(Leftovers(place).below("")) == []
    assert list(one.list()) == [stored]


def test_what_is_quarantined_is_kept_aside(one):
    stored = one.put((b"bytes",))
    one.quarantine(stored.digest)
    aside = list(one._objects("quarantine"))
    assert [meta["size"] for meta in aside] == [5]
    assert stored.digest.removeprefix("sha256:") in aside[0]["path"]


def test_a_copy_too_large_for_the_store_goes_through_here(one, monkeypatch):
    from modelyard.adapters.blobs import object_uploading

    monkeypatch.setattr(object_uploading, "COPIED_WHOLE", 1)
    stored = one.put((DATA, DATA))  # of unknown digest, so copied from tmp/
    one.verify(stored.digest, cached=False)
    one.quarantine(stored.digest)
    assert [meta["size"] for meta in one._objects("quarantine")] == [len(DATA) * 2]


def test_bytes_of_one_store_flow_into_another(one, azurite):
    """Reading from a client inside another upload of it is what a migration does."""
    stored = one.put((DATA,))
    for target in (ObjectBlobs(replace(one.place, prefix=uuid.uuid4().hex)), ObjectBlobs(azurite)):
        assert target.put(one.open(stored.digest), expect=stored.digest).size == len(DATA)
        target.verify(stored.digest, cached=False)


def test_a_file_is_sent_once_and_known_afterwards(one, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(DATA)
    stored = one.put_file(tmp_path / "file")
    monkeypatch.setattr(one._uploading, "in_parts", lambda *_, **__: pytest.fail("sent again"))
    monkeypatch.setattr(one._uploading, "whole", lambda *_: pytest.fail("sent again"))
    assert one.put_file(tmp_path / "file") == stored
    assert one.put((DATA,), expect=stored.digest) == stored
    with pytest.raises(InvalidInput):
        one.put_file(tmp_path)
