"""A collector and a writer that meet at every step."""

import threading
from dataclasses import replace

import pytest

from modelyard.domain.errors import BlobNotFound, Conflict
from modelyard.domain.records import Blob, FileEntry
from modelyard.ports.metadata import BlobKey, Changes, Drop, Put, RegistryKey
from modelyard.ports.service import Collect, CreateVersion, Delete, History
from modelyard.service import collection

from .shelf import WEIGHTS, change, gone, make, row

NOW = Collect(dry_run=False, grace_days=0)


def once(monkeypatch, target, name, before):
    """Let ``before`` run just ahead of the next call of a real method."""
    real = getattr(target, name)

    def method(*given, **named):
        monkeypatch.setattr(target, name, real)
        before()
        return real(*given, **named)

    monkeypatch.setattr(target, name, method)


def test_a_removal_that_was_cut_off_is_finished_by_the_next_collector(service):
    digest = gone(service)
    change(service, row(service, digest), state="deleting")
    assert service.collect(NOW).blobs == (digest,)
    assert row(service, digest).state == "deleted"
    assert service.blobs.stat(digest) is None


def test_a_preview_counts_a_removal_that_was_cut_off(service):
    digest = gone(service)
    change(service, row(service, digest), state="deleting")
    assert service.collect(Collect(grace_days=1000)).blobs == (digest,)


def test_a_writer_finishes_the_removal_of_a_dead_collector_and_asks_for_the_bytes_again(service):
    digest = gone(service)
    change(service, row(service, digest), state="deleting")
    assert not service.has_blob(digest)
    made = make(service, b"other")
    request = over(digest)
    with pytest.raises(BlobNotFound, match="upload"):
        service.create_version(request)
    assert row(service, digest).state == "deleted"
    service.put_blob([WEIGHTS])
    assert service.create_version(request).number == made.number + 1
    assert row(service, digest).state == "live"


def over(digest):
    """A registration over bytes that are only named."""
    return CreateVersion(name="fraud", files=(FileEntry(path="m", size=len(WEIGHTS), digest=digest),))


def test_a_writer_waits_for_a_collector_that_lives(service, monkeypatch):
    digest = gone(service)
    change(service, row(service, digest), state="deleting")
    waited = threading.Event()
    monkeypatch.setattr(service.clock, "pause", lambda seconds: waited.set() or real(seconds))
    real = type(service.clock)().pause
    said = []

    def write():
        try:
            service.create_version(over(digest))
        except BlobNotFound as missing:
            said.append(missing)

    with service.blobs.collecting():
        writer = threading.Thread(target=write)
        writer.start()
        assert waited.wait(20)
        assert row(service, digest).state == "deleting"
    writer.join()
    assert len(said) == 1


def test_what_a_writer_brought_back_while_another_waited_is_not_removed_again(service):
    digest = gone(service)
    stale = change(service, row(service, digest), state="deleting")
    service.collect(NOW)
    made = make(service, WEIGHTS)
    collection.finish_one(service, stale)
    assert service.blobs.stat(digest) is not None
    assert b"".join(service.open_blob(made.files[0].digest)) == WEIGHTS


def test_bytes_registered_just_before_they_are_condemned_stay(service, monkeypatch):
    digest = gone(service)
    service.collect(Collect(dry_run=False, grace_days=1000))
    real = collection._condemn

    def condemn(inner, found):
        monkeypatch.setattr(collection, "_condemn", real)
        make(service, WEIGHTS)
        return real(inner, found)

    monkeypatch.setattr(collection, "_condemn", condemn)
    assert service.collect(NOW).blobs == ()
    assert row(service, digest).state == "live"
    assert service.blobs.stat(digest) is not None


def test_bytes_registered_while_they_are_condemned_stay(service, monkeypatch):
    digest = gone(service)
    real = collection._step

    def step(inner, found, state):
        monkeypatch.setattr(collection, "_step", real)
        make(service, WEIGHTS)
        return real(inner, found, state)

    monkeypatch.setattr(collection, "_step", step)
    assert service.collect(NOW).blobs == ()
    assert row(service, digest).state == "live"


def test_a_row_that_says_live_but_is_named_by_a_version_is_not_condemned(service):
    made = make(service, WEIGHTS)
    assert collection._condemn(service, row(service, made.files[0].digest)) is None


def test_a_version_undeleted_just_before_its_collection_keeps_its_bytes(service, monkeypatch):
    digest = gone(service)
    real = collection._collect_version

    def collect(*given):
        monkeypatch.setattr(collection, "_collect_version", real)
        service.undelete("fraud#1")
        return real(*given)

    monkeypatch.setattr(collection, "_collect_version", collect)
    service.collect(NOW)
    assert service.get_version("fraud").collected_at is None
    assert b"".join(service.open_blob(digest)) == WEIGHTS


def test_a_stray_registered_while_it_is_looked_at_stays(service, monkeypatch):
    info = service.put_blob([WEIGHTS])
    service.clock.set(info.modified_at)
    real = collection._step

    def step(inner, found, state):
        monkeypatch.setattr(collection, "_step", real)
        make(service, WEIGHTS)
        return real(inner, found, state)

    monkeypatch.setattr(collection, "_step", step)
    assert service.collect(NOW).blobs == ()
    assert service.has_blob(info.digest)


def test_a_stray_registered_right_before_it_is_condemned_stays(service, monkeypatch):
    """Whoever looks for strays saw no row; the row that is there a moment later is a version's, not the stray's."""
    info = service.put_blob([WEIGHTS])
    service.clock.set(info.modified_at)
    real = collection._strays

    def strays(inner, cutoff):
        found = list(real(inner, cutoff))
        make(service, WEIGHTS)
        return iter(found)

    monkeypatch.setattr(collection, "_strays", strays)
    assert service.collect(NOW).blobs == ()
    assert row(service, info.digest).state == "live"
    assert b"".join(service.open_blob(info.digest)) == WEIGHTS


def test_two_collectors_never_work_at_once(service):
    with service.blobs.collecting(), pytest.raises(Conflict):
        service.collect(NOW)


def test_a_tombstone_buried_by_someone_else_is_no_matter(service, monkeypatch):
    digest = gone(service)
    service.collect(NOW)
    service.clock.advance(days=2)
    tombstone = row(service, digest)

    def bury():
        drop = Drop(key=BlobKey(digest), expected=tombstone.revision)
        service.store.commit(Changes(drops=(drop,)))

    once(monkeypatch, service.store, "commit", bury)
    service.collect(NOW)
    assert service.store.get(BlobKey(digest)) is None


def test_a_tombstone_outlives_every_commit_that_may_have_missed_it(service):
    digest = gone(service)
    service.collect(NOW)
    service.clock.advance(seconds=86_000)
    service.collect(NOW)
    assert row(service, digest).state == "deleted"
    service.clock.advance(seconds=1_000)
    service.collect(NOW)
    assert service.store.get(BlobKey(digest)) is None


def test_a_registry_that_was_never_introduced_collects_without_a_note(service):
    gone(service)
    del service.store._records[RegistryKey()]
    assert len(service.collect(NOW).blobs) == 1
    assert service.history(History(ref="")).items == ()


def test_versions_that_are_not_due_are_passed_over(service):
    first = gone(service, b"first")
    service.clock.advance(days=8)
    gone(service, b"second")
    assert service.collect(Collect(dry_run=False)).blobs == (first,)


def test_bytes_of_two_doomed_versions_are_counted_once(service):
    for _ in range(2):
        gone(service)
    preview, run = service.collect(Collect(grace_days=0)), service.collect(NOW)
    assert preview == replace(run, dry_run=True)
    assert (len(run.versions), run.freed) == (2, len(WEIGHTS))


def test_a_preview_of_versions_without_files_looks_no_further(service):
    service.delete(Delete(ref=make(service).model_id))
    preview = service.collect(Collect(grace_days=0))
    assert (len(preview.versions), preview.blobs) == (1, ())


def test_a_preview_leaves_out_what_is_gone_already(service):
    gone(service)
    assert len(service.collect(NOW).blobs) == 1
    assert service.collect(Collect(grace_days=0)).blobs == ()


def test_more_unused_rows_than_a_page_are_all_freed(service):
    for number in range(501):
        digest = service.put_blob([str(number).encode()]).digest
        record = Blob(digest=digest, size=3, touched_at=service.clock.now(), revision=1)
        service.store.commit(Changes(puts=(Put(record=record, expected=0),)))
    assert len(service.collect(Collect(grace_days=0)).blobs) == 501
    assert len(service.collect(NOW).blobs) == 501
