"""What a model was made with: looked up in real work trees."""

import os
import shutil
from pathlib import Path

import pytest

from modelyard.adapters import git
from modelyard.adapters.git import Lookup, read_status

from .trees import commit, make_tree, needs_git, run, trap


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@needs_git
def test_commit_branch_and_cleanliness_are_told(tree):
    assert Lookup.start(tree).result() == {
        "commit": run(tree, "rev-parse", "HEAD"),
        "branch": "trunk",
        "dirty": False,
        "remote": None,
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
def test_a_relative_folder_is_searched_up_to_the_working_directory(tree, monkeypatch):
    (tree / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tree)
    assert git.marker(Path("a/b")) == Path(".git")
    assert git.marker("a") == Path(".git")


def test_above_the_root_nothing_is_searched():
    assert git.marker("/") == (Path("/.git") if Path("/.git").exists() else None)


@needs_git
def test_a_detached_head_has_no_branch(tree):
    run(tree, "checkout", "--detach")
    assert Lookup.start(tree).result()["branch"] is None


@needs_git
def test_before_the_first_commit_there_is_none(tmp_path):
    run(tmp_path, "init", "--initial-branch=trunk")
    assert Lookup.start(tmp_path).result() == {
        "commit": None,
        "branch": "trunk",
        "dirty": False,
        "remote": None,
    }


def test_outside_a_tree_there_is_nothing_to_tell(tmp_path):
    lookup = Lookup.start(tmp_path)
    assert (lookup.process, lookup.result()) == (None, None)
    lookup.abandon()


@needs_git
def test_a_working_directory_that_is_gone_is_nothing_to_tell(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Lookup.start().result() is None


@needs_git
def test_a_broken_tree_is_unknown_and_says_where_to_look(tmp_path):
    (tmp_path / ".git").mkdir()
    assert Lookup.start(tmp_path).result() == {
        "unknown": "git status ended with code 128; run it there to see why"
    }


def test_a_tree_without_the_program_is_unknown(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    state = Lookup.start(tmp_path).result()
    assert state == {"unknown": "the program 'git' cannot be run: No such file or directory"}


def test_what_takes_too_long_is_left_out_and_ended(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(git, "COMMAND", ("sleep", "60"))
    monkeypatch.setattr(git, "TIMEOUT", 0.05)
    lookup = Lookup.start(tmp_path)
    assert lookup.result() == {"unknown": "git did not answer within 0.05 s"}
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


@needs_git
def test_the_remote_is_told_without_its_password(tree):
    run(tree, "remote", "add", "origin", "https://ann:secret@example.org/team/fraud.git")
    assert Lookup.start(tree).result()["remote"] == "https://example.org/team/fraud.git"


@needs_git
def test_no_hook_and_no_monitor_of_the_repository_runs(tree):
    canary = trap(tree)
    (tree / "train.py").touch()
    assert Lookup.start(tree).result()["dirty"] is False
    assert not canary.exists()
    run(tree, "status")  # the trap works: a plain git walks into it
    assert canary.exists()


@needs_git
def test_a_bare_repository_lying_in_the_tree_is_not_entered(tree):
    canary = trap(tree)
    inner = tree / "data"
    shutil.copytree(tree / ".git", inner)
    run(inner, "-c", "core.fsmonitor=false", "config", "core.bare", "false")
    run(inner, "-c", "core.fsmonitor=false", "config", "core.worktree", str(tree))
    canary.unlink(missing_ok=True)
    assert list(Lookup.start(inner).result()) == ["unknown"]
    assert not canary.exists()


@needs_git
@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"]
)
def test_the_working_directory_decides_and_no_variable(tree, tmp_path, monkeypatch, name):
    other = make_tree(tmp_path / "other")
    commit(other)
    expected = Lookup.start(tree).result()
    monkeypatch.setenv(name, str(other / ".git"))
    assert Lookup.start(tree).result() == expected
    assert Lookup.start(tmp_path).result() is None


@needs_git
@pytest.mark.parametrize(
    "branch", ["feature/x", "ünïcode", "a'b\"c$(touch;x)", "-".join(["long"] * 45), "\u202eevil"]
)
def test_any_branch_name_is_told_as_it_is(tree, branch):
    run(tree, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    assert Lookup.start(tree).result()["branch"] == branch


@needs_git
def test_a_linked_work_tree_has_its_own_branch_and_the_same_remote(tree, tmp_path):
    run(tree, "remote", "add", "origin", "git@example.org:team/fraud.git")
    run(tree, "worktree", "add", "-b", "side", str(tmp_path / "linked"))
    assert Lookup.start(tmp_path / "linked").result() == {
        "commit": run(tree, "rev-parse", "HEAD"),
        "branch": "side",
        "dirty": False,
        "remote": "git@example.org:team/fraud.git",
    }


@needs_git
def test_looking_leaves_the_repository_as_it_was(tree):
    (tree / "train.py").touch()
    before = {path: path.stat().st_mtime_ns for path in (tree / ".git").rglob("*")}
    Lookup.start(tree).result()
    assert {path: path.stat().st_mtime_ns for path in (tree / ".git").rglob("*")} == before


@needs_git
@pytest.mark.skipif(os.geteuid() != 0, reason="root gives the repository to somebody else")
def test_a_repository_of_somebody_else_is_unknown(tree):
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 12345, 12345)
    assert list(Lookup.start(Path(tree)).result()) == ["unknown"]
