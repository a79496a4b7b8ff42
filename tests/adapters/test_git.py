"""What a model was made with: looked up in real work trees."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from modelyard.adapters import git
from modelyard.adapters.git import Lookup, read_status

IDENTITY = {
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command],
        cwd=folder,
        env={**os.environ, **IDENTITY},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--initial-branch=trunk")
    (tmp_path / "train.py").write_text("print(1)\n")
    run(tmp_path, "add", ".")
    run(tmp_path, "commit", "-m", "first")
    return tmp_path


@needs_git
def test_commit_branch_and_cleanliness_are_told(tree):
    assert Lookup.start(tree).result() == {
        "commit": run(tree, "rev-parse", "HEAD"),
        "branch": "trunk",
        "dirty": False,
    }


@needs_git
def test_a_changed_file_is_dirty_and_an_untracked_one_is_not(tree):
    (tree / "notes").write_text("x")
    assert Lookup.start(tree).result()["dirty"] is False
    (tree / "train.py").write_text("print(2)\n")
    assert Lookup.start(tree).result()["dirty"] is True


@needs_git
def test_a_folder_inside_the_tree_belongs_to_it(tree):
    inside = tree / "a" / "b"
    inside.mkdir(parents=True)
    assert Lookup.start(inside).result()["branch"] == "trunk"


@needs_git
def test_a_detached_head_has_no_branch(tree):
    run(tree, "checkout", "--detach")
    assert Lookup.start(tree).result()["branch"] is None


@needs_git
def test_before_the_first_commit_there_is_none(tmp_path):
    run(tmp_path, "init", "--initial-branch=trunk")
    assert Lookup.start(tmp_path).result() == {"commit": None, "branch": "trunk", "dirty": False}


def test_outside_a_tree_there_is_nothing_to_tell(tmp_path):
    lookup = Lookup.start(tmp_path)
    assert (lookup.process, lookup.result()) == (None, None)
    lookup.abandon()


@needs_git
def test_a_broken_tree_is_nothing_to_tell(tmp_path):
    (tmp_path / ".git").mkdir()
    assert Lookup.start(tmp_path).result() is None


def test_without_git_there_is_nothing_to_tell(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(git, "COMMAND", ("no-such-program-here",))
    assert Lookup.start(tmp_path).result() is None


def test_what_takes_too_long_is_left_out_and_ended(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(git, "COMMAND", ("sleep", "60"))
    monkeypatch.setattr(git, "TIMEOUT", 0.05)
    lookup = Lookup.start(tmp_path)
    assert lookup.result() is None
    assert lookup.process is not None
    assert lookup.process.returncode == -9


def test_what_is_abandoned_leaves_no_process(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(git, "COMMAND", ("sleep", "60"))
    lookup = Lookup.start(tmp_path)
    lookup.abandon()
    lookup.abandon()
    assert lookup.process is not None
    assert lookup.process.returncode == -9


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"", {"commit": None, "branch": None, "dirty": False}),
        (b"# branch.oid\n# branch.head x y\n", {"commit": None, "branch": "x y", "dirty": False}),
        (b"# branch.head \xff\xfe\n1 .M N...\n", {"commit": None, "branch": "\ufffd\ufffd", "dirty": True}),
    ],
)
def test_odd_answers_are_read_without_tripping(output, expected):
    assert read_status(output) == expected
