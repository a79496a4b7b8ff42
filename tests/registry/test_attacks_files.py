"""Hostile paths, names of files, bytes and bundles."""

import io
import json
import os
import socket
import tarfile
from dataclasses import replace

import pytest

from modelyard import (
    BlobDamaged,
    InvalidConfig,
    InvalidInput,
    InvalidPath,
    LoadRefused,
    ModelRegistry,
    ModelyardError,
    NotAllowed,
    NotSupported,
)
from modelyard.domain.records import FileEntry
from modelyard.ports.service import CreateVersion

from .rounds import files_below, refused

ESCAPING = [
    *(
        "../../x",
        "..\\..\\x",
        "/etc/passwd",
        "C:\\x",
        "C:x",
        "\\\\h\\s",
        "a/../../b",
        "a/..",
        "..",
        "../",
        "./x",
    ),
    *("a//b", "a/./b", "/", "//h/s", "a/", "~/x/../..", "a\0b", "a\nb", "a\x1b[2Jb", "\ud800", "a/\u202e/b"),
    *(
        "a\u200b",
        "\uff0e\uff0e/x",
        "..\u2215x/..",
        "CON",
        "con.txt",
        "a/NUL",
        "COM1",
        "LPT9.log",
        "a:b",
        "a:$DATA",
    ),
    *("-rf", "a.", "a ", "a/b.", "", ".", " ", "x" * 256, "/".join(["d"] * 1000), "\u00e9" * 200),
]
SPELLED = [
    *("%2e%2e%2fx", "%252e%252e%252fx", "%2f%2f%2fetc", "..;/x", "a;/../b", "a#/../b", "%00", "..%c0%afx"),
    *("%5c..%5cx", "a*b", "a?b", "a|b", " a"),
]
ADDRESSES = [
    *("file:///etc/passwd", "FILE://localhost/etc/passwd", "://x", "s3://b/../c", "http://127.0.0.1:9/x"),
    "jar:file:/x!/y",
]
NO_DIGESTS = [
    *("sha1:" + "0" * 40, "sha256:" + "A" * 64, "SHA256:" + "a" * 64, "../" + "a" * 64, "a" * 64, ""),
    "sha256:" + "0" * 63 + "/",
]
CLASS_PATHS = ["os.system", "posix", "../../x", "modelyard.registry:ModelRegistry", "subprocess", ""]
BUNDLES = [["../x"], ["oci-layout", "../x"], ["oci-layout", "index.json", "/etc/x"], [], ["blobs/sha256/x"]]


@pytest.mark.parametrize("path", ESCAPING, ids=lambda path: ascii(path)[:30])
def test_A1_A5_no_file_of_a_version_is_called_so(registry, tmp_path, path):
    (tmp_path / "f").write_bytes(b"x")
    outside = files_below(tmp_path)
    with refused(registry, InvalidPath):
        registry.register_model(None, "fraud", artifacts={path: tmp_path / "f"})
    info = registry._service.put_blob([b"x"])
    entry = FileEntry(path=path, size=1, digest=info.digest)
    with refused(registry, InvalidPath):
        registry._service.create_version(CreateVersion(name="fraud", files=(entry,)))
    assert files_below(tmp_path) == outside


@pytest.mark.parametrize("path", SPELLED)
def test_A2_spellings_for_other_parsers_are_refused_or_mean_themselves(registry, tmp_path, path):
    (tmp_path / "f").write_bytes(b"x")
    try:
        registry.register_model(None, "fraud", artifacts={path: tmp_path / "f"})
    except InvalidPath:
        return
    target = registry.download("fraud", tmp_path / "inside" / "copy")
    assert list(files_below(target)) == [path]
    assert list(files_below(tmp_path / "inside")) == [f"copy/{path}"]


@pytest.mark.parametrize(
    "pair", [("a", "a/b"), ("a/b", "A/b"), ("é", "e\u0301"), ("straße", "STRASSE"), ("ﬁ", "fi")], ids=ascii
)
def test_A5_two_files_that_some_disks_cannot_tell_apart_are_refused(registry, tmp_path, pair):
    (tmp_path / "f").write_bytes(b"x")
    with refused(registry, InvalidPath):
        registry.register_model(None, "fraud", artifacts=dict.fromkeys(pair, tmp_path / "f"))


@pytest.mark.parametrize("source", ADDRESSES)
def test_A3_a_source_is_never_an_address(registry, tmp_path, source):
    with refused(registry, InvalidInput, "no file or directory"):
        registry.register_model(source, "fraud")


@pytest.mark.parametrize(
    ("location", "refusal"),
    [
        ("s3://bucket/x", NotSupported),
        ("ftp://127.0.0.1:9", NotSupported),
        ("postgresql://h/d", InvalidConfig),  # for records, and says nothing of where the bytes are
        ("file:///tmp/../x", NotSupported),
    ],
)
def test_A3_an_address_as_a_location_is_refused_and_makes_no_folder(tmp_path, location, refusal):
    before = files_below(tmp_path)
    with pytest.raises(refusal):
        ModelRegistry(location)
    assert files_below(tmp_path) == before


def test_A7_links_sockets_and_pipes_in_a_directory_are_named_and_refused(registry, tmp_path):
    kinds = {
        "link": lambda path: path.symlink_to("/etc/shadow"),
        "folder link": lambda path: path.symlink_to("/etc"),
        "pipe": os.mkfifo,
        "dangling": lambda path: path.symlink_to("nowhere"),
    }
    for kind, make in kinds.items():
        folder = tmp_path / kind
        folder.mkdir()
        make(folder / "odd one")
        with refused(registry, (InvalidPath, InvalidInput), "odd one"):
            registry.register_model(folder, "fraud")
        if "link" in kind:
            with refused(registry, InvalidPath, "leads out"):
                registry.register_model(folder, "fraud", follow_symlinks=True)


def test_A7_a_socket_is_refused(registry, tmp_path, monkeypatch):
    (tmp_path / "s").mkdir()
    monkeypatch.chdir(tmp_path / "s")  # the name of a socket is at most 108 bytes long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("odd")
        with refused(registry, InvalidPath, "not a regular file"):
            registry.register_model(tmp_path / "s", "fraud")


def test_A7_a_link_that_stays_inside_may_be_followed(registry, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "real").write_bytes(b"weights")
    (folder / "again").symlink_to("real")
    with refused(registry, InvalidPath, "symbolic link"):
        registry.register_model(folder, "fraud")
    version = registry.get_model(registry.register_model(folder, "fraud", follow_symlinks=True))
    assert [f.path for f in version.files] == ["again", "real"]


@pytest.mark.parametrize("digest", NO_DIGESTS)
def test_A12_only_a_digest_is_taken_for_one(registry, digest):
    service = registry._service
    for call in (
        lambda: service.put_blob([b"x"], digest=digest),
        lambda: service.has_blob(digest),
        lambda: service.open_blob(digest),
        lambda: service.create_version(
            CreateVersion(name="f", files=(FileEntry(path="m", size=1, digest=digest),))
        ),
    ):
        with refused(registry, InvalidInput):
            call()


def test_A12_a_digest_with_another_body_is_refused_and_the_first_stays(registry):
    info = registry._service.put_blob([b"first"])
    for body in (b"other", b"", b"first and more"):
        with refused(registry, BlobDamaged):
            registry._service.put_blob([body], digest=info.digest)
    assert b"".join(registry._service.open_blob(info.digest)) == b"first"


EVIL = b"cos\nsystem\n(S'touch %s'\ntR."


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.txt", "model"])
def test_A52_a_hostile_pickle_never_runs_whatever_is_done_with_it(registry, tmp_path, name):
    canary = tmp_path / "canary"
    (tmp_path / name).write_bytes(EVIL % str(canary).encode())
    evil = registry.register_model(tmp_path / name, "fraud", performance_metrics={"accuracy": 1.0})
    harmless = registry.register_model(io.BytesIO(b"text"), "fraud", performance_metrics={"accuracy": 0.5})
    version = registry.get_model(evil)
    assert version.scan == "unsafe"
    registry.compare_models(evil, harmless)
    registry.status("fraud")
    registry.fsck(deep=True)
    registry.download(evil, tmp_path / "copy")
    registry.export_registry(tmp_path / "all.tar")
    for trust in ((), ("os.*",), ("*",), ("posix.*", "os.system")):
        with refused(registry, (LoadRefused, InvalidInput)):
            registry.load_model(evil, trust=trust)
    with refused(registry, NotAllowed):
        registry.promote_model(evil, "production")
    with refused(registry, NotAllowed):
        registry.set_alias("fraud", "champion", "#1")
    with refused(registry, NotAllowed):
        registry.rollback_model("fraud", "#1")
    assert not canary.exists()


def test_A52_a_bundle_that_calls_a_hostile_pickle_clean_is_not_believed(registry, tmp_path):
    """Neither as records, nor with the bytes: who writes the lie writes the digests that fit it."""
    canary = tmp_path / "canary"
    (tmp_path / "m.pkl").write_bytes(EVIL % str(canary).encode())
    with ModelRegistry("memory://") as elsewhere:
        elsewhere.register_model(tmp_path / "m.pkl", "fraud")
        elsewhere.export_registry(tmp_path / "all.json")
        told = elsewhere._service.export
        (version,) = told().versions
        scans = {path: replace(report, verdict="clean", globals=()) for path, report in version.scans.items()}
        lie = replace(told(), versions=(replace(version, scans=scans),))
        elsewhere._service.export = lambda names: lie
        elsewhere.export_registry(tmp_path / "lie.tar")
    assert b'"verdict":"unsafe"' not in (tmp_path / "lie.tar").read_bytes()
    registry.import_registry(tmp_path / "lie.tar")
    assert registry.get_model("fraud").scan == "unsafe"
    with refused(registry, LoadRefused):
        registry.load_model("fraud")
    assert not canary.exists()


def test_A70_a_bundle_brings_no_roles_tokens_or_registry(registry, tmp_path):
    """What is in one is only what can be read from a model's history; anything else has no place."""
    with ModelRegistry("memory://") as elsewhere:
        elsewhere.register_model(None, "fraud")
        elsewhere.export_registry(tmp_path / "all.json")
    document = json.loads((tmp_path / "all.json").read_text())
    for key in ("tokens", "roles", "users", "registry", "receipts", "blobs"):
        (tmp_path / "more.json").write_text(json.dumps({**document, key: [{"name": "admin"}]}))
        with refused(registry, InvalidInput):
            registry.import_registry(tmp_path / "more.json")


@pytest.mark.parametrize("wanted", CLASS_PATHS)
def test_A72_a_class_path_in_a_request_imports_nothing(registry, wanted, tmp_path):
    import sys

    before = set(sys.modules)
    if wanted:
        with refused(registry, ModelyardError):
            registry.register_model({"a": 1}, "fraud", serialization_format=wanted)
    registry.register_model(
        None, "fraud", attributes={"flavor": wanted, "entry_point": wanted}, tags={"class": wanted}
    )
    with refused(registry, ModelyardError):
        registry.promote_model("fraud", "staging", {wanted: 1})
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in ("posix", "subprocess")}


def hostile(path, names):
    """A tar with members of these names."""
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"{}"))


@pytest.mark.parametrize("names", BUNDLES, ids=str)
def test_A70_a_hostile_bundle_writes_nothing(registry, tmp_path, names):
    hostile(tmp_path / "b.tar", names)
    outside = files_below(tmp_path)
    with refused(registry, InvalidInput):
        registry.import_registry(tmp_path / "b.tar")
    assert files_below(tmp_path) == outside
