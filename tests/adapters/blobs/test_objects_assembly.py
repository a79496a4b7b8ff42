"""Uploads whose pieces the store puts together by itself: the very bytes that were hashed, or none."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import obstore
import pytest

from modelyard.adapters.blobs.object_assembly import LEAST, Assembly, Part
from modelyard.adapters.blobs.object_leftovers import Leftovers
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.uploads.objects import ObjectUploads
from modelyard.domain.errors import BlobDamaged, StorageError

DATA = hashlib.shake_128(b"pieces").digest(2 * LEAST + 1000)
PUT_TOGETHER = '-3"'
"""How the ETag of an object of three parts ends; read and stored again, these bytes have two of 8 MiB."""


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(params=["seaweedfs", "ceph"])
def store(request):
    place = request.getfixturevalue(request.param)
    return ObjectBlobs(replace(place, prefix=uuid.uuid4().hex))


@pytest.fixture
def uploads(store):
    return ObjectUploads(store, piece=LEAST)


def arrived(uploads, *chunks):
    upload = uploads.begin("ann").upload
    at = 0
    for chunk in chunks:
        at = uploads.append("ann", upload, at, (chunk[:7], chunk[7:])).size
    return upload


def e_tag(store):
    return obstore.head(store.client, store.key(digest(DATA)))["e_tag"]


def test_pieces_of_two_calls_become_one_blob(store, uploads):
    upload = arrived(uploads, DATA[:LEAST], DATA[LEAST:])
    info = uploads.finish("ann", upload, digest(DATA))
    assert info.size == len(DATA)
    assert b"".join(store.open(info.digest)) == DATA


def test_they_are_put_together_inside_the_store(seaweedfs):
    store = ObjectBlobs(replace(seaweedfs, prefix=uuid.uuid4().hex))
    uploads = ObjectUploads(store, piece=LEAST)
    uploads.finish("ann", arrived(uploads, DATA[:LEAST], DATA[LEAST:]), digest(DATA))
    assert e_tag(store).endswith(PUT_TOGETHER)
    store.verify(digest(DATA), cached=False)


def test_a_store_that_heeds_no_conditions_is_not_trusted_with_it(ceph):
    store = ObjectBlobs(replace(ceph, prefix=uuid.uuid4().hex))
    one = Part(key="one", size=LEAST, e_tag=obstore.put(store.client, "one", DATA[:LEAST])["e_tag"])
    with pytest.raises(StorageError, match="expected a copy on a false condition to be refused"):
        Assembly(store.place).assemble("whole", [one, one])


def test_another_process_reads_what_it_did_not_hash_itself(store, uploads):
    upload = arrived(uploads, DATA[:LEAST])
    other = ObjectUploads(store, piece=LEAST)
    other.append("ann", upload, LEAST, (DATA[LEAST:],))
    assert other.finish("ann", upload, digest(DATA)).size == len(DATA)
    assert not e_tag(store).endswith(PUT_TOGETHER)
    assert b"".join(store.open(digest(DATA))) == DATA


def test_who_hashed_only_the_beginning_reads_it_all(store, uploads):
    upload = arrived(uploads, DATA[:LEAST])
    ObjectUploads(store, piece=LEAST).append("ann", upload, LEAST, (DATA[LEAST:],))
    assert uploads.finish("ann", upload, digest(DATA)).size == len(DATA)
    assert b"".join(store.open(digest(DATA))) == DATA


def test_pieces_that_are_too_small_for_a_part_are_read(store, uploads):
    upload = arrived(uploads, DATA[:1000], DATA[1000:])
    assert uploads.finish("ann", upload, digest(DATA)).size == len(DATA)
    assert b"".join(store.open(digest(DATA))) == DATA


def test_a_piece_that_was_changed_in_the_bucket_is_found(store, uploads):
    upload = arrived(uploads, DATA)
    piece = next(
        meta["path"]
        for page in obstore.list(store.client, "uploads")
        for meta in page
        if meta["path"].endswith(f"part-{LEAST:020d}")
    )
    obstore.put(store.client, piece, bytes(LEAST))
    with pytest.raises(BlobDamaged):
        uploads.finish("ann", upload, digest(DATA))
    assert store.stat(digest(DATA)) is None


def test_another_digest_puts_nothing_together(store, uploads):
    upload = arrived(uploads, DATA)
    with pytest.raises(BlobDamaged):
        uploads.finish("ann", upload, digest(b"other"))
    assert list(store.list()) == []


def test_after_a_break_the_rest_is_sent_and_all_of_it_is_right(store, uploads):
    def breaking():
        yield DATA[: LEAST + 500]
        raise ConnectionError("gone")

    upload = uploads.begin("ann").upload
    with pytest.raises(ConnectionError):
        uploads.append("ann", upload, 0, breaking())
    assert uploads.find("ann", upload).size == LEAST + 500
    uploads.append("ann", upload, LEAST + 500, (DATA[LEAST + 500 :],))
    uploads.finish("ann", upload, digest(DATA))
    assert b"".join(store.open(digest(DATA))) == DATA


def test_a_part_that_is_missing_or_another_object_leaves_nothing_behind(store):
    first = obstore.put(store.client, "one", DATA[:LEAST])["e_tag"]
    one = Part(key="one", size=LEAST, e_tag=first)
    for second in (
        Part(key="nothing", size=5, e_tag=first),
        Part(key="one", size=LEAST, e_tag='"0123456789abcdef0123456789abcdef"'),
    ):
        with pytest.raises(StorageError):
            Assembly(store.place).assemble("whole", [one, second])
    assert not [meta for page in obstore.list(store.client, "whole") for meta in page]
    assert list(Leftovers(store.place).below("whole")) == []


def test_only_stores_that_know_how_and_parts_that_fit_are_put_together():
    s3 = Place(kind="s3", bucket="b", secrets={"access_key_id": "k", "secret_access_key": "s"})
    large, small = Part(key="a", size=LEAST, e_tag='"x"'), Part(key="b", size=1, e_tag='"x"')
    assert Assembly(s3).is_possible([large, small])
    assert not Assembly(replace(s3, kind="gcs")).is_possible([large, small])
    assert not Assembly(s3).is_possible([small, large])
    assert not Assembly(s3).is_possible([large])
    assert not Assembly(s3).is_possible([large, Part(key="b", size=1, e_tag="")])
    assert not Assembly(s3).is_possible([large] * 10_001)
