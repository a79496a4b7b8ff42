"""The one tar that a bundle can be: 512 bytes of header per file, nothing but names, sizes and bytes.

Since the writer has no choice, the reader needs no tolerance: it builds each header anew and compares. Links, folders,
owners, times, sparse files, long names, padding that is not zero and anything after the end differ from what was built,
so none of them has to be looked for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from modelyard.domain.errors import BlobDamaged, InvalidInput

BLOCK: Final = 512
PIECE: Final = 1 << 20
END: Final = bytes(2 * BLOCK)
"""Two empty blocks end an archive (POSIX.1-2017, pax, "ustar Interchange Format")."""
_OCTAL_LIMIT: Final = 8**11
"""From 8 GiB on a size does not fit the eleven octal digits of ustar and is written in base 256, as GNU tar does."""


def header(name: str, size: int) -> bytes:
    """The block before a regular file ``name`` of ``size`` bytes: mode 0644, no owner, no time."""
    import tarfile

    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    return info.tobuf(tarfile.USTAR_FORMAT if size < _OCTAL_LIMIT else tarfile.GNU_FORMAT)


def padding(size: int) -> int:
    """Zero bytes after a file, up to the next block."""
    return -size % BLOCK


def room(size: int) -> int:
    """Bytes that a file takes in the archive, header and padding included."""
    return BLOCK + size + padding(size)


def is_tar(start: bytes) -> bool:
    """Whether a file that begins so claims to be a tar."""
    return start[257:262] == b"ustar"


def put(out: int, data: bytes) -> None:
    """Write ``data`` whole: one call may write less than it was given."""
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


def add(out: int, name: str, data: bytes) -> None:
    """Append a file that is in memory."""
    put(out, header(name, len(data)) + data + bytes(padding(len(data))))


def add_stream(
    out: int, name: str, size: int, chunks: Iterable[bytes], advance: Callable[[int], object]
) -> None:
    """Append a file that comes in pieces.

    Args:
        out: Descriptor of the archive.
        name: Path in it.
        size: Bytes that ``chunks`` have together.
        chunks: The file.
        advance: Called with the number of bytes written since the last call.

    Raises:
        BlobDamaged: There are more or fewer bytes.
    """
    put(out, header(name, size))
    done = 0
    for chunk in chunks:
        put(out, chunk)
        done += len(chunk)
        advance(len(chunk))
    if done != size:
        raise BlobDamaged(
            f"{name}: the records say {size} bytes, the store has {done}; run modelyard fsck --deep",
            data={"expected": size, "found": done},
        )
    put(out, bytes(padding(size)))


class Reader:
    """Random access to the files of one archive, whose names, sizes and order its user knows.

    Args:
        descriptor: Open for reading; not owned.
        name: How errors call the archive.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name
        self.size = os.fstat(descriptor).st_size

    def start(self) -> bytes:
        """The first block, or what there is of it."""
        return os.pread(self._descriptor, BLOCK, 0)

    def all(self) -> bytes:
        """The whole file."""
        return self._bytes(0, self.size)

    def claimed(self, at: int, name: str, limit: int) -> int:
        """The size that the header at ``at`` gives for ``name``, which must not be above ``limit``.

        Raises:
            InvalidInput: There is another header.
        """
        block = self._bytes(at, BLOCK)
        try:
            size = int(block[124:136].rstrip(b"\0 "), 8)
        except ValueError:
            size = -1
        if not 0 <= size <= limit:
            raise self._odd(at, name)
        self.expect(at, name, size)
        return size

    def expect(self, at: int, name: str, size: int) -> None:
        """Check the header at ``at`` and the padding after the file.

        Raises:
            InvalidInput: They are not those of ``name`` with ``size`` bytes.
        """
        end = at + BLOCK + size
        if self._bytes(at, BLOCK) != header(name, size) or any(self._bytes(end, padding(size))):
            raise self._odd(at, name)

    def whole(self, at: int, size: int) -> bytes:
        """The bytes of the file whose header is at ``at``."""
        return self._bytes(at + BLOCK, size)

    def pieces(self, at: int, size: int) -> Iterator[bytes]:
        """The same, at most 1 MiB at a time."""
        begin, end = at + BLOCK, at + BLOCK + size
        for place in range(begin, end, PIECE):
            yield self._bytes(place, min(PIECE, end - place))

    def digest(self, at: int, size: int, advance: Callable[[int], object]) -> str:
        """The digest of the same, read into one buffer; ``advance`` is called with the bytes read since the last call.

        Raises:
            InvalidInput: The archive is cut off.
        """
        hasher, view = hashlib.sha256(), memoryview(bytearray(min(PIECE, size)))
        place, left = at + BLOCK, size
        while left:
            count = os.preadv(self._descriptor, [view[: min(PIECE, left)]], place)
            if not count:
                raise self._cut_off(place)
            hasher.update(view[:count])
            advance(count)
            place, left = place + count, left - count
        return f"sha256:{hasher.hexdigest()}"

    def expect_end(self, at: int) -> None:
        """Check that the archive ends at ``at``, and nothing follows.

        Raises:
            InvalidInput: It is shorter or longer.
        """
        if self.size != at + len(END):
            less = self.size < at + len(END)
            raise InvalidInput(
                f"{self.name} has {self.size} bytes, its contents say {at + len(END)}: "
                + ("it is cut off; copy it again" if less else "something was added that no bundle has")
                + "; nothing was imported"
            )
        if any(self._bytes(at, len(END))):
            raise self._odd(at, "its end")

    def _bytes(self, at: int, count: int) -> bytes:
        data = os.pread(self._descriptor, count, at)
        while 0 < len(data) < count and (
            more := os.pread(self._descriptor, count - len(data), at + len(data))
        ):
            data += more
        if len(data) < count:
            raise self._cut_off(at + len(data))
        return data

    def _cut_off(self, at: int) -> InvalidInput:
        return InvalidInput(f"{self.name} is cut off at byte {at}; copy it again")

    def _odd(self, at: int, name: str) -> InvalidInput:
        return InvalidInput(
            f"{self.name}: at byte {at} a bundle has {name}, and here is something that no bundle has; "
            "nothing was imported: bundles are taken as they were written, not as another tool packs them anew"
        )
