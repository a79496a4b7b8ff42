"""Uploads in pieces, into a folder, into memory and into an object store: the same rules for all."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.uploads.local import LocalUploads
from modelyard.adapters.blobs.uploads.memory import MemoryUploads
from modelyard.adapters.blobs.uploads.objects import ObjectUploads
from modelyard.domain.errors import BlobDamaged, Conflict, InvalidInput, NotFound, RateLimited

DATA = bytes(range(256)) * 9000  # over two MiB, so that digests are taken in several steps


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(params=["local", "memory", "seaweedfs", "ceph"])
def store(request, tmp_path):
    if request.param == "local":
        return LocalBlobs(tmp_path / "registry")
    if request.param in ("seaweedfs", "ceph"):
        place = request.getfixturevalue(request.param)
        return ObjectBlobs(replace(place, prefix=uuid.uuid4().hex), small=1 << 20)
    return MemoryBlobs()


def uploads_into(store, **more):
    if isinstance(store, LocalBlobs):
        return LocalUploads(store, **more)
    if isinstance(store, ObjectBlobs):
        return ObjectUploads(store, piece=1 << 20, **more)
    return MemoryUploads(store, **more)


@pytest.fixture
def uploads(store):
    return uploads_into(store)


class TestGoingOn:
    def test_pieces_become_one_blob(self, store, uploads):
        upload = uploads.begin("ann").upload
        assert uploads.append("ann", upload, 0, (DATA[:10], DATA[10:1_500_000])).size == 1_500_000
        assert uploads.append("ann", upload, 1_500_000, (DATA[1_500_000:],)).size == len(DATA)
        info = uploads.finish("ann", upload, digest(DATA))
        assert (info.digest, info.size) == (digest(DATA), len(DATA))
        assert b"".join(store.open(info.digest)) == DATA

    def test_an_empty_upload_is_the_empty_blob(self, store, uploads):
        upload = uploads.begin("ann").upload
        assert uploads.finish("ann", upload, digest(b"")).size == 0
        assert store.stat(digest(b"")) is not None

    def test_nothing_is_visible_before_the_end(self, store, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        assert list(store.list()) == []

    @pytest.mark.parametrize("offset", [0, 4, 6, 10**12])
    def test_any_other_offset_is_refused_and_the_right_one_told(self, uploads, offset):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (b"12345",))
        with pytest.raises(Conflict) as refusal:
            uploads.append("ann", upload, offset, (b"x",))
        assert refusal.value.data["offset"] == 5
        assert uploads.find("ann", upload).size == 5

    def test_what_came_before_a_break_stays(self, uploads):
        def breaking():
            yield DATA[:1000]
            raise ConnectionError("gone")

        upload = uploads.begin("ann").upload
        with pytest.raises(ConnectionError):
            uploads.append("ann", upload, 0, breaking())
        kept = uploads.find("ann", upload).size
        uploads.append("ann", upload, kept, (DATA[kept:],))
        assert uploads.finish("ann", upload, digest(DATA)).size == len(DATA)

    def test_only_one_call_writes_at_a_time(self, uploads):
        upload = uploads.begin("ann").upload
        begun, go = threading.Event(), threading.Event()

        def slow():
            yield b"a"
            begun.set()
            go.wait(10)
            yield b"b"

        writer = threading.Thread(target=uploads.append, args=("ann", upload, 0, slow()))
        writer.start()
        begun.wait(10)
        for refused in (
            lambda: uploads.append("ann", upload, 1, (b"x",)),
            lambda: uploads.finish("ann", upload, digest(b"a")),
            lambda: uploads.abort("ann", upload),
        ):
            with pytest.raises(Conflict):
                refused()
        assert uploads.sweep(older_than_seconds=0) == 0
        go.set()
        writer.join()
        assert uploads.finish("ann", upload, digest(b"ab")).size == 2

    def test_bytes_that_are_there_already_are_not_stored_twice(self, store, uploads):
        store.put((DATA,))
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        assert uploads.finish("ann", upload, digest(DATA)).size == len(DATA)
        assert [info.digest for info in store.list()] == [digest(DATA)]

    @given(cuts=st.lists(st.integers(0, 5000), max_size=6), data=st.binary(max_size=5000))
    def test_the_pieces_do_not_matter(self, cuts, data):
        store = MemoryBlobs()
        uploads = MemoryUploads(store)
        upload, at = uploads.begin("ann").upload, 0
        for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            at = uploads.append("ann", upload, at, (data[at:end],)).size
        assert b"".join(store.open(uploads.finish("ann", upload, digest(data)).digest)) == data


class TestOwners:
    def test_an_upload_of_somebody_else_is_as_unknown_as_none(self, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (b"12345",))
        for attempt in (
            uploads.find,
            lambda owner, given: uploads.append(owner, given, 5, (b"x",)),
            lambda owner, given: uploads.finish(owner, given, digest(b"12345")),
            uploads.abort,
        ):
            said = []
            for owner, given_id in (("bob", upload), ("ann", "0" * 32)):
                with pytest.raises(NotFound) as refusal:
                    attempt(owner, given_id)
                said.append(str(refusal.value).replace(given_id, "…"))
            assert said[0] == said[1]
        assert uploads.find("ann", upload).size == 5

    @pytest.mark.parametrize("upload", ["", "..", "../x", "a" * 31, "A" * 32, "a" * 33, "é" * 32, "\0" * 32])
    def test_an_id_that_cannot_be_one_is_unknown(self, uploads, upload):
        uploads.begin("ann")
        with pytest.raises(NotFound):
            uploads.find("ann", upload)

    def test_an_owner_has_a_bounded_number_of_them(self, store):
        uploads = uploads_into(store, most=2)
        first = uploads.begin("ann").upload
        uploads.begin("ann")
        with pytest.raises(RateLimited, match="2 uploads"):
            uploads.begin("ann")
        uploads.begin("bob")
        uploads.abort("ann", first)
        second = uploads.begin("ann").upload
        uploads.append("ann", second, 0, (b"x",))
        uploads.finish("ann", second, digest(b"x"))
        assert uploads.begin("ann").size == 0


class TestEnding:
    def test_finishing_again_says_the_same(self, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        assert uploads.finish("ann", upload, digest(DATA)) == uploads.finish("ann", upload, digest(DATA))
        with pytest.raises(NotFound):
            uploads.finish("ann", upload, digest(b"other"))
        with pytest.raises(NotFound):
            uploads.append("ann", upload, len(DATA), (b"x",))

    def test_another_digest_leaves_nothing(self, store, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        with pytest.raises(BlobDamaged):
            uploads.finish("ann", upload, digest(b"other"))
        assert list(store.list()) == []
        with pytest.raises(NotFound):
            uploads.find("ann", upload)

    def test_a_digest_must_be_one(self, uploads):
        upload = uploads.begin("ann").upload
        if isinstance(uploads, LocalUploads):
            with pytest.raises(InvalidInput):
                uploads.finish("ann", upload, "md5:1")
            assert uploads.find("ann", upload).size == 0

    def test_what_was_given_up_is_gone(self, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        uploads.abort("ann", upload)
        assert uploads.held("ann") == ()
        with pytest.raises(NotFound):
            uploads.abort("ann", upload)

    def test_the_sweep_takes_what_is_old_and_nothing_else(self, uploads):
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        assert uploads.sweep(older_than_seconds=3600) == 0
        assert uploads.find("ann", upload).size == len(DATA)
        assert uploads.sweep(older_than_seconds=0) == len(DATA)
        with pytest.raises(NotFound):
            uploads.find("ann", upload)


class TestFolders:
    """What only a folder can: outlive the process."""

    def test_another_process_goes_on(self, tmp_path):
        first = LocalUploads(LocalBlobs(tmp_path))
        upload = first.begin("ann").upload
        first.append("ann", upload, 0, (DATA[:1_500_000],))
        second = LocalUploads(LocalBlobs(tmp_path))
        assert [held.size for held in second.held("ann")] == [1_500_000]
        second.append("ann", upload, 1_500_000, (DATA[1_500_000:],))
        assert second.finish("ann", upload, digest(DATA)).size == len(DATA)

    def test_a_process_that_was_killed_while_writing_leaves_what_it_wrote(self, tmp_path):
        uploads = LocalUploads(LocalBlobs(tmp_path))
        upload = uploads.begin("ann").upload

        def dying():
            yield DATA[:2_000_000]
            os._exit(9)

        child = os.fork()
        if child == 0:
            LocalUploads(LocalBlobs(tmp_path)).append("ann", upload, 0, dying())
        os.waitpid(child, 0)
        assert uploads.find("ann", upload).size == 2_000_000
        uploads.append("ann", upload, 2_000_000, (DATA[2_000_000:],))
        assert uploads.finish("ann", upload, digest(DATA)).size == len(DATA)

    def test_bytes_that_changed_on_the_disk_meanwhile_are_found_at_the_end(self, tmp_path):
        uploads = LocalUploads(LocalBlobs(tmp_path))
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        (part,) = (tmp_path / "tmp").glob("upload-*")
        with part.open("r+b") as file:
            file.write(b"!")
        with pytest.raises(BlobDamaged):
            LocalUploads(LocalBlobs(tmp_path)).finish("ann", upload, digest(DATA))

    def test_the_sweep_of_the_store_takes_abandoned_uploads_too(self, tmp_path):
        store = LocalBlobs(tmp_path)
        uploads = LocalUploads(store)
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        assert store.sweep(older_than_seconds=0) == len(DATA)
        assert uploads.held("ann") == ()

    def test_a_store_that_was_never_used_has_none(self, tmp_path):
        uploads = LocalUploads(LocalBlobs(tmp_path / "absent"))
        assert uploads.held("ann") == ()
        assert uploads.sweep(older_than_seconds=0) == 0
        with pytest.raises(NotFound):
            uploads.find("ann", "0" * 32)

    def test_stored_bytes_are_read_only_and_private(self, tmp_path):
        store = LocalBlobs(tmp_path)
        uploads = LocalUploads(store)
        upload = uploads.begin("ann").upload
        uploads.append("ann", upload, 0, (DATA,))
        uploads.finish("ann", upload, digest(DATA))
        assert store.location(digest(DATA)).stat().st_mode & 0o777 == 0o400
