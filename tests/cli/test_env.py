"""``modelyard env``: what a version was made with, for people and for installers."""

from __future__ import annotations

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")


def test_a_person_reads_what_it_was_made_with(fraud: Any) -> None:
    lines = fraud("env", "fraud@champion").out.splitlines()
    assert lines[0] == "version     fraud:1.1.0"
    assert lines[1].startswith("made by     cpython 3.")
    assert any("scikit-learn " + installed("scikit-learn") in line for line in lines)
    assert lines[-1] == "Nothing recorded is different here."
    assert max(map(len, lines)) <= 80


def test_pip_reads_exact_versions(fraud: Any) -> None:
    lines = fraud("env", "fraud:1.0.0", "--format", "requirements").out.splitlines()
    assert lines[0].startswith("# fraud:1.0.0 was made with cpython 3.")
    assert f"numpy=={installed('numpy')}" in lines
    assert f"scipy=={installed('scipy')}" in lines


def test_conda_reads_an_environment(fraud: Any) -> None:
    ran = fraud("env", "--model-name", "fraud", "--version", "1.0.0", "--format", "conda")
    found = yaml.safe_load(ran.out)
    assert found["name"] == "fraud"
    assert f"scikit-learn=={installed('scikit-learn')}" in found["dependencies"][-1]["pip"]


def test_programs_read_json(fraud: Any) -> None:
    report = fraud("env", "fraud", "--json").json
    assert (report["name"], report["differences"]) == ("fraud", [])
    assert report["declared"]["packages"]["joblib"] == installed("joblib")
    written = fraud("env", "fraud", "--format", "conda", "--json").json
    assert written["format"] == "conda"
    assert yaml.safe_load(written["text"])["name"] == "fraud"


def test_differences_and_the_code_are_shown(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.client import pack

    state = {
        "commit": "65e8c82388124bad693fb65548cd2d3b97c477cb",
        "branch": "trunk",
        "dirty": True,
        "remote": "/srv/x",
    }
    for label, git in (("1.0.0", state), ("1.1.0", {"unknown": "git is gone"}), ("1.2.0", {"commit": None})):
        made = {"python": "2.7.18", "packages": {"no-such-thing": "1.0"}, "git": git}
        monkeypatch.setattr(pack.Package, "environment", lambda package, made=made: made)
        cli("register", "--model-path", "weights.bin", "--name", "old", "--version", label)
    ran = cli("env", "old:1.0.0").out
    for words in (f"code        {state['commit']} on trunk of /srv/x,", "changed", "made by     2.7.18"):
        assert words in ran
    for words in (
        "different here",
        "major       python: made with 2.7.18, here 3.",
        "missing     no-such-thing: made with 1.0",
    ):
        assert words in ran
    assert "code        unknown: git is gone" in cli("env", "old:1.1.0").out
    assert "code        no commit yet" in cli("env", "old:1.2.0").out


def test_what_was_not_recorded_is_not_made_up(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.client import pack

    monkeypatch.setattr(pack.Package, "environment", lambda package: {})
    cli("register", "--model-path", "weights.bin", "--name", "old")
    assert "made by     not recorded" in cli("env", "old").out
    assert "has no recorded environment" in cli("env", "old", "--format", "requirements", code=3).err


def test_loading_warns_once_on_standard_error(fraud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.flavors import environment

    real = environment.here
    monkeypatch.setattr(environment, "here", lambda declared: {**real(declared), "implementation": "odd"})
    ran = fraud("rollback", "fraud", "--drill")
    assert "implementation: made with cpython, here odd" in " ".join(ran.err.split())
