"""Bytes on their way into a draft: written, hashed, and brought to the disk while more of them come."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from modelyard.adapters.blobs.digesting import Follower
from modelyard.adapters.blobs.drafts import Draft
from modelyard.adapters.blobs.faults import storage_errors

WRITE_BACK: Final = 16 << 20
"""Bytes after which the disk is asked to begin."""


def pour(draft: Draft, size: int, chunks: Iterable[bytes], follower: Follower | None, doing: str) -> int:
    """Append ``chunks`` to a draft of ``size`` bytes.

    Args:
        follower: Hashes them, unless it is ``None``.
        doing: What failed if the disk does.

    Returns:
        The size afterwards.
    """
    os.lseek(draft.descriptor, size, os.SEEK_SET)
    begun = size
    for chunk in chunks:  # Whatever the caller's iterator raises passes as it is.
        with storage_errors(doing):
            draft.write(chunk)
        size += len(chunk)
        if follower is not None:
            follower.advance(len(chunk))
        if size - begun >= WRITE_BACK:
            _write_back(draft, begun, size)
            begun = size
    _write_back(draft, begun, size)
    return size


def _write_back(draft: Draft, start: int, end: int) -> None:
    """Begin to bring pages to the disk, so that the sync at the end is short: "not needed" drops no dirty page."""
    if end > start:  # a length of 0 would mean "up to the end"
        with suppress(OSError):  # the sync tells of a disk that fails
            os.posix_fadvise(draft.descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
