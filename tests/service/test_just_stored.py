"""Bytes that this process stored a moment ago: registered without a trip, unless a collector may have been there."""

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.rooms import Rooms
from modelyard.domain.errors import BlobDamaged, BlobNotFound
from modelyard.domain.records import FileEntry
from modelyard.ports.service import CreateVersion
from modelyard.service import blobs

from .shelf import WEIGHTS, change, row


class Recalled(MemoryBlobs):
    """Remembers what was put, for ever, and counts what else it is asked."""

    def __init__(self):
        super().__init__()
        self.held = {}
        self.asked = []

    def put(self, chunks, *, expect=None):
        data = b"".join(chunks)
        info = super().put((data,), expect=expect)
        self.held[info.digest] = data
        return info

    def just_stored(self, digest):
        return self.held.get(digest)

    def stat(self, digest):
        self.asked.append("stat")
        return super().stat(digest)

    def open(self, digest, *, start=0, length=None):
        self.asked.append("open")
        return super().open(digest, start=start, length=length)


@pytest.fixture
def service(service):
    service.blobs = Recalled()
    return service


def over(info, size=None, version=None):
    entry = FileEntry(path="m", size=info.size if size is None else size, digest=info.digest)
    return CreateVersion(name="fraud", version=version, files=(entry,))


def test_bytes_stored_a_moment_ago_are_registered_and_judged_without_asking_for_them(service):
    made = service.create_version(over(service.put_blob([WEIGHTS])))
    assert service.blobs.asked == []
    service.blobs.held.clear()
    asked_for = service.create_version(over(service.put_blob([b"other"]), version="2.0.0"))
    assert made.scans.keys() == asked_for.scans.keys() == {"m"}


def test_bytes_that_nobody_remembers_are_looked_at_and_read(service):
    info = service.put_blob([b"nobody has judged these bytes before"])
    service.blobs.held.clear()
    service.create_version(over(info))
    assert sorted(set(service.blobs.asked)) == ["open", "stat"]


def test_what_is_read_of_a_dangerous_pickle_is_the_same_whether_remembered_or_fetched(service):
    dangerous = b"\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00lsq\x01\x85q\x02Rq\x03."
    info = service.put_blob([dangerous])
    remembered = service.create_version(over(info))
    fetched = blobs.judge(service, info.digest, info.size)
    assert remembered.scans["m"] == fetched
    assert remembered.scan == "unsafe"


def test_a_tombstone_makes_even_what_was_just_stored_be_looked_at(service):
    """A collector of another process came after they were stored, so they are gone whatever is remembered."""
    info = service.put_blob([WEIGHTS])
    service.create_version(over(info))
    service.blobs.delete(info.digest)
    change(service, row(service, info.digest), state="deleted")
    with pytest.raises(BlobNotFound, match="upload"):
        service.create_version(over(info, version="2.0.0"))


def test_a_wrong_size_is_told_of_bytes_just_stored_too(service):
    with pytest.raises(BlobDamaged, match="manifest says 8 bytes"):
        service.create_version(over(service.put_blob([WEIGHTS]), size=8))


def test_verdicts_made_before_a_decision_need_no_trip_either(service):
    info = service.put_blob([WEIGHTS])
    scans = {}
    blobs.foresee(service, over(info).files, scans)
    assert list(scans) == [info.digest]
    assert service.blobs.asked == []


def test_verdicts_before_a_decision_look_where_a_row_speaks_of_a_collector(service):
    info = service.put_blob([WEIGHTS])
    service.create_version(over(info))
    change(service, row(service, info.digest), state="deleted", scan=None)
    blobs.foresee(service, over(info).files, {})
    assert "stat" in service.blobs.asked


def test_a_store_in_rooms_remembers_what_its_main_store_does():
    main = Recalled()
    rooms = Rooms(main, ())
    info = rooms.put((WEIGHTS,))
    assert rooms.just_stored(info.digest) == WEIGHTS
    assert Rooms(MemoryBlobs(), ()).just_stored(info.digest) is None
