"""Which bytes may be read from the store itself: those whose readers may go on reading them for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.domain.records import FileEntry
from modelyard.ports.metadata import BlobKey, Changes, Put
from modelyard.ports.service import CreateVersion, Reinstate, Withdraw
from modelyard.service.links import may_leave


@pytest.fixture
def digest(service):
    """Bytes of one version."""
    info = service.put_blob([b"plain text"])
    entry = FileEntry(path="m.txt", size=info.size, digest=info.digest)
    service.create_version(CreateVersion(name="fraud", files=(entry,)))
    return info.digest


def changed(service, digest, **facts):
    """The row of the bytes with other facts."""
    row = service.store.get(BlobKey(digest))
    record = replace(row, revision=row.revision + 1, **facts)
    service.store.commit(Changes(puts=(Put(record=record, expected=row.revision),)))


def test_bytes_of_a_version_may_be_read_elsewhere(service, digest):
    assert may_leave(service, digest)


def test_bytes_that_no_version_names_may_not(service):
    assert not may_leave(service, service.put_blob([b"nobody has judged this"]).digest)


def test_bytes_that_are_collected_may_not(service, digest):
    changed(service, digest, state="deleting")
    assert not may_leave(service, digest)


@pytest.mark.parametrize("verdict", ["unsafe", "error"])
def test_bytes_under_a_bad_verdict_may_not(service, digest, verdict):
    scan = service.store.get(BlobKey(digest)).scan
    changed(service, digest, scan=replace(scan, verdict=verdict))
    assert not may_leave(service, digest)


def test_bytes_without_a_verdict_may_not(service, digest):
    changed(service, digest, scan=None)
    assert not may_leave(service, digest)


def test_bytes_of_a_withdrawn_version_may_not_whichever_other_version_has_them(service, digest):
    entry = FileEntry(path="other.txt", size=10, digest=digest)
    service.create_version(CreateVersion(name="other", files=(entry,)))
    service.withdraw(Withdraw(target="fraud#1", reason="leaked"))
    assert not may_leave(service, digest)
    service.reinstate(Reinstate(target="fraud#1", reason="not leaked"))
    assert may_leave(service, digest)
