"""A bundle with anything wrong in it is refused, and nothing of it lands: no byte, no record, no event."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard import BlobNotFound, InvalidInput, ModelRegistry
from modelyard.client import bundle_head, bundle_records, bundle_tar
from modelyard.client.bundle_head import head
from modelyard.domain import layout
from modelyard.domain.canonical import canonical, sha256
from modelyard.domain.errors import IntegrityError

from .forging import Members, edited, framed, members, pack

REFUSALS = (InvalidInput, IntegrityError, BlobNotFound)


class Whole(bytes):
    """Bytes that a failing test does not print."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle of two models with files, pointers and a deleted version."""
    place = tmp_path_factory.mktemp("bundle")
    with ModelRegistry("memory://") as registry:
        for data in (b"one", b"two", b"x" * 700):
            registry.register_model(io.BytesIO(data), "fraud", alias="best")
        registry.promote_model("fraud#1", "production")
        registry.delete_model("fraud#2")
        registry.register_model(None, "facts")
        return Whole(registry.export_registry(place / "b.tar").read_bytes())


@pytest.fixture(scope="module")
def target() -> Iterator[ModelRegistry]:
    with ModelRegistry("memory://") as registry:
        yield registry


@pytest.fixture
def path(whole: bytes, tmp_path: Path) -> Path:
    place = tmp_path / "b.tar"
    place.write_bytes(whole)
    return place


def refused(target: ModelRegistry, path: Path, kinds: Any = REFUSALS, match: str | None = None) -> None:
    with pytest.raises(kinds, match=match):
        target.import_registry(path)
    landed = [info.digest for info in target._service.blobs.list()]
    assert (landed, target.list_names(), target.history("")) == ([], [], [])


def test_the_bundle_itself_is_taken(path: Path) -> None:
    with ModelRegistry("memory://") as registry:
        assert registry.import_registry(path).models == {"facts": "taken", "fraud": "taken"}
        assert registry.import_registry(path).versions == 0


# --- bits -------------------------------------------------------------------------------------------------------------


def flipped(target: ModelRegistry, path: Path, whole: bytes, place: int, mask: int) -> None:
    data = bytearray(whole)
    data[place] ^= mask
    path.write_bytes(data)
    refused(target, path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(
    target: ModelRegistry, path: Path, whole: bytes, share: float, bit: int
) -> None:
    flipped(target, path, whole, int(share * len(whole)), 1 << bit)


def test_a_flipped_byte_in_what_no_digest_covers_is_found(
    target: ModelRegistry, path: Path, whole: bytes
) -> None:
    """The two files at the start, their headers and padding: a prime step meets every column of every block."""
    for place in range(0, whole.index(b"blobs/sha256/"), 3):
        flipped(target, path, whole, place, 0xFF)


@pytest.mark.long
def test_a_flipped_byte_at_every_place_is_found(target: ModelRegistry, path: Path, whole: bytes) -> None:
    for place in range(len(whole)):
        flipped(target, path, whole, place, 0x01)


def test_a_bundle_cut_off_at_any_block_is_refused(target: ModelRegistry, path: Path, whole: bytes) -> None:
    for length in (*range(0, len(whole), bundle_tar.BLOCK), len(whole) - 1, 1, 700):
        path.write_bytes(whole[:length])
        refused(target, path)


@pytest.mark.parametrize("more", [b"\0", bytes(512), bytes(10240), b"x" * 512, None], ids=repr)
def test_something_after_the_end_is_refused(
    target: ModelRegistry, path: Path, whole: bytes, more: bytes | None
) -> None:
    path.write_bytes(whole + (whole if more is None else more))
    refused(target, path, InvalidInput)


def test_a_compressed_bundle_is_not_unpacked(target: ModelRegistry, path: Path, whole: bytes) -> None:
    path.write_bytes(gzip.compress(whole))
    refused(target, path, InvalidInput)


# --- members ----------------------------------------------------------------------------------------------------------

NOBODY = layout.blob_path("sha256:" + "0" * 64)
STRAYS = [
    "stray",
    "/etc/passwd",
    "../../x",
    "blobs/sha256/../../x",
    "oci-layout",
    "index.json",
    NOBODY,
    "a" * 99,
]


@pytest.mark.parametrize("name", STRAYS)
@pytest.mark.parametrize("where", [0, 1, 2, 3, 5, None])
def test_an_entry_more_is_refused(target: ModelRegistry, path: Path, name: str, where: int | None) -> None:
    parts = members(path)
    parts.insert(len(parts) if where is None else where, (name, b"x"))
    refused(target, pack(path, parts), InvalidInput)


def test_an_entry_twice_or_missing_or_in_another_place_is_refused(target: ModelRegistry, path: Path) -> None:
    parts = members(path)
    for place in range(len(parts)):
        others: list[Members] = [
            [*parts[: place + 1], *parts[place:]],
            [*parts[:place], *parts[place + 1 :]],
            [*parts[:place], *parts[place + 1 :], parts[place]] if place + 1 < len(parts) else parts[::-1],
        ]
        for odd in others:
            refused(target, pack(path, odd), InvalidInput)


KINDS = [
    *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME),
    tarfile.AREGTYPE,
]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_a_blob_that_is_no_regular_file_is_refused(
    target: ModelRegistry, path: Path, whole: bytes, kind: bytes
) -> None:
    def other(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, "/etc/passwd"

    for place in range(len(members(path))):
        path.write_bytes(whole)
        refused(target, with_header(path, place, other), InvalidInput)


HEADERS: dict[str, Callable[[tarfile.TarInfo], object]] = {
    "time": lambda info: setattr(info, "mtime", 1),
    "owner": lambda info: setattr(info, "uid", 1000),
    "name of the owner": lambda info: setattr(info, "uname", "root"),
    "setuid": lambda info: setattr(info, "mode", 0o4755),
    "larger": lambda info: setattr(info, "size", info.size + 1),
    "smaller": lambda info: setattr(info, "size", max(info.size - 1, 0)),
    "endless": lambda info: setattr(info, "size", 8**11 - 1),
    "absolute": lambda info: setattr(info, "name", "/" + info.name),
    "dotted": lambda info: setattr(info, "name", "./" + info.name),
    "escaping": lambda info: setattr(info, "name", "../" + info.name),
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_a_header_that_says_anything_else_is_refused(
    target: ModelRegistry, path: Path, change: Callable[[tarfile.TarInfo], object], whole: bytes
) -> None:
    for place in range(len(members(path))):
        path.write_bytes(whole)
        refused(target, with_header(path, place, change), InvalidInput)


def with_header(path: Path, place: int, change: Callable[[tarfile.TarInfo], object]) -> Path:
    """The bundle with the header of one member changed, checksum included; its bytes stay."""
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        info = archive.getmembers()[place]
    at = info.offset
    info.pax_headers = {}
    change(info)
    data[at : at + bundle_tar.BLOCK] = info.tobuf(tarfile.USTAR_FORMAT)[: bundle_tar.BLOCK]
    path.write_bytes(data)
    return path


# --- documents that fit each other and not the records ----------------------------------------------------------------


def reframed(path: Path, change: Callable[[dict[str, Any]], object], document: str) -> Path:
    """The bundle with one of its documents changed, and every digest above it made to fit."""
    found, parts = head(path), members(path)
    docs = {
        "contents": found.frame.contents,
        "manifest": found.frame.manifest,
        "index": found.frame.index,
    }
    if document != "index":
        docs[document] = changed(docs[document], change)
    whole = json.loads(docs["manifest"])
    if document == "contents":
        whole["config"] |= {"digest": sha256(docs["contents"]), "size": len(docs["contents"])}
        docs["manifest"] = canonical(whole)
    index = json.loads(docs["index"])
    index["manifests"][0] |= {"digest": sha256(docs["manifest"]), "size": len(docs["manifest"])}
    top = canonical(index)
    made = [
        parts[0],
        (layout.INDEX_FILE, changed(top, change) if document == "index" else top),
        (layout.blob_path(sha256(docs["manifest"])), docs["manifest"]),
        (layout.blob_path(sha256(docs["contents"])), docs["contents"]),
    ]
    return pack(path, made + parts[4:])


def changed(document: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    wrong = json.loads(document)
    change(wrong)
    return canonical(wrong)


def last_manifest(index: dict[str, Any]) -> dict[str, Any]:
    return index["manifests"][-1]


WRONG: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
    ("contents", "another format", lambda d: d.update(format=2)),
    ("contents", "no format", lambda d: d.pop("format")),
    ("contents", "no base at all", lambda d: d.update(base=[])),
    ("contents", "an unknown key", lambda d: d.update(more=1)),
    ("contents", "a model nobody has", lambda d: d["models"].update(ghost=[1, "0" * 64])),
    ("contents", "another head", lambda d: d["models"].update(fraud=[1, "0" * 64])),
    ("contents", "a model less", lambda d: d["models"].pop("fraud")),
    ("contents", "models as text", lambda d: d.update(models="fraud")),
    ("contents", "a blob twice", lambda d: d["carried"].insert(0, d["carried"][0])),
    ("contents", "blobs unsorted", lambda d: d["carried"].reverse()),
    ("contents", "a blob less", lambda d: d["carried"].pop()),
    ("contents", "a blob more", lambda d: d["carried"].append(["sha256:" + "f" * 64, 1])),
    ("contents", "a blob left out", lambda d: d["covered"].append(d["carried"].pop())),
    ("contents", "a negative size", lambda d: d["carried"][0].__setitem__(1, -1)),
    ("contents", "a size beyond all", lambda d: d["carried"][0].__setitem__(1, 2**53 - 1)),
    ("contents", "a size as text", lambda d: d["carried"][0].__setitem__(1, "1")),
    ("contents", "a size as truth", lambda d: d["carried"][0].__setitem__(1, True)),
    ("contents", "a digest that escapes", lambda d: d["carried"][0].__setitem__(0, "sha256:../x")),
    ("contents", "a row of three", lambda d: d["carried"][0].append(1)),
    ("manifest", "no layers", lambda d: d.pop("layers")),
    ("manifest", "a layer less", lambda d: d["layers"].pop()),
    ("manifest", "a layer twice", lambda d: d["layers"].append(d["layers"][0])),
    ("manifest", "layers in another order", lambda d: d["layers"].reverse()),
    ("manifest", "an annotation", lambda d: d.update(annotations={"a": "b"})),
    ("manifest", "another name for a model", lambda d: d["layers"][0]["annotations"].update({layout.TITLE: "x"})),
    ("manifest", "a layer of endless size", lambda d: d["layers"][0].update(size=2**50)),
    ("index", "a manifest more", lambda d: d["manifests"].append(d["manifests"][-1])),
    ("index", "a manifest less", lambda d: d["manifests"].pop()),
    ("index", "no manifest", lambda d: d["manifests"].clear()),
    ("index", "no list", lambda d: d.update(manifests={})),
    ("index", "another label", lambda d: last_manifest(d).update(annotations={layout.REF_NAME: "fraud/9.9.9"})),
    ("index", "a link elsewhere", lambda d: last_manifest(d).update(urls=["http://127.0.0.1/"])),
]  # fmt: skip


@pytest.mark.parametrize(("document", "what", "change"), WRONG, ids=[f"{d}: {w}" for d, w, _ in WRONG])
def test_a_document_that_says_something_else_is_refused(
    target: ModelRegistry, path: Path, document: str, what: str, change: Callable[[dict[str, Any]], object]
) -> None:
    refused(target, reframed(path, change, document))


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b"[" * 5000, b'{"manifests": [1]}', b"\xff"], ids=repr
)
def test_an_index_that_is_none_is_refused(target: ModelRegistry, path: Path, text: bytes) -> None:
    parts = members(path)
    parts[1] = (layout.INDEX_FILE, text)
    refused(target, pack(path, parts), InvalidInput)


def test_records_that_the_contents_do_not_list_are_refused(target: ModelRegistry, path: Path) -> None:
    records = {address.digest for address in head(path).chapters}
    parts = [
        part for part in members(path) if "sha256:" + part[0].removeprefix("blobs/sha256/") not in records
    ]
    pack(path, members(path))
    reframed(
        path, lambda d: d.update(carried=[row for row in d["carried"] if row[0] not in records]), "contents"
    )
    made = members(path)[:4] + parts[4:]
    refused(target, pack(path, made), InvalidInput, "its contents lack the records")


def test_a_layout_of_another_version_is_refused(target: ModelRegistry, path: Path) -> None:
    parts = members(path)
    parts[0] = (layout.LAYOUT_FILE, layout.LAYOUT.replace(b"1.0.0", b"2.0.0"))
    refused(target, pack(path, parts), InvalidInput, "OCI layout of another version")


def test_records_larger_than_memory_are_not_read(
    target: ModelRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as can be are checked by their announced size, before the first is read."""
    from modelyard.client import bundle

    monkeypatch.setattr(bundle, "LARGEST", 5_000)
    refused(target, path, InvalidInput, "more records than")
    monkeypatch.setattr(bundle_head, "LARGEST", 500)
    refused(target, path, InvalidInput)


# --- chapters ---------------------------------------------------------------------------------------------------------


def regrouped(path: Path, group: Callable[[list[Any]], list[Any]]) -> Path:
    """The bundle with its models' records divided otherwise among the chapters."""
    found, blobs = head(path), dict(members(path))
    texts = [blobs.pop(layout.blob_path(address.digest)) for address in found.chapters]
    records = bundle_records.joined(bundle_records.parse(text, "it") for text in texts)
    carried = {d: s for d, s in found.contents.carried.items() if d not in {sha256(t) for t in texts}}
    chapters = []
    for model, part in zip(
        records.models, group(list(bundle_records.chapters(records).values())), strict=False
    ):
        data = bundle_records.document(part)
        carried[sha256(data)] = len(data)
        blobs[layout.blob_path(sha256(data))] = data
        chapters.append(layout.chapter_of(model, sha256(data), len(data)))
    return framed(path, blobs, carried, chapters, records)


@pytest.mark.parametrize(
    "group",
    [
        lambda parts: [bundle_records.joined(parts), bundle_records.joined([])],
        lambda parts: [bundle_records.joined(parts)],
        lambda parts: parts[::-1],
        lambda parts: [parts[0], parts[0]],
    ],
    ids=["all in one and an empty one", "all in one", "swapped", "one twice"],
)
def test_each_chapter_has_the_records_of_one_model(
    target: ModelRegistry, path: Path, group: Callable[[list[Any]], list[Any]]
) -> None:
    refused(target, regrouped(path, group))


def test_the_forging_tools_change_nothing_by_themselves(path: Path, whole: bytes) -> None:
    assert edited(path, lambda document: None).read_bytes() == whole
    assert regrouped(path, lambda parts: parts).read_bytes() == whole
    for document in ("contents", "manifest", "index"):
        assert reframed(path, lambda d: None, document).read_bytes() == whole
    assert with_header(path, 5, lambda info: None).read_bytes() == whole
    assert pack(path, members(path)).read_bytes() == whole


# --- texts that no store can hold -------------------------------------------------------------------------------------

HALVES = [b"\\ud800", b"\\uDFFF", b"\\u0000"]


@pytest.mark.parametrize("half", HALVES, ids=repr)
@pytest.mark.parametrize("place", ["text", "key"])
def test_text_that_no_store_can_hold_is_refused_and_its_record_named(
    target: ModelRegistry, tmp_path: Path, half: bytes, place: str
) -> None:
    with ModelRegistry("memory://") as registry:
        registry.register_model(None, "fraud", "1.0.0", attributes={"MARKK": "MARKT"})
        written = registry.export_registry(tmp_path / "b.json").read_bytes()
    mark = b"MARKT" if place == "text" else b"MARKK"
    bad = tmp_path / "bad.json"
    assert mark in written
    bad.write_bytes(written.replace(mark, b"x" + half))
    with pytest.raises(InvalidInput) as caught:
        target.import_registry(bad)
    assert any(reason.startswith("fraud:1.0.0: a text has ") for reason in caught.value.reasons)
    assert target.list_names() == []


def test_a_whole_character_written_as_two_escapes_is_read(target: ModelRegistry, tmp_path: Path) -> None:
    with ModelRegistry("memory://") as registry:
        registry.register_model(None, "fraud", "1.0.0", description="MARK")
        written = registry.export_registry(tmp_path / "b.json").read_bytes()
    escaped = written.replace(b"MARK", b"\\ud83d\\ude00")
    assert bundle_records.parse(escaped, "it").versions[0].description == "\U0001f600"


@pytest.mark.parametrize("data", [b'"\xed\xa0\x80"', '{"format":1}'.encode("utf-16")], ids=repr)
def test_what_is_not_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"is not a bundle.*utf-"):
        bundle_records.parse(data, "it")


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_json_is_refused(word: bytes) -> None:
    data = b'{"events":[],"format":1,"models":[],"versions":[{"number":' + word + b"}]}"
    with pytest.raises(InvalidInput, match="no JSON"):
        bundle_records.parse(data, "it")
