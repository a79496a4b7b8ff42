"""How long a decision keeps trying, what it tells, and how its parts are put together."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import BlobDamaged, BlobNotFound, Conflict, StorageError
from modelyard.domain.records import Actor, Blob, FileEntry
from modelyard.ports.metadata import BlobKey, Changes, Put
from modelyard.ports.service import CreateVersion, RecordMetrics
from modelyard.service import blobs, local
from modelyard.service.audit import merkle_root

from .shelf import WEIGHTS, make, row


def test_a_commit_that_never_lands_gives_up_and_says_so(service, monkeypatch):
    monkeypatch.setattr(local, "PATIENCE", -1.0)
    make(service)

    def taken(changes):
        raise Conflict("somebody was faster")

    monkeypatch.setattr(service.store, "commit", taken)
    with pytest.raises(Conflict, match="gave up after -1 s: somebody was faster"):
        service.record_metrics(RecordMetrics(ref="fraud", metrics={"a": 1}))


def test_a_commit_that_conflicts_is_decided_again_after_growing_pauses(service, monkeypatch):
    pauses, left, commit = [], [8], service.store.commit

    def commit_later(changes):
        left[0] -= 1
        if left[0] > 0:
            raise Conflict("somebody was faster")
        commit(changes)

    monkeypatch.setattr(service.store, "commit", commit_later)
    monkeypatch.setattr(service.clock, "pause", pauses.append)
    assert make(service).number == 1
    assert len(pauses) == 6  # the second try is made at once, alone
    assert all(local.FIRST_PAUSE / 2 <= pause <= local.LONGEST_PAUSE for pause in pauses)
    assert pauses[-1] > pauses[0]


def test_who_lost_a_race_decides_alone_for_a_moment(service, monkeypatch):
    alone, asked, commit = service.store.alone, [], service.store.commit
    monkeypatch.setattr(service.store, "alone", lambda: asked.append(True) or alone())
    monkeypatch.setattr(service.clock, "pause", lambda seconds: None)
    make(service)
    assert asked == []
    left = [1]

    def commit_later(changes):
        if left.pop() if left else 0:
            raise Conflict("somebody was faster")
        commit(changes)

    monkeypatch.setattr(service.store, "commit", commit_later)
    make(service)
    make(service)
    assert asked == [True, True]
    service._crowd.until = 0.0
    make(service)
    assert asked == [True, True]


def test_who_lost_a_race_makes_everybody_careful_whoever_they_act_for(service, monkeypatch):
    """A server acts for another caller with every request: what one of them learnt must not be lost with it."""
    alone, asked, commit = service.store.alone, [], service.store.commit
    monkeypatch.setattr(service.store, "alone", lambda: asked.append(True) or alone())
    failures = iter([True])

    def commit_later(changes):
        if next(failures, False):
            raise Conflict("somebody was faster")
        commit(changes)

    monkeypatch.setattr(service.store, "commit", commit_later)
    make(service.as_actor(Actor(name="bob")))
    make(service.as_actor(Actor(name="eve")))
    assert asked == [True, True]


def test_nothing_is_scanned_while_others_wait_for_the_decision(service, monkeypatch):
    """A scan may take seconds: who expects to decide alone looks at the bytes before."""
    held, scanned, scan = [0], [], service.scanner.scan

    @contextmanager
    def alone():
        held[0] += 1
        yield
        held[0] -= 1

    def watched(stream, *, size):
        scanned.append(held[0])
        return scan(stream, size=size)

    monkeypatch.setattr(service.store, "alone", alone)
    monkeypatch.setattr(service.scanner, "scan", watched)
    service._crowd.until = time.monotonic() + 1000
    made = make(service, WEIGHTS)
    assert scanned == [0]
    make(service, WEIGHTS)
    assert scanned == [0]
    assert made.scan == service.get_version("fraud").scan


def test_bytes_seen_before_others_had_to_wait_are_not_looked_at_again(service, monkeypatch):
    seen, stat = [], service.blobs.stat
    monkeypatch.setattr(service.blobs, "stat", lambda digest: seen.append(digest) or stat(digest))
    service._crowd.until = time.monotonic() + 1000
    made = make(service, WEIGHTS)
    assert seen == [made.files[0].digest]
    assert row(service, made.files[0].digest).scan == made.scans["m"]


def test_bytes_collected_between_the_look_and_the_decision_are_missed(service, monkeypatch):
    """The collector's row makes the first try conflict, so the second looks for itself."""
    alone, digest = service.store.alone, "sha256:" + hashlib.sha256(WEIGHTS).hexdigest()

    def collected():
        if service.store.get(BlobKey(digest)) is None:
            tombstone = Blob(
                digest=digest, size=7, touched_at=service.clock.now(), state="deleted", revision=1
            )
            service.store.commit(Changes(puts=(Put(record=tombstone, expected=0),)))
            service.blobs.delete(digest)
        return alone()

    monkeypatch.setattr(service.store, "alone", collected)
    service._crowd.until = time.monotonic() + 1000
    with pytest.raises(BlobNotFound, match="upload"):
        make(service, WEIGHTS)
    assert service.list_models().items == ()


@pytest.mark.parametrize(
    "entry", [FileEntry(path="a", size=1, digest="sha256:" + "0" * 64), None], ids=["missing", "other size"]
)
def test_bytes_that_are_not_there_are_left_for_the_decision_to_find(service, entry):
    service._crowd.until = time.monotonic() + 1000
    if entry is None:
        there = make(service, WEIGHTS).files[0]
        entry = replace(there, size=there.size + 1)
    with pytest.raises((BlobNotFound, BlobDamaged)):
        service.create_version(CreateVersion(name="fraud", files=(entry,)))


def test_bytes_that_are_no_file_have_no_place(service):
    made = make(service, WEIGHTS)
    assert service.location(made.files[0].digest) is None
    assert service.verified(made.files[0].digest) is None


@given(st.binary(max_size=300), st.data())
def test_a_window_reads_as_the_bytes_do(data, draw):
    from modelyard.adapters.blobs.memory import MemoryBlobs

    store = MemoryBlobs()
    window = blobs._Window(store, store.put([data]).digest, len(data))
    at = draw.draw(st.integers(0, len(data) + 5))
    length = draw.draw(st.integers(0, 400))
    assert window.seek(at) == at
    assert window.read(length) == data[at : at + length]
    assert window.seek(0, 2) == len(data)
    assert window.seek(-3, 1) == max(0, len(data) - 3)
    assert (window.readable(), window.seekable()) == (True, True)


def test_the_scanner_reads_stores_without_files_through_such_a_window(service):
    assert make(service, b"\x80\x04cos\nsystem\n(S'true'\ntR.").scan == "unsafe"


@pytest.mark.parametrize(
    ("count", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_merkle_roots_are_those_of_rfc_6962(count, root):
    leaves = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243")][:count]
    leaves += [bytes(range(0x50, 0x58)), bytes(range(0x60, 0x70))][: max(0, count - 6)]
    assert merkle_root(leaves) == root


@given(st.lists(st.binary(max_size=4), max_size=20))
def test_a_root_is_the_hash_of_the_roots_of_its_halves(leaves: list[bytes]) -> None:
    if len(leaves) < 2:
        return
    split = next(size for size in powers() if size * 2 >= len(leaves))
    halves = bytes.fromhex(merkle_root(leaves[:split])) + bytes.fromhex(merkle_root(leaves[split:]))
    assert merkle_root(leaves) == hashlib.sha256(b"\x01" + halves).hexdigest()


def powers() -> Iterator[int]:
    """1, 2, 4, 8 ..."""
    size = 1
    while True:
        yield size
        size *= 2


def test_a_service_is_closed_once_and_closing_again_does_nothing(service, monkeypatch):
    make(service, WEIGHTS)
    service.close()
    assert len(list(service.manifests.list())) == 2
    monkeypatch.setattr(service.store, "close", None)
    service.close()


@pytest.mark.parametrize("crowd", [False, True], ids=["alone", "crowded"])
@pytest.mark.parametrize("sizes", [(len(WEIGHTS), 0), (0, len(WEIGHTS))], ids=str)
def test_one_digest_with_two_sizes_is_refused(service, sizes, crowd):
    info = service.put_blob([WEIGHTS])
    if crowd:
        service._crowd.until = time.monotonic() + 600
    files = tuple(
        FileEntry(path=path, size=size, digest=info.digest) for path, size in zip("ab", sizes, strict=True)
    )
    with pytest.raises(BlobDamaged, match="the manifest says"):
        service.create_version(CreateVersion(name="fraud", files=files))
    assert service.store.get(BlobKey(info.digest)) is None


def test_bytes_that_cannot_be_opened_to_be_judged_are_an_error_of_the_store(service, monkeypatch, tmp_path):
    info = service.put_blob([WEIGHTS])
    monkeypatch.setattr(
        service.blobs, "location", lambda _: tmp_path
    )  # a folder opens for nobody, root included
    monkeypatch.setattr(service.blobs, "just_stored", lambda _: None, raising=False)
    with pytest.raises(StorageError, match="to scan them failed"):
        service.create_version(
            CreateVersion(name="fraud", files=(FileEntry(path="m", size=info.size, digest=info.digest),))
        )
    assert service.store.get(BlobKey(info.digest)) is None
