"""Blobs read into memory that the reader has: only where they need not be looked at on their way."""

from __future__ import annotations

import errno
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.adapters.blobs import reading
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.ports.blobs import Refilling

DATA = bytes(range(256)) * 1024


def filled(pieces, size):
    buffer, found = memoryview(bytearray(size)), []
    while count := pieces.fill(buffer):
        found.append(bytes(buffer[:count]))
    assert pieces.fill(buffer) == 0
    return b"".join(found)


def test_bytes_that_were_never_verified_pass_by_the_hash(tmp_path):
    digest = LocalBlobs(tmp_path).put([DATA]).digest
    path = LocalBlobs(tmp_path).location(digest)
    path.chmod(0o600)
    path.write_bytes(DATA)  # the same bytes, but nobody has looked at this file yet
    blobs = LocalBlobs(tmp_path)
    assert not isinstance(blobs.open(digest), Refilling)
    assert b"".join(blobs.open(digest)) == DATA
    assert isinstance(blobs.open(digest), Refilling)


@settings(max_examples=30)
@given(start=st.integers(0, len(DATA)), length=st.integers(0, len(DATA)), size=st.integers(1000, 1 << 18))
def test_any_range_into_any_buffer_is_the_same_bytes(tmp_path_factory, start, length, size):
    blobs = LocalBlobs(tmp_path_factory.getbasetemp() / "refilling")
    digest = blobs.put([DATA]).digest
    assert filled(blobs.open(digest, start=start, length=length), size) == DATA[start : start + length]
    assert filled(blobs.open(digest), 1 << 20) == DATA


def test_what_is_in_memory_comes_at_once_and_what_is_not_is_left_for_a_thread(tmp_path):
    blobs = LocalBlobs(tmp_path)
    digest = blobs.put([DATA]).digest
    pieces, buffer, found = blobs.open(digest), memoryview(bytearray(100_000)), []
    while True:
        if (count := pieces.fill_at_once(buffer)) is None:
            count = pieces.fill(buffer)
        if not count:
            break
        found.append(bytes(buffer[:count]))
    assert b"".join(found) == DATA


def test_a_system_that_cannot_tell_leaves_all_to_the_thread(tmp_path, monkeypatch):
    blobs = LocalBlobs(tmp_path)
    digest, buffer = blobs.put([DATA]).digest, memoryview(bytearray(1 << 20))
    refused = OSError(errno.EOPNOTSUPP, "no such flag")

    def refuse(descriptor, buffers, offset, flags=0):
        if flags:
            raise refused
        return preadv(descriptor, buffers, offset)

    preadv = os.preadv
    with monkeypatch.context() as patched:
        patched.setattr(os, "preadv", refuse)
        pieces = blobs.open(digest)
        assert pieces.fill_at_once(buffer) is None
        assert bytes(buffer[: pieces.fill(buffer)]) == DATA
    monkeypatch.setattr(reading, "_AT_ONCE", 0)
    assert blobs.open(digest).fill_at_once(buffer) is None
