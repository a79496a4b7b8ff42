"""A long sync at the end of an upload is time in which nothing else happens: the disk begins while bytes arrive."""

from __future__ import annotations

import itertools
import os

import pytest

from modelyard.adapters.blobs import pouring
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.uploads.local import LocalUploads


@pytest.fixture
def asked(monkeypatch):
    """Ranges that the disk was asked to begin with; each is asked for as ever."""
    ranges, ask = [], os.posix_fadvise

    def noting(descriptor, start, length, advice):
        if advice == os.POSIX_FADV_DONTNEED:
            ranges.append((start, start + length))
        ask(descriptor, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noting)
    monkeypatch.setattr(pouring, "WRITE_BACK", 1000)
    return ranges


@pytest.mark.parametrize("pieces", [[400] * 10, [4096], [1000, 1000], [1, 2000, 1]])
def test_the_disk_is_asked_for_every_byte_of_every_piece_once(tmp_path, asked, pieces) -> None:
    uploads = LocalUploads(LocalBlobs(tmp_path))
    upload = uploads.begin("ann").upload
    size = 0
    for _ in range(2):
        size = uploads.append("ann", upload, size, map(bytes, pieces)).size
    ends = [end for _, end in asked]
    assert [start for start, _ in asked] == [0, *ends[:-1]]
    assert ends[-1] == size == 2 * sum(pieces)


def test_a_piece_without_bytes_asks_for_nothing(tmp_path, asked) -> None:
    uploads = LocalUploads(LocalBlobs(tmp_path))
    upload = uploads.begin("ann").upload
    uploads.append("ann", upload, 0, [b"", b"12345"])
    uploads.append("ann", upload, 5, [])
    assert asked == [(0, 5)]


def test_bytes_that_come_as_one_stream_are_asked_for_too(tmp_path, asked) -> None:
    size = LocalBlobs(tmp_path).put([b"0123456789" * 100_000] * 3).size
    assert (asked[0][0], asked[-1][1]) == (0, size)
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(asked))
