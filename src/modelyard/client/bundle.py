"""A registry as one file: records and history as JSON, with the bytes beside them in a tar.

``.json`` holds records only. ``.tar`` holds ``registry.json`` first, then ``blobs/sha256/<hex>`` for every file of
every version that still has its bytes, sorted, with fixed times and owners: the same registry gives the same bytes.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import IO, Any, TypeVar

from modelyard.domain.answers import Imported
from modelyard.domain.canonical import canonical
from modelyard.domain.errors import AlreadyExists, BlobDamaged, BlobNotFound, InvalidInput
from modelyard.domain.names import check_digest, plain
from modelyard.domain.records import Event, Model, ModelVersion
from modelyard.ports.service import Bundle, RegistryService
from modelyard.wire.codec import decode

FORMAT = 1
INDEX = "registry.json"
LARGEST_INDEX = 1 << 30
PIECE = 1 << 20
MOST_NAMED = 20
"""Records that cannot be read and are named one by one."""
LONGEST_SPELLING = 200

T = TypeVar("T")


def write(service: RegistryService, target: Path, names: Sequence[str] | None) -> Path:
    """Write a bundle whole or not at all; an existing file is not overwritten."""
    if target.suffix not in (".json", ".tar"):
        raise InvalidInput(
            f"{str(target)!r}: an export ends in .json (records and history) or .tar (with every byte)"
        )
    if target.exists():
        raise AlreadyExists(f"{str(target)!r} exists; choose another name or remove it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    records = service.export(names)
    descriptor, partial = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            (_write_tar if target.suffix == ".tar" else _write_json)(service, records, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
    return target


def _index(records: Bundle) -> bytes:
    document = {
        "format": FORMAT,
        "models": [_without(m, "revision") for m in records.models],
        "versions": [_without(v, "revision", "artifact_path") for v in records.versions],
        "events": list(records.events),
    }
    return canonical(document)


def _without(record: Any, *left_out: str) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name not in left_out}


def _write_json(service: RegistryService, records: Bundle, out: IO[bytes]) -> None:
    out.write(_index(records))


def _write_tar(service: RegistryService, records: Bundle, out: IO[bytes]) -> None:
    index = _index(records)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _member(archive, INDEX, len(index), io.BytesIO(index))
        for digest, size in sorted(_blobs(records).items()):
            chunks = service.open_blob(digest)
            name = f"blobs/sha256/{digest.removeprefix('sha256:')}"
            _member(archive, name, size, _Chunks(chunks))


def _blobs(records: Bundle) -> dict[str, int]:
    return {f.digest: f.size for v in records.versions if v.collected_at is None for f in v.files}


def _member(archive: tarfile.TarFile, name: str, size: int, data: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    archive.addfile(info, data)


class _Chunks(io.RawIOBase):
    """An iterator of pieces as a readable file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [], size
        while wanted > 0:
            self._rest = self._rest or next(self._chunks, b"")
            if not self._rest:
                break
            parts.append(self._rest[:wanted])
            self._rest = self._rest[wanted:]
            wanted -= len(parts[-1])
        return b"".join(parts)


def read(service: RegistryService, source: Path) -> Imported:
    """Check and take a bundle. Bytes are verified while they come in; nothing is visible before all of them are."""
    if not source.is_file():
        raise InvalidInput(f"there is no bundle {str(source)!r}")
    if tarfile.is_tarfile(source):
        return _read_tar(service, source)
    if source.stat().st_size > LARGEST_INDEX:
        raise InvalidInput(f"{str(source)!r} is larger than any index of records can be")
    records = _records(source.read_bytes(), source)
    service.check_import(records)
    missing = [d for d in _blobs(records) if not service.has_blob(d)]
    if missing:
        raise BlobNotFound(
            f"{str(source)!r} holds records only, and {len(missing)} of their files are not in this registry; "
            "export to a .tar, which carries the bytes",
            data={"digest": missing[0]},
        )
    return service.import_(records)


def _read_tar(service: RegistryService, source: Path) -> Imported:
    """Members are read in place, never unpacked; names other than ours are refused.

    Records, names, sizes and what is missing are judged before the first byte is stored. Only bytes that turn out to
    differ from their digest are noticed later: what came before them stays, unnamed, until the next collection.
    """
    try:
        with tarfile.open(source, "r:") as archive:
            records = _records(_extract(archive, _first(archive, source)).read(), source)
            wanted = _wanted(service, archive, records, source)
            service.check_import(records)
            for digest, member in wanted.items():
                stream = _extract(archive, member)
                service.put_blob(iter(lambda s=stream: s.read(PIECE), b""), digest=digest)  # type: ignore[misc]
    except tarfile.TarError as error:
        raise InvalidInput(f"{str(source)!r} is cut off or damaged: {error}; copy it again") from error
    done = service.import_(records)
    return replace(done, blobs=len(wanted), size=sum(member.size for member in wanted.values()))


def _first(archive: tarfile.TarFile, source: Path) -> tarfile.TarInfo:
    """The index, which tells what the rest is."""
    first = archive.next()
    if first is None or first.name != INDEX or not first.isreg() or first.size > LARGEST_INDEX:
        raise InvalidInput(f"{str(source)!r} is not a bundle: it does not begin with {INDEX}")
    return first


def _wanted(
    service: RegistryService, archive: tarfile.TarFile, records: Bundle, source: Path
) -> dict[str, tarfile.TarInfo]:
    """The members to store: named by a version and not here yet. Only headers are read."""
    sizes = {d: size for d, size in _blobs(records).items() if not service.has_blob(d)}
    wanted: dict[str, tarfile.TarInfo] = {}
    for member in archive.getmembers()[1:]:
        digest = _digest(member, source)
        if digest in sizes:
            wanted.setdefault(digest, member)
            _check_size(member, sizes[digest], source)
    if missing := sizes.keys() - wanted.keys():
        raise BlobNotFound(
            f"{str(source)!r} lacks the bytes {min(missing)}, which its records name; export it again",
            data={"digest": min(missing)},
        )
    return wanted


def _check_size(member: tarfile.TarInfo, size: int, source: Path) -> None:
    if member.size != size:
        raise BlobDamaged(
            f"{str(source)!r}: {member.name} has {member.size} bytes, its records say {size}; nothing was imported",
            data={"digest": member.name, "expected": size, "found": member.size},
        )


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise InvalidInput(f"the bundle's member {member.name!r} is not a regular file")
    return stream


def _digest(member: tarfile.TarInfo, source: Path) -> str:
    prefix = "blobs/sha256/"
    if not member.isreg() or not member.name.startswith(prefix):
        raise InvalidInput(
            f"{str(source)!r} has a member {member.name!r} that no bundle has; nothing was imported"
        )
    return check_digest(f"sha256:{member.name.removeprefix(prefix)}")


def _records(data: bytes, source: Path) -> Bundle:
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise InvalidInput(
                f"{str(source)!r} has format {document['format']!r}; this build reads format {FORMAT}"
            )
        odd: list[str] = []
        bundle = Bundle(
            models=tuple(_decoded(Model, document["models"], odd)),
            versions=tuple(_decoded(ModelVersion, document["versions"], odd)),
            events=tuple(_decoded(Event, document["events"], odd)),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{str(source)!r} is not a bundle: {error}") from error
    if odd:
        raise InvalidInput(
            f"{str(source)!r} has {len(odd)} record(s) that cannot be read; nothing was imported: "
            "export without those models (names=)",
            reasons=odd[:MOST_NAMED],
        )
    return bundle


def _decoded(kind: type[T], items: list[Any], odd: list[str]) -> Iterator[T]:
    """Records of one kind. What cannot be read is named in ``odd``, so that one odd record tells which it is."""
    for place, item in enumerate(items):
        try:
            yield decode(kind, item)
        except ValueError as error:
            odd.append(f"{_spelled(kind, item) or f'{kind.__name__} {place + 1}'}: {error}")


def _spelled(kind: type, item: Any) -> str:
    """How people call a record that cannot be read, as far as it says so itself."""
    given = item if isinstance(item, dict) else {}
    names = {"ModelVersion": ("name", "version"), "Event": ("model", "sequence"), "Model": ("name",)}
    parts = [str(given[name]) for name in names[kind.__name__] if name in given]
    joint = " event " if kind is Event else ":"
    return plain(joint.join(parts)[:LONGEST_SPELLING])
