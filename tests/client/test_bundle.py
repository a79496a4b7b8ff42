"""A registry as one file."""

import io
import json
import tarfile

import pytest

from modelyard import AlreadyExists, AuditBroken, BlobDamaged, BlobNotFound, InvalidInput, ModelRegistry
from modelyard.client import bundle
from modelyard.domain.errors import IntegrityError

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
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert names[0] == "registry.json"
    assert len(names) == 3
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
    with pytest.raises(InvalidInput, match="there is no bundle"):
        registry.import_registry(tmp_path / "nowhere.tar")
    (tmp_path / "b.json").write_text("{}")
    monkeypatch.setattr(bundle, "LARGEST_INDEX", 1)
    with pytest.raises(InvalidInput, match="larger than any"):
        registry.import_registry(tmp_path / "b.json")


def rewritten(path, change):
    """The tar with each member's bytes as ``change(name, bytes)`` gives them; ``None`` leaves it out."""
    with tarfile.open(path) as archive:
        members = [(m, archive.extractfile(m).read()) for m in archive.getmembers()]
    with tarfile.open(path, "w") as archive:
        for member, data in members:
            if (data := change(member.name, data)) is not None:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def test_bytes_that_differ_from_their_name_are_refused(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    rewritten(path, lambda name, data: b"0ne" if data == b"one" else data)
    with pytest.raises(BlobDamaged):
        elsewhere.import_registry(path)
    assert elsewhere.list_names() == []


def test_bytes_that_are_left_out_are_missed(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    rewritten(path, lambda name, data: None if data == b"one" else data)
    with pytest.raises(BlobNotFound):
        elsewhere.import_registry(path)
    assert elsewhere.list_names() == []


def test_bytes_that_nobody_names_are_not_taken(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar", names=["facts"])
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    assert elsewhere.import_registry(path).blobs == 0


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_members_that_are_no_files_are_refused(registry, elsewhere, tmp_path, kind):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InvalidInput, match="no bundle has"):
        elsewhere.import_registry(path)
    assert elsewhere.list_names() == []


# --- a refusal leaves nothing, and names what is wrong ----------------------------------------------------------------


def edited(path, change):
    """The tar with its index as ``change`` leaves it."""

    def index(name, data):
        if name != "registry.json":
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    rewritten(path, index)


def stored(registry):
    return [info.digest for info in registry._service.blobs.list()]


def move_pointer(document):
    document["models"][1]["holders"] = {"production": [2]}


def change_event(document):
    document["events"][1]["actor"] = "mallory"


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


def test_a_stray_member_at_the_end_is_refused_before_a_byte_is_stored(registry, elsewhere, tmp_path):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("stray"))
    with pytest.raises(InvalidInput, match="no bundle has"):
        elsewhere.import_registry(path)
    assert stored(elsewhere) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"longer" if data == b"two" else data,
        lambda data: None if data == b"two" else data,
    ],
    ids=["longer", "missing"],
)
def test_bytes_that_cannot_be_right_are_refused_before_any_is_stored(registry, elsewhere, tmp_path, change):
    with_files(registry)
    path = registry.export_registry(tmp_path / "all.tar")
    rewritten(path, lambda name, data: data if name == "registry.json" else change(data))
    with pytest.raises((BlobDamaged, BlobNotFound)):
        elsewhere.import_registry(path)
    assert stored(elsewhere) == []


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
        document["versions"][-1]["data_lineage"] = "s3://x"
        document["events"][-1]["reason"] = 5
        document["models"][0]["key"] = None
        document["versions"].append("nonsense")

    path = registry.export_registry(tmp_path / "all.tar")
    edited(path, change)
    with pytest.raises(InvalidInput, match=r"4 record\(s\) that cannot be read") as caught:
        elsewhere.import_registry(path)
    assert [reason.partition(": ")[0] for reason in caught.value.reasons] == [
        "facts",
        "fraud:0.1.1",
        "ModelVersion 4",
        "fraud event 4",
    ]
    assert "ModelVersion.data_lineage must be dict, not str" in caught.value.reasons[1]
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
    registry.update_model_metrics("fraud", {"f1": float("nan"), "tiny": 1e-300, "big": 1e300, "whole": 3.0})
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
