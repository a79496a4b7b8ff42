"""A registry as one file."""

import io
import json
import tarfile

import pytest

from modelyard import (
    AlreadyExists,
    AuditBroken,
    BlobDamaged,
    BlobNotFound,
    InvalidInput,
    ModelRegistry,
    StorageFull,
)
from modelyard.client import bundle, bundle_tar
from modelyard.domain import layout
from modelyard.domain.canonical import sha256
from modelyard.domain.errors import IntegrityError

from .forging import edited, members, pack
from .test_listing import fill


@pytest.fixture
def elsewhere(tmp_path):
    with ModelRegistry(tmp_path / "elsewhere") as registry:
        yield registry


def with_files(registry):
    """Two versions with bytes, one deleted, one fact."""
    for data in (b"one", b"two"):
        registry.register_model(io.BytesIO(data), "fraud", performance_metrics={"accuracy": 0.9})
    registry.promote_model("fraud#1", "production")
    registry.delete_model("fraud#2")
    registry.register_model(None, "facts")


def test_a_tar_carries_everything_and_nothing_twice(registry, elsewhere, tmp_path):
    with_files(registry)
    registry.register_model(io.BytesIO(b"one"), "another")
    path = registry.export_registry(tmp_path / "deep" / "all.tar")
    blobs = dict(members(path))
    assert len(blobs) == len(members(path))
    for name, data in blobs.items():
        if name not in (layout.LAYOUT_FILE, layout.INDEX_FILE):
            assert layout.blob_path(sha256(data)) == name
    assert {data for data in blobs.values() if len(data) < 10} == {b"one", b"two", b"{}"}
    done = elsewhere.import_registry(path)
    assert (done.models["fraud"], done.versions, done.blobs, done.size) == ("taken", 4, 2, 6)
    assert elsewhere.history("fraud") == registry.history("fraud")
    assert elsewhere.download("fraud#1", tmp_path / "copy")
    assert elsewhere.undelete_model("fraud#2").number == 2
    assert elsewhere.fsck(deep=True).ok
    assert elsewhere.verify_audit().ok


def test_the_same_registry_gives_the_same_bytes(registry, tmp_path):
    with_files(registry)
    for suffix in ("json", "tar"):
        first = registry.export_registry(tmp_path / f"a.{suffix}").read_bytes()
        assert registry.export_registry(tmp_path / f"b.{suffix}").read_bytes() == first


def test_some_models_may_be_left_out(registry, tmp_path):
    with_files(registry)
    registry.export_registry(tmp_path / "some.json", names=["facts"])
    document = json.loads((tmp_path / "some.json").read_text())
    assert [model["name"] for model in document["models"]] == ["facts"]


def test_importing_twice_changes_nothing(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    elsewhere.import_registry(path)
    again = elsewhere.import_registry(path)
    assert (again.versions, again.blobs, set(again.models.values())) == (0, 0, {"unchanged"})


def test_records_alone_need_their_bytes_to_be_there(registry, elsewhere, tmp_path):
    with_files(registry)
    registry.export_registry(tmp_path / "all.json")
    with pytest.raises(BlobNotFound, match=r"export to a \.tar"):
        elsewhere.import_registry(tmp_path / "all.json")
    for data in (b"one", b"two"):
        elsewhere._service.put_blob([data])
    assert elsewhere.import_registry(tmp_path / "all.json").versions == 3


def test_an_export_overwrites_nothing_and_needs_a_known_ending(registry, tmp_path):
    fill(registry)
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(AlreadyExists):
        registry.export_registry(tmp_path / "a.json")
    with pytest.raises(InvalidInput, match=r"\.json .* or \.tar"):
        registry.export_registry(tmp_path / "a.zip")
    assert (tmp_path / "a.json").read_text() == "mine"


def test_an_export_that_fails_leaves_no_file(registry, tmp_path):
    with_files(registry)
    version = registry.get_model("fraud#1")
    blob = registry._service.location(version.files[0].digest)
    blob.chmod(0o600)
    blob.write_bytes(b"on")
    with pytest.raises(BlobDamaged):
        registry.export_registry(tmp_path / "out" / "all.tar")
    assert list((tmp_path / "out").iterdir()) == []


NO_BUNDLES = [
    *("", "{", "[]", "{}", '"x"', "[" * 100_000, '{"format": 2}', '{"format": 1}'),
    '{"format": 1, "models": [{}], "versions": [], "events": []}',
    '{"format": 1, "models": {}, "versions": 5, "events": []}',
]


@pytest.mark.parametrize("text", NO_BUNDLES, ids=lambda text: text[:20])
def test_what_is_no_bundle_is_refused(registry, tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InvalidInput):
        registry.import_registry(tmp_path / "b.json")
    assert registry.history("") == []


def test_a_missing_bundle_and_an_endless_one_are_refused(registry, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match="not a regular file"):
        registry.import_registry(tmp_path / "folder")
    with pytest.raises(InvalidInput, match="there is no bundle"):
        registry.import_registry(tmp_path / "nowhere.tar")
    (tmp_path / "b.json").write_text("{}")
    monkeypatch.setattr(bundle, "LARGEST", 1)
    with pytest.raises(InvalidInput, match="larger than any"):
        registry.import_registry(tmp_path / "b.json")


def rewritten(path, change):
    """The bundle with each member's bytes as ``change(name, bytes)`` gives them; ``None`` leaves it out."""
    parts = [(name, change(name, data)) for name, data in members(path)]
    pack(path, [(name, data) for name, data in parts if data is not None])


def test_bytes_that_differ_from_their_name_are_refused(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    rewritten(path, lambda name, data: b"0ne" if data == b"one" else data)
    with pytest.raises(BlobDamaged):
        elsewhere.import_registry(path)
    assert (elsewhere.list_names(), stored(elsewhere)) == ([], [])


def test_the_last_of_many_bytes_is_checked_before_the_first_is_stored(registry, elsewhere, tmp_path):
    for number in range(5):
        registry.register_model(io.BytesIO(bytes([number]) * 3_000_000), "fraud")
    path = registry.export_registry(tmp_path / "all.tar")
    data = bytearray(path.read_bytes())
    data[-len(bundle_tar.END) - bundle_tar.padding(3_000_000) - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises((BlobDamaged, InvalidInput)):
        elsewhere.import_registry(path)
    assert (elsewhere.list_names(), stored(elsewhere)) == ([], [])


def test_a_bundle_that_another_tool_packed_anew_is_refused(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    parts = members(path)
    with tarfile.open(path, "w") as archive:
        for name, data in parts:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(InvalidInput, match="not as another tool packs them"):
        elsewhere.import_registry(path)


# --- a refusal leaves nothing, and names what is wrong ----------------------------------------------------------------


def stored(registry):
    return [info.digest for info in registry._service.blobs.list()]


def move_pointer(document):
    document["models"][0]["holders"] = {"production": [2]}


def change_event(document):
    document["events"][-1]["actor"] = "mallory"


def drop_version(document):
    document["versions"] = [v for v in document["versions"] if v["number"] != 1]


@pytest.mark.parametrize(
    ("change", "kind"),
    [(move_pointer, IntegrityError), (change_event, AuditBroken), (drop_version, IntegrityError)],
    ids=["pointer", "event", "version"],
)
def test_records_that_do_not_hold_are_refused_before_a_byte_is_stored(
    registry, elsewhere, tmp_path, change, kind
):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    edited(path, change)
    with pytest.raises(kind, match="nothing was imported"):
        elsewhere.import_registry(path)
    assert (stored(elsewhere), elsewhere.list_names(), elsewhere.history("")) == ([], [], [])


def test_a_bundle_that_is_cut_off_is_refused_before_a_byte_is_stored(registry, elsewhere, tmp_path):
    registry.register_model(io.BytesIO(b"x" * 5_000), "a")
    registry.register_model(io.BytesIO(b"y" * 5_000), "b")
    path = registry.export_registry(tmp_path / "all.tar")
    whole = path.read_bytes()
    for length in (len(whole) // 2, whole.rindex(b"yyyy"), 1000):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput):
            elsewhere.import_registry(path)
        assert stored(elsewhere) == []


def test_a_record_that_cannot_be_read_is_named_and_not_the_whole_bundle(registry, elsewhere, tmp_path):
    with_files(registry)

    def change(document):
        if document["models"][0]["name"] != "fraud":
            return
        document["versions"][-1]["data_lineage"] = "s3://x"
        document["events"][-1]["reason"] = 5
        document["models"][0]["key"] = None
        document["versions"].append("nonsense")

    path = registry.export_registry(tmp_path / "all.tar")
    edited(path, change)
    with pytest.raises(InvalidInput, match=r"4 record\(s\) that cannot be read") as caught:
        elsewhere.import_registry(path)
    assert [reason.partition(": ")[0] for reason in caught.value.reasons] == [
        "fraud",
        "fraud:0.1.1",
        "ModelVersion 3",
        "fraud event 4",
    ]
    assert "ModelVersion.data_lineage must be" in caught.value.reasons[1]
    assert (stored(elsewhere), elsewhere.list_names()) == ([], [])


def test_pointers_and_gates_that_were_edited_in_the_records_are_refused(registry, elsewhere, tmp_path):
    with_files(registry)
    registry.set_policy("fraud", {"gates": {"production": {"min_accuracy": 0.5}}})
    for change in (
        lambda model: model.update(holders={}),
        lambda model: model["policy"].update(gates={}),
        lambda model: model["policy"].update(trust=["numpy.*"]),
    ):
        path = registry.export_registry(tmp_path / f"{id(change)}.json", names=["fraud"])
        document = json.loads(path.read_text())
        change(document["models"][0])
        path.write_text(json.dumps(document))
        with pytest.raises(IntegrityError, match="do not follow from its history"):
            elsewhere.import_registry(path)
    assert elsewhere.list_names() == []


def test_awkward_numbers_and_words_survive_the_way_through_a_file(registry, elsewhere, tmp_path):
    registry.register_model(io.BytesIO(b"one"), "fraud")
    registry.update_model_metrics("fraud", {"f1": -0.0, "tiny": 1e-300, "big": 1e300, "whole": 3.0})
    registry.annotate("fraud", attributes={"big": 2**70, "f": 1e21, "a.b": {"\U0001f600": [1.0, None]}})
    registry.set_policy("fraud", {"gates": {"production": {"min_f1": 0.5, "max_age_days": 30}}})
    path = registry.export_registry(tmp_path / "all.tar")
    assert elsewhere.import_registry(path).models == {"fraud": "taken"}
    assert elsewhere.fsck().ok
    again = elsewhere.export_registry(tmp_path / "again.tar")
    assert again.read_bytes() == path.read_bytes()


def test_another_history_in_a_file_takes_every_version_once(registry, elsewhere, tmp_path):
    for label in ("1.0.0", "1.1.0", "1.2.0"):
        registry.register_model(None, "m", label)
    elsewhere.register_model(None, "m", "9.0.0")
    path = registry.export_registry(tmp_path / "a.tar")
    done = elsewhere.import_registry(path)
    assert (done.models, done.versions, len(done.notes)) == ({"m": "renumbered"}, 3, 3)
    assert elsewhere.import_registry(path).versions == 0
    assert elsewhere.fsck().ok


def test_a_wiped_registry_comes_back_to_the_last_byte(tmp_path):
    """Names that come to one slug keep theirs, whoever was there first."""
    with ModelRegistry(tmp_path / "first") as registry:
        with_files(registry)
        for name in ("zeta-x", "Zeta x", "zeta_x", "Über/Modell", "模型"):
            registry.register_model(io.BytesIO(name.encode()), name, alias="best")
        path = registry.export_registry(tmp_path / "before.tar")
        records = registry.export_registry(tmp_path / "before.json")
    with ModelRegistry(tmp_path / "second") as registry:
        assert set(registry.import_registry(path).models.values()) == {"taken"}
        assert registry.export_registry(tmp_path / "after.tar").read_bytes() == path.read_bytes()
        assert registry.export_registry(tmp_path / "after.json").read_bytes() == records.read_bytes()
        assert registry.fsck(deep=True).findings == ()


def test_the_order_of_the_names_does_not_matter_and_each_counts_once(registry, tmp_path):
    with_files(registry)
    one = registry.export_registry(tmp_path / "one.tar", names=["fraud", "facts"])
    other = registry.export_registry(tmp_path / "other.tar", names=["facts", "fraud", "fraud"])
    assert (
        one.read_bytes() == other.read_bytes() == registry.export_registry(tmp_path / "all.tar").read_bytes()
    )


def test_an_empty_registry_is_a_bundle_too(registry, elsewhere, tmp_path):
    path = registry.export_registry(tmp_path / "none.tar")
    done = elsewhere.import_registry(path)
    assert (done.models, done.versions, done.blobs) == ({}, 0, 0)
    assert elsewhere.history("") == []


def test_collected_versions_travel_without_their_bytes(registry, elsewhere, tmp_path):
    with_files(registry)
    registry.gc(dry_run=False, grace_days=0)
    path = registry.export_registry(tmp_path / "all.tar")
    assert b"two" not in dict(members(path)).values()
    assert elsewhere.import_registry(path).blobs == 1
    assert elsewhere.export_registry(tmp_path / "again.tar").read_bytes() == path.read_bytes()


def test_a_file_of_eight_gibibytes_still_has_one_block_before_it():
    """Its size does not fit the digits of ustar (POSIX.1-2017, pax)."""
    for size in (0, 8**11 - 1, 8**11, 8**11 + 5, 1 << 45):
        block = bundle_tar.header("blobs/sha256/" + "0" * 64, size)
        assert len(block) == bundle_tar.BLOCK
        assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size


@pytest.mark.parametrize("chunks", [[], [b"one", b"two"], [b"ab"]], ids=repr)
def test_a_file_of_another_size_than_its_record_says_stops_an_export(tmp_path, chunks):
    with (tmp_path / "out").open("wb") as out, pytest.raises(BlobDamaged, match="fsck --deep"):
        bundle_tar.add_stream(out.fileno(), "x", 3, chunks, lambda count: None)


def test_bars_are_told_of_every_byte(registry, elsewhere, tmp_path):
    registry.register_model(io.BytesIO(b"x" * 2_500_000), "fraud")
    seen = {}

    def bar(title, total):
        seen[title] = [0, total]

        def advance(count):
            seen[title][0] += count

        return advance

    registry.progress = elsewhere.progress = bar
    elsewhere.import_registry(registry.export_registry(tmp_path / "all.tar"))
    assert {title: done == total for title, (done, total) in seen.items()} == {
        "writing": True,
        "checking": True,
        "storing": True,
    }
    assert seen["storing"] == [2_500_000, 2_500_000]


def test_many_small_files_are_stored_like_few(registry, elsewhere, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(bundle.MANY + 5):
        (folder / f"{number}.bin").write_bytes(b"%d" % number * 50)
    (folder / "large.bin").write_bytes(b"x" * (bundle_tar.PIECE + 1))
    registry.register_model(folder, "fraud")
    path = registry.export_registry(tmp_path / "all.tar")
    assert elsewhere.import_registry(path).blobs == bundle.MANY + 6
    assert elsewhere.export_registry(tmp_path / "again.tar").read_bytes() == path.read_bytes()
    assert elsewhere.import_registry(path).blobs == 0


def test_a_disk_that_fails_on_one_of_many_files_stops_the_import(registry, elsewhere, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(bundle.MANY * 4):
        (folder / f"{number}.bin").write_bytes(b"%d" % number)
    registry.register_model(folder, "fraud")
    path = registry.export_registry(tmp_path / "all.tar")
    real, calls = elsewhere._service.put_blob, []

    def failing(chunks, *, digest=None):
        calls.append(digest)
        if len(calls) == 10:
            raise StorageFull("no room")
        return real(chunks, digest=digest)

    monkeypatch.setattr(elsewhere._service, "put_blob", failing)
    with pytest.raises(StorageFull):
        elsewhere.import_registry(path)
    assert len(calls) < bundle.MANY * 4, "what had not begun was left"
    assert elsewhere.list_names() == []
    assert elsewhere.import_registry(path).models == {"fraud": "taken"}


def test_a_disk_that_is_full_leaves_no_half_export(registry, tmp_path, monkeypatch):
    import errno
    import os

    with_files(registry)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="nothing was written"):
        registry.export_registry(tmp_path / "out" / "all.tar")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_bundle_holds_is_told_without_reading_it(registry, tmp_path):
    with_files(registry)
    told = bundle.summary(registry.export_registry(tmp_path / "all.tar"))
    assert (told["models"], told["base"], told["left_out_blobs"]) == (2, "", 0)
    with pytest.raises(InvalidInput, match=r"which a \.tar is"):
        bundle.summary(registry.export_registry(tmp_path / "all.json"))
