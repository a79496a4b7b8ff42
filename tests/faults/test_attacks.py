"""Somebody else on the same machine, and files made to hurt whoever looks inside."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import ModelyardError
from modelyard.settings import Settings

from .conftest import Order
from .tracing import PATIENCE, finish, start
from .verdict import sound

MEBIBYTE = 1 << 20


def opened(root: Path) -> ModelRegistry:
    return ModelRegistry(root, config=Settings())


def model(place: Path, data: bytes = b"weights") -> Path:
    source = place / "model.bin"
    source.write_bytes(data)
    return source


# --- A8: links laid in wait ---------------------------------------------------------------------------------

OURS = ("tmp", "blobs", "manifests", "cache")
"""Folders that a registry makes below its root."""


@pytest.mark.parametrize("name", OURS)
def test_A8_a_folder_that_somebody_made_a_link_is_not_followed(name: str, past: Path, tmp_path: Path) -> None:
    target = tmp_path / "of-somebody-else"
    target.mkdir()
    shutil.rmtree(past / name)
    (past / name).symlink_to(target)
    with opened(past) as registry:
        for data in (b"small", os.urandom(2 * MEBIBYTE)):
            if name != "manifests":
                with pytest.raises(ModelyardError, match=f"'{name}' is a link"):
                    registry.register_model(model(tmp_path, data), "fraud")
            else:  # copies can wait
                made = registry.register_model(model(tmp_path, data), "fraud")
                assert registry.load_model(made).read_bytes() == data
    assert list(target.iterdir()) == [], "something was written through the link"


def test_A8_a_link_in_place_of_a_blob_is_neither_read_nor_written_through(past: Path, tmp_path: Path) -> None:
    """The attacker knows the digest of what will be registered and lays a link to a file of the victim's there."""
    victim = tmp_path / "authorized_keys"
    victim.write_bytes(b"mine")
    data = b"what will be registered"
    with opened(past) as registry:
        made = registry.register_model(model(tmp_path, data), "bait")
        place = Path(registry.get_model(made).artifact_path)
        place.unlink()
        place.symlink_to(victim)
        with pytest.raises(ModelyardError):
            registry.load_model(made)
        registry.register_model(model(tmp_path, data), "again")
        assert registry.load_model(made).read_bytes() == data
    assert victim.read_bytes() == b"mine"
    assert not place.is_symlink()


def test_A8_everything_is_private_from_birth_even_under_a_loose_umask_in_a_public_folder(
    order: Order, room: Path
) -> None:
    public = room / "public"
    public.mkdir()
    public.chmod(0o1777)
    root = public / "registry"
    outcome = finish(start(order("register", root), prefix=["sh", "-c", 'umask 000; exec "$@"', "sh"]))
    assert outcome.survived, outcome.errors
    for path in (root, *root.rglob("*")):
        found = path.lstat()
        assert not stat.S_ISLNK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0, (
            f"{path.relative_to(root)}: {stat.filemode(found.st_mode)}"
        )


def test_A8_a_link_with_the_name_of_a_download_is_not_followed(past: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "copy").symlink_to(victim)
    with opened(past) as registry, pytest.raises(ModelyardError):
        registry.download("fraud:1.0.0", tmp_path / "copy")
    assert not victim.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


# --- A10: bombs ---------------------------------------------------------------------------------------------


def zip_bomb(place: Path) -> Path:
    """Six members of 64 MiB of zeros: a thousandth of it packed."""
    target = place / "bomb.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            with archive.open(f"{number}.pkl", "w") as member:
                for _ in range(64):
                    member.write(bytes(MEBIBYTE))
    return target


def gzip_bomb(place: Path) -> Path:
    """A pickle by its first bytes that promises 2 GiB, and then 768 MiB of zeros."""
    one = io.BytesIO()
    with gzip.GzipFile(fileobj=one, mode="wb", mtime=0) as packed:
        for _ in range(64):
            packed.write(bytes(MEBIBYTE))
    target = place / "bomb.pkl.gz"
    target.write_bytes(gzip.compress(b"\x80\x04B\xff\xff\xff\x7f", mtime=0) + one.getvalue() * 12)
    return target


def overlapping(place: Path) -> Path:
    """A zip whose directory names the same 16 MiB two thousand times."""
    single = io.BytesIO()
    with zipfile.ZipFile(single, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.pkl", bytes(16 * MEBIBYTE))
    data, count = single.getvalue(), 2_000
    directory, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    tail = bytearray(data[end:])
    tail[8:10] = tail[10:12] = count.to_bytes(2, "little")
    tail[12:16] = ((end - directory) * count).to_bytes(4, "little")
    target = place / "overlap.zip"
    target.write_bytes(data[:directory] + data[directory:end] * count + bytes(tail))
    return target


def crowd(place: Path) -> Path:
    """A zip of sixty thousand empty members."""
    target = place / "crowd.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(60_000):
            archive.writestr(f"{number:06}", b"")
    return target


MEASURE = """
import json, resource, sys
from modelyard import ModelRegistry
from modelyard.settings import Settings
registry = ModelRegistry(sys.argv[1], config=Settings())
registry.register_model(sys.argv[2], "warm")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
version = registry.get_model(registry.register_model(sys.argv[3], "bomb"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"grown": (after - before) / 1024, "scan": version.scan}))
"""


@pytest.mark.parametrize(
    ("make", "verdict"),
    [(zip_bomb, "unknown"), (gzip_bomb, "unknown"), (overlapping, "unknown"), (crowd, "unknown")],
)
def test_A10_a_bomb_is_stored_as_it_is_and_judged_in_bounded_memory(
    make: Callable[[Path], Path], verdict: str, tmp_path: Path
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "registry", model(tmp_path), make(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["grown"] < 100, "MiB"
    assert facts["scan"] == verdict
    assert sound(tmp_path / "registry", ()) == []
