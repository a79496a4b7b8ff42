"""What a local store looks like on disk, and whom it does not follow."""

import os
import stat
import uuid
from pathlib import Path

import pytest

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.domain.errors import BlobDamaged, BlobNotFound, InvalidInput, StorageError
from modelyard.testing.blobs import ABSENT, LARGE, SMALL, digest, flipped


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def store(root):
    return LocalBlobs(root)


def place(root: Path, data: bytes, folder: str = "blobs") -> Path:
    name = digest(data).removeprefix("sha256:")
    return root / folder / "sha256" / name[:2] / name


def test_nothing_is_made_before_the_first_put(store, root):
    assert store.stat(ABSENT) is None
    assert list(store.list()) == []
    assert store.sweep(older_than_seconds=0) == 0
    store.delete(ABSENT)
    store.quarantine(ABSENT)
    with pytest.raises(BlobNotFound):
        store.open(ABSENT)
    assert not root.exists()


def test_everything_is_for_its_owner_alone_and_blobs_are_read_only(store, root):
    store.put([SMALL])
    store.put([LARGE])
    for path in [root, *root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        else:
            assert mode == (0o600 if "cache" in path.parts else 0o400), path


def test_two_stores_share_a_root_and_keep_apart(root):
    blobs, manifests = LocalBlobs(root), LocalBlobs(root, folder="manifests")
    manifests.put([SMALL])
    assert blobs.stat(digest(SMALL)) is None
    assert place(root, SMALL, "manifests").read_bytes() == SMALL
    assert [info.digest for info in manifests.list()] == [digest(SMALL)]


def test_list_passes_over_what_is_not_a_blob(store, root):
    store.put([SMALL])
    shelf = root / "blobs" / "sha256" / "aa"
    (shelf / "notes.txt").write_text("not a blob")
    (shelf / ("b" * 64)).write_text("in the wrong folder")
    (shelf / ("a" * 64)).mkdir()
    assert [info.digest for info in store.list()] == [digest(SMALL)]


def test_opened_and_refused_calls_leave_no_descriptor_open(store, tmp_path):
    def once():
        store.put([LARGE])
        next(store.open(digest(LARGE)))
        list(store.open(digest(LARGE)))
        for call in (
            lambda: store.put([LARGE], expect=ABSENT),
            lambda: store.open(ABSENT),
            lambda: store.put_file(tmp_path),
            lambda: store.materialise(digest(LARGE), tmp_path),
        ):
            with pytest.raises((BlobDamaged, BlobNotFound, InvalidInput, StorageError, FileExistsError)):
                call()

    once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        once()
    assert len(os.listdir("/proc/self/fd")) == before


# A8: names and folders planted by somebody else


def test_A8_a_link_planted_under_the_name_of_a_draft_is_not_written_through(
    store, root, tmp_path, monkeypatch
):
    store.put([b"so that the folders are there"])
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    known = uuid.UUID(int=7)
    (root / "tmp" / str(known)).symlink_to(victim)
    monkeypatch.setattr(uuid, "uuid4", lambda: known)
    with pytest.raises(StorageError, match="EEXIST"):
        store.put([SMALL])
    assert victim.read_bytes() == b"precious"
    assert store.stat(digest(SMALL)) is None


@pytest.mark.parametrize("planted", ["tmp", "blobs", "blobs/sha256", "shelf", "quarantine"])
def test_A8_a_folder_replaced_by_a_link_is_refused(store, root, tmp_path, planted):
    store.put([SMALL])
    outside = tmp_path / "outside"
    path = place(root, LARGE).parent if planted == "shelf" else root / planted
    path.rename(outside) if path.exists() else outside.mkdir()
    path.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(StorageError, match="is a link or a file where a real folder was expected"):
        store.quarantine(digest(SMALL)) if planted == "quarantine" else store.put([LARGE])
    if planted.startswith("blobs"):
        for call in (store.stat, store.location, store.open, store.delete, store.verify):
            with pytest.raises(StorageError, match="not followed"):
                call(digest(SMALL))
    assert sorted(outside.rglob("*")) == before


def test_A8_a_blob_replaced_by_a_link_is_damage_and_never_followed(store, root, tmp_path):
    store.put([SMALL])
    (tmp_path / "secret").write_bytes(SMALL)
    place(root, SMALL).unlink()
    place(root, SMALL).symlink_to(tmp_path / "secret")
    assert store.stat(digest(SMALL)) is None
    assert store.location(digest(SMALL)) is None
    with pytest.raises(BlobDamaged, match="link"):
        store.open(digest(SMALL))
    with pytest.raises(BlobDamaged, match="link"):
        store.verify(digest(SMALL))
    store.put([SMALL])
    assert not place(root, SMALL).is_symlink()
    store.delete(digest(SMALL))
    assert (tmp_path / "secret").read_bytes() == SMALL


@pytest.mark.parametrize("planted", ["link", "folder", "pipe"])
def test_a_planted_cache_entry_is_ignored(store, root, tmp_path, planted):
    store.put([b"so that the folders are there"])
    name = digest(SMALL).removeprefix("sha256:")[:2]
    shard = root / "cache" / "blobs-verified" / name
    (tmp_path / "victim").write_bytes(b"precious")
    if planted == "link":
        shard.symlink_to(tmp_path / "victim")
    elif planted == "folder":
        shard.mkdir()
    else:
        os.mkfifo(shard)
    store.put([SMALL])
    store.verify(digest(SMALL))
    store.materialise(digest(SMALL), tmp_path / "copy")
    assert (tmp_path / "victim").read_bytes() == b"precious"


# F9, F10: damage


def test_F9_a_flipped_bit_at_any_of_a_hundred_places_is_found_by_every_reader(store, root, tmp_path):
    data = os.urandom(1_300_000)
    store.put([data])
    stored = place(root, data)
    stored.chmod(0o600)
    for number in range(100):
        at = number * len(data) // 100 + number
        stored.write_bytes(flipped(data, at, 1 << number % 8))
        with pytest.raises(BlobDamaged):
            store.verify(digest(data))
        with pytest.raises(BlobDamaged):
            list(store.open(digest(data)))
        with pytest.raises(BlobDamaged):
            store.materialise(digest(data), tmp_path / "copy")
    stored.write_bytes(data)
    store.verify(digest(data))
    assert not (tmp_path / "copy").exists()


def test_F10_a_blob_replaced_by_a_folder_is_damage_that_quarantine_clears(store, root):
    store.put([SMALL])
    place(root, SMALL).unlink()
    place(root, SMALL).mkdir()
    (place(root, SMALL) / "inside").write_text("somebody's")
    assert store.stat(digest(SMALL)) is None
    assert list(store.list()) == []
    with pytest.raises(BlobDamaged, match="folder"):
        store.open(digest(SMALL))
    store.quarantine(digest(SMALL))
    aside = next((root / "quarantine").iterdir())
    assert aside.name.startswith("blobs-" + digest(SMALL).removeprefix("sha256:"))
    assert (aside / "inside").read_text() == "somebody's"
    store.put([SMALL])
    store.verify(digest(SMALL), cached=False)


def test_F10_deleting_a_folder_in_a_blobs_place_destroys_nothing(store, root):
    store.put([SMALL])
    place(root, SMALL).unlink()
    place(root, SMALL).mkdir()
    (place(root, SMALL) / "inside").write_text("somebody's")
    store.delete(digest(SMALL))
    assert not place(root, SMALL).exists()
    assert [path.name for path in (root / "quarantine").rglob("inside")] == ["inside"]


def test_quarantine_keeps_the_damaged_bytes(store, root):
    store.put([SMALL])
    place(root, SMALL).chmod(0o600)
    place(root, SMALL).write_bytes(flipped(SMALL, 2))
    store.put([SMALL])
    assert [path.read_bytes() for path in (root / "quarantine").iterdir()] == [flipped(SMALL, 2)]
    assert place(root, SMALL).read_bytes() == SMALL
