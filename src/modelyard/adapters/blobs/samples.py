"""A guess which stored blob a large file equals, from a sample of its bytes.

Storing a large file that is there already must not write it again, but its digest is known only after reading
it all. So each large blob leaves a note, ``cache/<store>-samples/<fingerprint>``, that holds its 64 hex
digits; the fingerprint covers the size and 64 spots of 4 KiB. A note only decides what is tried first,
hashing or copying: the digest of the whole file always has the last word, and a wrong, missing or unwritable
note costs time, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from modelyard.adapters.blobs.addresses import HEX
from modelyard.adapters.blobs.folders import folder
from modelyard.adapters.blobs.verified import CACHE

_SPOTS = 64
_SPOT = 4096
# Below this, writing a file once more is cheaper than keeping a note about it.
LARGE = 16 << 20


class Samples:
    """The notes of one store."""

    def __init__(self, root: Path, store: str) -> None:
        self._root = root
        self._folder = f"{store}-samples"

    @property
    def folder_name(self) -> str:
        """The folder under ``cache`` that has to exist for anything to be noted."""
        return self._folder

    def candidate(self, descriptor: int, size: int) -> str | None:
        """The 64 hex digits of a blob that may equal the open file, or ``None``."""
        if size < LARGE:
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.suppress(OSError), folder(self._root, CACHE, self._folder) as home:
            return _hex_in(os.open(_fingerprint(descriptor, size), flags, dir_fd=home))
        return None

    def note(self, descriptor: int, size: int, hexdigits: str) -> None:
        """Leave a note about a blob just stored."""
        if size < LARGE:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.suppress(OSError), folder(self._root, CACHE, self._folder) as home:
            note = os.open(_fingerprint(descriptor, size), flags, 0o600, dir_fd=home)
            try:
                os.write(note, hexdigits.encode())
            finally:
                os.close(note)

    def prune(self, is_stored: Callable[[str], bool]) -> None:
        """Remove the notes about blobs that are gone."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.suppress(OSError), folder(self._root, CACHE, self._folder) as home:
            for name in os.listdir(home):
                hexdigits = _hex_in(os.open(name, flags, dir_fd=home))
                if hexdigits is None or not is_stored(hexdigits):
                    os.unlink(name, dir_fd=home)


def _hex_in(note: int) -> str | None:
    try:
        text = os.read(note, 65).decode("ascii", "replace")
    finally:
        os.close(note)
    return text if HEX.fullmatch(text) else None


def _fingerprint(descriptor: int, size: int) -> str:
    hasher = hashlib.sha256(str(size).encode())
    for spot in range(_SPOTS):
        hasher.update(os.pread(descriptor, _SPOT, (size - _SPOT) * spot // (_SPOTS - 1)))
    return hasher.hexdigest()
