"""A registry as one file: out, in, and what it holds.

``.json`` holds records only. ``.tar`` is an OCI image layout with the records, the manifests and every byte. The same
registry gives the same file, and a file that differs in one bit from what an export writes is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

from modelyard.client import bundle_records, bundle_tar, bundle_write
from modelyard.client.bundle_head import Head, blob, differing, head, opened, read_head
from modelyard.client.bundle_records import LARGEST
from modelyard.client.bundle_tar import Reader
from modelyard.client.bundle_write import Bars
from modelyard.domain import layout
from modelyard.domain.answers import Imported
from modelyard.domain.errors import BlobNotFound, InvalidInput, NotFound
from modelyard.domain.layout import Address, Frame
from modelyard.domain.records import Event
from modelyard.ports.service import Bundle, History, Progress, RegistryService

MOST_NAMED: Final = 20
"""Missing models or blobs that are named one by one."""
PAGE: Final = 500
MANY: Final = 32
"""Small files from which on several are stored at a time."""
AT_ONCE: Final = 4
"""Of one piece each, so that memory stays bounded."""


def write(
    service: RegistryService,
    target: Path,
    names: Sequence[str] | None = None,
    *,
    since: Path | None = None,
    bars: Bars | None = None,
) -> Path:
    """Write an export; with ``since`` only what that bundle lacks.

    Raises:
        AlreadyExists: ``target`` is there.
        InvalidInput: Another ending than ``.json`` or ``.tar``, or ``since`` is no bundle.
    """
    base = None if since is None else head(since)
    bundle_write.write(service, target, names, base=base, bars=bars)
    return target


def read(service: RegistryService, source: Path, *, bars: Bars | None = None) -> Imported:
    """Check and take a bundle.

    Everything in it is checked, to the last byte, before the first is stored; and no version is visible before all
    bytes are. Repeating it is harmless, also after it was killed.

    Raises:
        InvalidInput: It is no bundle, or has something in it that no bundle has.
        IntegrityError: Bytes differ from their digest, or records do not follow from their history.
        BlobNotFound: Bytes are neither in it nor here.
        NotFound: It continues another bundle that was not imported here.
    """
    with opened(source) as reader:
        if bundle_tar.is_tar(reader.start()):
            return _read_tar(service, reader, bars)
        if reader.size > LARGEST:
            raise InvalidInput(f"{reader.name} is larger than any file of records can be")
        records = bundle_records.parse(reader.all(), reader.name)
        service.check_import(records)
        _require(
            service, reader, _files(records), "holds records only: export to a .tar, which carries the bytes"
        )
        return service.import_(records)


def summary(source: Path) -> dict[str, int | str]:
    """What a bundle with bytes holds, from its head: models, blobs and bytes, inside it and left to its base."""
    found = head(source)
    contents = found.contents
    return {
        "digest": found.digest,
        "base": contents.base,
        "models": len(contents.models),
        "blobs": len(contents.carried),
        "bytes": sum(contents.carried.values()),
        "left_out_blobs": len(contents.covered),
        "left_out_bytes": sum(contents.covered.values()),
    }


# --- a bundle with bytes ----------------------------------------------------------------------------------------------


def _read_tar(service: RegistryService, reader: Reader, bars: Bars | None) -> Imported:
    """First what is small and says the most, then every byte, then the registry."""
    found = read_head(reader)
    parts = _chapters(reader, found)
    records = bundle_records.joined(parts)
    service.check_import(records)
    _agree(reader, found, parts, records)
    _require_base(service, reader, found, records)
    files, carried = _files(records), found.contents.carried
    needed = files.keys() - carried.keys()
    _require(service, reader, needed, "continues a bundle whose files are not here: import that one first")
    _verify(reader, found, bars)
    wanted = {d: size for d, size in files.items() if d in carried and not service.has_blob(d)}
    _store(service, reader, found, wanted, bars)
    return replace(service.import_(records), blobs=len(wanted), size=sum(wanted.values()))


def _store(
    service: RegistryService, reader: Reader, found: Head, wanted: dict[str, int], bars: Bars | None
) -> None:
    """Store the files. Many small ones several at a time: storing one is mostly waiting for the disk."""
    told = bars("storing", sum(wanted.values())) if bars else _nobody_watches
    turn = Lock()

    def advance(count: int) -> None:
        with turn:
            told(count)

    def store(digest: str) -> None:
        pieces = reader.pieces(found.places[digest], wanted[digest])
        service.put_blob(_told(pieces, advance), digest=digest)

    small = {digest for digest, size in wanted.items() if size <= bundle_tar.PIECE}
    small = small if len(small) >= MANY else set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(store, small))
        finally:
            pool.shutdown(cancel_futures=True)
    for digest in wanted:
        if digest not in small:
            store(digest)


def _nobody_watches(count: int) -> None:
    """Stands for a bar where there is none."""


def _told(pieces: Iterator[bytes], advance: Progress) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        advance(len(piece))


def _chapters(reader: Reader, found: Head) -> list[Bundle]:
    """All records, chapter by chapter, each of one model or of none."""
    if sum(chapter.size for chapter in found.chapters) > LARGEST:
        raise InvalidInput(
            f"{reader.name} has more records than the {LARGEST} bytes that can be read at once"
        )
    return [_chapter(reader, found, address) for address in found.chapters]


def _chapter(reader: Reader, found: Head, address: Address) -> Bundle:
    if found.contents.carried.get(address.digest) != address.size:
        raise InvalidInput(f"{reader.name}: its contents lack the records {address.digest}")
    part = bundle_records.parse(blob(reader, found.places[address.digest], address), reader.name)
    if len(bundle_records.chapters(part)) != 1:
        raise InvalidInput(f"{reader.name}: {address.digest} has no records, or those of several models")
    return part


def _agree(reader: Reader, found: Head, parts: list[Bundle], records: Bundle) -> None:
    """Check that the frame is what the records call for, and that nothing is inside that they do not.

    Raises:
        InvalidInput: They differ.
    """
    contents = found.contents
    carried, covered = contents.carried.items(), contents.covered.items()
    sizes = _sizes(found, records).items()
    told = {model.name: (model.sequence, model.head) for model in records.models}.items()
    alike = (
        _frame(found, parts, records) == found.frame
        and carried <= sizes <= carried | covered
        and told <= contents.models.items()
        and bool(contents.base or (not covered and told == contents.models.items()))
    )
    if not alike:
        raise InvalidInput(
            f"{reader.name}: its index and contents are not those of its records; nothing was imported"
        )


def _frame(found: Head, parts: list[Bundle], records: Bundle) -> Frame:
    """The frame that an export of these records writes."""
    chapters = [
        layout.chapter_of(part.models[0] if part.models else None, address.digest, address.size)
        for part, address in zip(parts, found.chapters, strict=True)
    ]
    return layout.frame(found.contents, chapters, records.versions)


def _sizes(found: Head, records: Bundle) -> dict[str, int]:
    """Digest -> size of every blob that these records call for."""
    sizes = {address.digest: address.size for address in found.chapters}
    for version in records.versions:
        sizes |= layout.files(version) | {d: len(data) for d, data in layout.frozen(version).items()}
    return sizes or {d: len(data) for d, data in layout.EMPTY_BLOB.items()}


def _verify(reader: Reader, found: Head, bars: Bars | None) -> None:
    """Read every byte against the name that it has.

    Raises:
        BlobDamaged: Bytes differ from their digest.
        InvalidInput: Something else than the blobs of the contents is in the archive.
    """
    carried = found.contents.carried
    advance = bars("checking", sum(carried.values())) if bars else _nobody_watches
    for digest, size in carried.items():
        at = found.places[digest]
        reader.expect(at, layout.blob_path(digest), size)
        if (seen := reader.digest(at, size, advance)) != digest:
            raise differing(reader, digest, seen)


# --- what has to be here already --------------------------------------------------------------------------------------


def _files(records: Bundle) -> dict[str, int]:
    return {digest: size for version in records.versions for digest, size in layout.files(version).items()}


def _require(service: RegistryService, reader: Reader, needed: Iterable[str], why: str) -> None:
    missing = sorted(digest for digest in needed if not service.has_blob(digest))
    if missing:
        raise BlobNotFound(
            f"{reader.name} {why}; {len(missing)} of its files are not in this registry; nothing was imported",
            reasons=missing[:MOST_NAMED],
            data={"digest": missing[0], "missing": len(missing)},
        )


def _require_base(service: RegistryService, reader: Reader, found: Head, records: Bundle) -> None:
    """What only the base has the records of must have come here with it, or under other numbers."""
    inside = {model.name for model in records.models}
    elsewhere = {name: last for name, last in found.contents.models.items() if name not in inside}
    lacking = {name: last for name, last in elsewhere.items() if not _holds(service, name, *last)}
    if lacking:
        taken = {pair for event in _events(service, "") for pair in event.after.get("heads", {}).items()}
        lacking = {name: last for name, last in lacking.items() if (name, last[1]) not in taken}
    if lacking:
        raise NotFound(
            f"{reader.name} continues the bundle {found.contents.base}, of which {len(lacking)} model(s) are not "
            "here as they are there: import that bundle first; nothing was imported",
            reasons=sorted(lacking)[:MOST_NAMED],
            data={"base": found.contents.base, "missing": len(lacking)},
        )


def _holds(service: RegistryService, name: str, sequence: int, head: str) -> bool:
    """Whether a model's history here has that event."""
    for event in _events(service, name):
        if event.sequence <= sequence:
            return event.sequence == sequence and event.hash == head
    return False


def _events(service: RegistryService, ref: str) -> Iterator[Event]:
    """A whole history, newest first; nothing for a model that is not here."""
    after: str | None = None
    while True:
        try:
            page = service.history(History(ref=ref, limit=PAGE, after=after))
        except NotFound:
            return
        yield from page.items
        if (after := page.next) is None:
            return
