"""Own origin: what this user made can be told from what anybody else wrote into the same folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.flavors import origin

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config" / "modelyard"
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(folder))
    return folder


def test_a_proof_holds_for_the_same_bytes_and_names_in_any_order(config: Path) -> None:
    proof = origin.sign(DIGEST, ["b.B", "a.A"])
    assert origin.proves(DIGEST, ["a.A", "b.B"], proof)


@pytest.mark.parametrize(
    ("digest", "names"),
    [(DIGEST[:-1] + "b", ["a.A"]), (DIGEST, ["a.A", "b.B"]), (DIGEST, []), (DIGEST, ["a.a"])],
)
def test_a_proof_holds_for_nothing_else(digest: str, names: list[str]) -> None:
    assert not origin.proves(digest, names, origin.sign(DIGEST, ["a.A"]))


@given(proof=st.text())
def test_no_text_is_a_proof(proof: str) -> None:
    assert not origin.proves(DIGEST, ["a.A"], proof)


def test_the_key_is_for_this_user_alone(config: Path) -> None:
    origin.sign(DIGEST, [])
    assert stat.S_IMODE(origin.key_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert [path.name for path in config.iterdir()] == ["origin.key"]


def test_another_users_key_proves_nothing_here(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = origin.sign(DIGEST, ["a.A"])
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "other"))
    assert not origin.proves(DIGEST, ["a.A"], proof)
    assert origin.sign(DIGEST, ["a.A"]) != proof


def test_checking_a_proof_makes_no_key(config: Path) -> None:
    assert not origin.proves(DIGEST, [], "")
    assert not config.exists()


@pytest.mark.parametrize("spoil", ["open", "link", "short", "folder"])
def test_a_key_that_others_could_have_written_is_no_key(spoil: str, config: Path, tmp_path: Path) -> None:
    proof = origin.sign(DIGEST, [])
    key = origin.key_path()
    if spoil == "open":
        key.chmod(0o644)
    elif spoil == "link":
        key.rename(tmp_path / "elsewhere")
        key.symlink_to(tmp_path / "elsewhere")
    elif spoil == "short":
        key.write_bytes(key.read_bytes()[:8])
    else:
        key.unlink()
        key.mkdir()
    assert not origin.proves(DIGEST, [], proof)
    assert origin.sign(DIGEST, []) == ""


def test_a_home_that_cannot_be_written_means_no_proof_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(blocked / "below"))
    assert origin.sign(DIGEST, []) == ""


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELYARD_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    assert origin.key_path() == Path("/x/modelyard/origin.key")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert origin.key_path() == Path("/h/.config/modelyard/origin.key")


def test_two_processes_that_make_the_key_at_once_agree(config: Path) -> None:
    readers = []
    for _ in range(8):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, origin.sign(DIGEST, ["a.A"]).encode())
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    proofs = {os.read(reader, 200) for reader in readers}
    for reader in readers:
        os.close(reader)
        os.wait()
    assert len(proofs) == 1
    assert origin.proves(DIGEST, ["a.A"], proofs.pop().decode())
