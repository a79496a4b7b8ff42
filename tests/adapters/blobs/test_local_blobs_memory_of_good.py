"""What a local store remembers about bytes it has hashed, and how little depends on it."""

import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.adapters.blobs.drafts import drafting
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.samples import LARGE as LARGE_FILE
from modelyard.domain.errors import BlobDamaged, StorageError
from modelyard.testing.blobs import LARGE, SMALL, digest

HEX = digest(LARGE).removeprefix("sha256:")


@pytest.fixture
def store(tmp_path):
    store = LocalBlobs(tmp_path / "registry")
    store.put([LARGE])
    return store


def shard(tmp_path):
    return tmp_path / "registry" / "cache" / "blobs-verified" / HEX[:2]


def bytes_read(action) -> int:
    """Bytes this process read from files while it ran ``action`` (the ``rchar`` of proc(5))."""

    def count():
        with open("/proc/self/io") as file:
            return int(file.readline().split()[1])

    before = count()
    action()
    return count() - before


def bytes_written(action) -> int:
    def count():
        with open("/proc/self/io") as file:
            return int(file.readlines()[1].split()[1])

    before = count()
    action()
    return count() - before


def test_a_put_blob_counts_as_verified_and_is_not_read_again(store, tmp_path):
    assert bytes_read(lambda: store.verify(digest(LARGE))) < 10_000
    assert bytes_read(lambda: LocalBlobs(tmp_path / "registry").verify(digest(LARGE))) < 10_000
    assert bytes_read(lambda: store.verify(digest(LARGE), cached=False)) >= len(LARGE)


def test_without_its_memory_a_store_reads_once_and_remembers(store, tmp_path):
    shard(tmp_path).unlink()
    assert bytes_read(lambda: store.verify(digest(LARGE))) >= len(LARGE)
    assert bytes_read(lambda: store.verify(digest(LARGE))) < 10_000


@pytest.mark.parametrize("reader", ["open", "materialise"])
def test_a_whole_read_is_remembered(store, tmp_path, reader):
    shard(tmp_path).unlink()
    if reader == "open":
        assert b"".join(store.open(digest(LARGE))) == LARGE
    else:
        store.materialise(digest(LARGE), tmp_path / "copy")
    assert bytes_read(lambda: store.verify(digest(LARGE))) < 10_000


def test_a_touched_blob_is_read_again(store, tmp_path):
    os.utime(store.location(digest(LARGE)), ns=(1, 1))
    assert bytes_read(lambda: store.verify(digest(LARGE))) >= len(LARGE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300), cut=st.integers(0, 300), before=st.booleans())
def test_a_damaged_memory_is_never_an_error_and_never_vouches_for_damage(tmp_path, junk, cut, before):
    """Whatever is in the memory, good bytes verify and damaged bytes do not."""
    store = LocalBlobs(tmp_path / "registry")
    store.put([LARGE])
    kept = shard(tmp_path).read_bytes()
    shard(tmp_path).write_bytes(junk + kept[:cut] if before else kept[:cut] + junk)
    store.verify(digest(LARGE))
    path = store.location(digest(LARGE))
    path.chmod(0o600)
    path.write_bytes(LARGE[:-1] + b"?")
    with pytest.raises(BlobDamaged):
        store.verify(digest(LARGE))
    store.put([LARGE])


def test_the_memory_of_one_shard_stays_small(store, tmp_path):
    shard(tmp_path).write_bytes(b"x" * (1 << 20 | 1))
    store.verify(digest(LARGE))
    assert shard(tmp_path).stat().st_size < 1000
    assert bytes_read(lambda: store.verify(digest(LARGE))) < 10_000


# Large files that are there already


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(1 << 20) * (LARGE_FILE // (1 << 20)) + b"end")
    return path


def test_a_large_file_stored_again_is_hashed_and_not_written(store, big):
    assert bytes_written(lambda: store.put_file(big)) >= big.stat().st_size
    assert bytes_written(lambda: store.put_file(big)) < 10_000
    assert bytes_written(lambda: store.put_file(big, expect=store.put_file(big).digest)) < 10_000


def test_a_large_file_that_only_looks_the_same_is_stored_as_what_it_is(store, big):
    first = store.put_file(big)
    changed = bytearray(big.read_bytes())
    changed[1 << 19] ^= 1  # Between two of the spots that are sampled.
    big.write_bytes(changed)
    seen = []
    second = store.put_file(big, progress=seen.append)
    assert second.digest == digest(bytes(changed)) != first.digest
    assert sum(seen) == len(changed)
    store.verify(first.digest, cached=False)
    store.verify(second.digest, cached=False)


def test_notes_about_deleted_blobs_are_swept(store, big, tmp_path):
    notes = tmp_path / "registry" / "cache" / "blobs-samples"
    kept = store.put_file(big)
    assert len(list(notes.iterdir())) == 1
    store.sweep(older_than_seconds=0)
    assert len(list(notes.iterdir())) == 1
    store.delete(kept.digest)
    assert store.put_file(big).digest == kept.digest, "a note about a blob that is gone must not count"
    store.verify(kept.digest, cached=False)
    store.delete(kept.digest)
    store.sweep(older_than_seconds=0)
    assert list(notes.iterdir()) == []


def test_a_file_that_grows_while_it_is_compared_is_refused(store, big):
    store.put_file(big)

    def grow(_):
        with big.open("ab") as file:
            file.write(b"more")

    with pytest.raises(StorageError, match="changed while it was read"):
        store.put_file(big, progress=grow)


# Drafts


def test_a_sweep_spares_the_draft_of_a_writer_at_work(store):
    swept = []

    def chunks():
        yield LARGE[: 2 << 20]
        swept.append(store.sweep(older_than_seconds=0))
        yield b"the rest"

    info = store.put(chunks())
    assert swept == [0]
    store.verify(info.digest, cached=False)


def test_a_sweep_takes_what_a_dead_writer_left_once_it_is_old_enough(store, tmp_path):
    left = tmp_path / "registry" / "tmp" / "11111111-2222-4333-8444-555555555555"
    left.write_bytes(b"half an upload")
    assert store.sweep(older_than_seconds=3600) == 0
    assert left.exists()
    assert store.sweep(older_than_seconds=0) == len(b"half an upload")
    assert not left.exists()


def test_a_draft_born_during_a_sweep_is_kept_or_made_again(store, tmp_path):
    """A sweep may lock a draft between its creation and its own lock; then the writer starts over."""
    done = threading.Event()

    def sweep():
        while not done.is_set():
            store.sweep(older_than_seconds=0)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(200):
            with drafting(tmp_path / "registry") as draft:
                draft.write(SMALL)
                assert os.fstat(draft.descriptor).st_nlink == 1, number
    finally:
        done.set()
        sweeper.join()
