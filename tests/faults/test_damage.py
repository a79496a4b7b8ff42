"""A medium that rots: every changed byte of a model is noticed before anybody gets it, and never taken for good."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import BlobDamaged, BlobNotFound, IntegrityError, ModelyardError
from modelyard.settings import Settings

from .verdict import stored

REF = "fraud:1.1.0"


def opened(root: Path) -> ModelRegistry:
    return ModelRegistry(root, config=Settings())


def blob(registry: ModelRegistry, path: str = "own.bin") -> Path:
    """Where the bytes of a file of ``REF`` are."""
    entry = next(f for f in registry.get_model(REF).files if f.path == path)
    place = registry._service.location(entry.digest)
    assert place is not None
    return place


def flip(path: Path, offset: int, bit: int) -> None:
    """Change one bit as a rotting medium does: size, inode, mtime and mode stay."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_F9_each_of_a_hundred_flipped_bits_is_refused_and_found(
    past: Path, tmp_path: Path, copies: Path
) -> None:
    chance = random.Random(9)
    with opened(past) as registry:
        registry.load_model(REF)  # so that the bytes are remembered as good
        shutil.rmtree(copies / "modelyard")
        place = blob(registry)
        size = place.stat().st_size
        for number in range(100):
            offset, bit = chance.randrange(size), chance.randrange(8)
            flip(place, offset, bit)
            with pytest.raises(BlobDamaged):
                registry.download(REF, tmp_path / f"copy-{number}")
            with pytest.raises(BlobDamaged):
                registry.load_model(REF)
            found = registry.fsck(deep=True).findings
            assert [f.kind for f in found] == ["damaged"], f"bit {bit} at {offset}"
            assert place.name in found[0].subject
            assert registry.status("fraud").intact is False
            flip(place, offset, bit)
            assert registry.fsck(deep=True).findings == ()
        assert not list(tmp_path.iterdir()), "a refused download left something"


def test_F9_damage_that_was_seen_stays_damage_until_the_bytes_are_given_again(
    past: Path, workshop: Path
) -> None:
    with opened(past) as registry:
        flip(blob(registry), 17, 3)
        for _ in range(3):
            with pytest.raises(BlobDamaged):
                registry.load_model(REF)
        registry.register_model(workshop / "past" / "1.1.0", "again")
        assert registry.load_model(REF).is_dir()
        assert registry.fsck(deep=True).findings == ()


def test_F9_a_verified_copy_from_before_is_still_the_model(past: Path) -> None:
    with opened(past) as registry:
        wanted = blob(registry).read_bytes()
        registry.load_model(REF)
        flip(blob(registry), 0, 0)
        assert (registry.load_model(REF) / "own.bin").read_bytes() == wanted


def test_F9_the_deep_check_reads_even_what_is_remembered_as_good(past: Path) -> None:
    """Rot below the kernel moves no time stamp: what was verified once looks unchanged, and only reading shows it."""
    with opened(past) as registry:
        place = blob(registry)
        flip(place, 1, 1)
        registry._service.blobs._memory.record(place.name, place.stat())  # type: ignore[attr-defined]
        assert [f.kind for f in registry.fsck(deep=True).findings] == ["damaged"]


def test_F9_a_large_blob_stops_before_its_last_byte_when_one_bit_is_wrong(past: Path) -> None:
    with opened(past) as registry:
        entry = next(f for f in registry.get_model(REF).files if f.path == "shared.bin")
        flip(blob(registry, "shared.bin"), 5, 0)
        pieces = registry._service.open_blob(entry.digest)
        got: list[bytes] = []
        with pytest.raises(BlobDamaged):
            got.extend(pieces)
        assert sum(map(len, got)) < entry.size


# --- F10 -------------------------------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, 0)


def removed(path: Path) -> None:
    path.unlink()


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_bytes(b"of somebody")


def replaced_by_a_link(path: Path) -> None:
    elsewhere = path.parents[3] / "elsewhere.bin"
    shutil.copy(path, elsewhere)
    path.unlink()
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("harm", [truncated, emptied, removed, replaced_by_a_folder, replaced_by_a_link])
def test_F10_a_shallow_check_sees_it_and_a_repair_only_moves_it_aside(
    harm: Callable[[Path], None], past: Path, tmp_path: Path
) -> None:
    with opened(past) as registry:
        place = blob(registry)
        others = {path: path.read_bytes() for path in stored(past) if path != place}
        harm(place)
        left = place.read_bytes() if place.is_file() and not place.is_symlink() else None
        found = registry.fsck().findings
        assert [f.subject for f in found] == [f"sha256:{place.name}"], "a shallow check sees it, and only it"
        with pytest.raises((BlobDamaged, BlobNotFound)):
            registry.load_model(REF)
        with pytest.raises((BlobDamaged, BlobNotFound)):
            registry.download(REF, tmp_path / "copy")
        registry.fsck(deep=True, repair=True)
        assert {path: path.read_bytes() for path in stored(past) if path in others} == others
        if left is not None:
            aside = [path.read_bytes() for path in (past / "quarantine").iterdir()]
            assert aside == [left], "what was damaged is kept"


def test_F10_given_again_the_version_is_whole_whatever_stood_in_its_place(past: Path, workshop: Path) -> None:
    for harm in (truncated, emptied, removed, replaced_by_a_folder, replaced_by_a_link):
        with opened(past) as registry:
            harm(blob(registry))
            registry.register_model(workshop / "past" / "1.1.0", f"after {harm.__name__}")
            assert registry.fsck(deep=True).findings == ()
            assert registry.load_model(REF).is_dir()


# --- what nobody may do is take damage for a model --------------------------------------------------------------------


def test_F9_rollback_skips_a_damaged_candidate(past: Path) -> None:
    with opened(past) as registry:
        entry = next(f for f in registry.get_model("fraud:1.0.0").files if f.path == "own.bin")
        place = registry._service.location(entry.digest)
        assert place is not None
        flip(place, 0, 0)
        with pytest.raises(ModelyardError, match=r"1\.0\.0|sound|go back"):
            registry.rollback_model("fraud", reason="worse", check_load=False)
        live = registry.status("fraud").live
        assert live is not None
        assert live.version == "1.1.0"


def test_F9_an_export_of_damaged_bytes_is_refused_and_leaves_no_file(past: Path, tmp_path: Path) -> None:
    with opened(past) as registry:
        flip(blob(registry), 0, 0)
        with pytest.raises(IntegrityError):
            registry.export_registry(tmp_path / "out.tar")
    assert not list(tmp_path.iterdir())
