"""The first few kilobytes of a bundle, from which everything else in it is known: what, how much, and where."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelyard.client import bundle_tar
from modelyard.client.bundle_records import LARGEST
from modelyard.client.bundle_tar import Reader
from modelyard.domain import layout
from modelyard.domain.canonical import sha256
from modelyard.domain.errors import BlobDamaged, InvalidInput, StorageError
from modelyard.domain.layout import Address, Contents, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a bundle says of itself.

    Attributes:
        digest: Of its bundle manifest: the bundle's identity.
        frame: The documents as they are in the file.
        contents: The table of contents.
        chapters: Where the records are.
        places: Digest -> offset of the header of each blob that is carried.
        end: Offset at which the archive ends.
    """

    digest: str
    frame: Frame
    contents: Contents
    chapters: tuple[Address, ...]
    places: dict[str, int]
    end: int


@contextmanager
def opened(source: Path) -> Iterator[Reader]:
    """A bundle to read from.

    Raises:
        InvalidInput: There is no such regular file.
        StorageError: It cannot be read.
    """
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise InvalidInput(f"there is no bundle {str(source)!r}") from None
    except OSError as error:
        raise StorageError(f"{str(source)!r} cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInput(f"there is no bundle {str(source)!r}: it is not a regular file")
        yield Reader(descriptor, repr(str(source)))
    finally:
        os.close(descriptor)


def head(source: Path) -> Head:
    """The head of a bundle, with what it names not yet read.

    Raises:
        InvalidInput: ``source`` is no bundle of this format, or is cut off.
        BlobDamaged: A document differs from its digest.
    """
    with opened(source) as reader:
        if not bundle_tar.is_tar(reader.start()):
            raise InvalidInput(f"{reader.name} is not a bundle with bytes, which a .tar is")
        return read_head(reader)


def read_head(reader: Reader) -> Head:
    """See :func:`head`."""
    reader.expect(0, layout.LAYOUT_FILE, len(layout.LAYOUT))
    if reader.whole(0, len(layout.LAYOUT)) != layout.LAYOUT:
        raise InvalidInput(f"{reader.name} is an OCI layout of another version; this build reads 1.0.0")
    at = bundle_tar.room(len(layout.LAYOUT))
    size = reader.claimed(at, layout.INDEX_FILE, LARGEST)
    index = reader.whole(at, size)
    at += bundle_tar.room(size)
    whole = layout.first_manifest(index)
    document = blob(reader, at, whole)
    at += bundle_tar.room(whole.size)
    table, chapters = layout.addresses(document)
    listed = blob(reader, at, table)
    at += bundle_tar.room(table.size)
    contents = layout.parse_contents(listed)
    places = {}
    for digest, count in contents.carried.items():
        places[digest] = at
        at += bundle_tar.room(count)
    reader.expect_end(at)
    frame = Frame(index=index, manifest=document, contents=listed)
    return Head(digest=whole.digest, frame=frame, contents=contents, chapters=chapters, places=places, end=at)


def blob(reader: Reader, at: int, address: Address) -> bytes:
    """A document whose header is at ``at``, checked against its digest.

    Raises:
        BlobDamaged: Its bytes are others.
        InvalidInput: Another file is there, or one too large for a document.
    """
    if address.size > LARGEST:
        raise InvalidInput(
            f"{reader.name}: {address.digest} has {address.size} bytes; no document of a bundle has more than {LARGEST}"
        )
    reader.expect(at, layout.blob_path(address.digest), address.size)
    data = reader.whole(at, address.size)
    if (found := sha256(data)) != address.digest:
        raise differing(reader, address.digest, found)
    return data


def differing(reader: Reader, digest: str, found: str) -> BlobDamaged:
    """The error for bytes that are not what their name says."""
    return BlobDamaged(
        f"{reader.name}: the bytes of {digest} are those of {found}; nothing was imported: copy the file again",
        data={"digest": digest, "found": found},
    )
