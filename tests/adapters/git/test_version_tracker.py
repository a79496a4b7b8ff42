"""Semantic versions, and the tags of real repositories with a real remote."""

import itertools
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard import (
    AlreadyExists,
    Conflict,
    GitUnavailable,
    InvalidInput,
    InvalidRef,
    NotFound,
    NotSupported,
    StorageError,
    VersionTracker,
)
from modelyard.adapters import git_tags
from modelyard.domain.names import check_label

from .trees import IDENTITY, commit, make_tree, needs_git, run, trap

TRACKER = VersionTracker()
IDENTIFIER = st.from_regex(r"[a-z]{1,3}[0-9]{0,2}|0|[1-9][0-9]?", fullmatch=True)
DOTTED = st.lists(IDENTIFIER, min_size=1, max_size=3).map(".".join)
NUMBERS = st.integers(0, 30)
RELEASES = st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda parts: ".".join(map(str, parts)))
SEMANTIC = st.builds(
    lambda lead, release, pre, build: lead + release + (pre and f"-{pre}") + (build and f"+{build}"),
    st.sampled_from(["", "v"]),
    RELEASES,
    st.just("") | DOTTED,
    st.just("") | DOTTED,
)
STEPS = st.sampled_from(["major", "minor", "patch", "prerelease"])

# The ladder that SemVer 2.0.0 rule 11 prints, and a little around it.
LADDER = (
    *("0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
    *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0", "2.0.0", "2.1.0", "2.1.1"),
)


# --- versions ---


def test_versions_are_parsed_and_compared():
    v1, v2 = TRACKER.parse_version("1.2.3"), TRACKER.parse_version("1.2.4")
    assert v1 < v2
    assert (v1.major, v1.minor, v1.patch) == (1, 2, 3)
    whole = TRACKER.parse_version("v2.0.0-rc.1+build.7")
    assert (whole.prerelease, whole.build) == ("rc.1", "build.7")
    assert TRACKER.parse_version(whole) is whole


@pytest.mark.parametrize(
    ("step", "following"),
    [("patch", "1.2.4"), ("minor", "1.3.0"), ("major", "2.0.0"), ("prerelease", "1.2.4-rc.1")],
)
def test_a_version_is_raised_by_a_step(step, following):
    assert TRACKER.increment_version("1.2.3", step) == following


@pytest.mark.parametrize(
    ("current", "step", "options", "following"),
    [
        ("v1.2.3", "minor", {}, "v1.3.0"),
        ("1.2.3+old.build", "patch", {}, "1.2.4"),
        ("1.2.3", "patch", {"build": "abc123.dev"}, "1.2.4+abc123.dev"),
        ("1.2.3", "minor", {"pre": "beta"}, "1.3.0-beta.1"),
        ("1.3.0-beta.1", "prerelease", {}, "1.3.0-beta.2"),
        ("1.3.0-beta.9", "prerelease", {}, "1.3.0-beta.10"),
        ("1.3.0-beta.1", "prerelease", {"pre": "rc"}, "1.3.0-rc.1"),
        ("1.3.0-rc.1", "prerelease", {"pre": "beta"}, "1.3.1-beta.1"),
        ("1.3.0-rc.1", "minor", {}, "1.3.0"),
        ("1.3.0-rc.1", "major", {}, "2.0.0"),
        ("1.3.0-rc.1", "minor", {"pre": "rc"}, "1.4.0-rc.1"),
        ("1.0.0-alpha", "prerelease", {}, "1.0.0-alpha.0"),
    ],
)
def test_leads_pre_releases_and_build_metadata(current, step, options, following):
    assert TRACKER.increment_version(current, step, **options) == following


@given(SEMANTIC, STEPS, st.just("") | DOTTED, st.just("") | DOTTED)
def test_the_next_version_is_always_above(current, step, pre, build):
    following = TRACKER.increment_version(current, step, pre=pre, build=build)
    assert TRACKER.compare_versions(following, current) == 1
    assert following.startswith("v") == current.startswith("v")
    assert (TRACKER.parse_version(following).build or "") == build


def test_every_pair_of_the_ladder_is_in_order():
    for (i, low), (j, high) in itertools.product(enumerate(LADDER), repeat=2):
        assert TRACKER.compare_versions(low, high) == (i > j) - (i < j)


def test_build_metadata_and_a_leading_v_do_not_count():
    assert TRACKER.compare_versions("1.0.0+one", "v1.0.0+two") == 0


@given(st.permutations(LADDER))
def test_versions_are_sorted_by_precedence(shuffled):
    given_ = list(shuffled)
    assert TRACKER.sort_versions(given_) == list(LADDER)
    assert TRACKER.sort_versions(given_, reverse=True) == list(reversed(LADDER))
    assert given_ == list(shuffled)


def test_equals_keep_their_order():
    assert TRACKER.sort_versions(["1.0.0+b", "1.0.0+a", "0.1.0"]) == ["0.1.0", "1.0.0+b", "1.0.0+a"]


@pytest.mark.parametrize(
    ("range_text", "best"),
    [
        ("^1.2", "1.10.0"),
        ("~1.2.3", "1.2.9"),
        (">=1.2.3,<1.3", "1.2.9"),
        (">=1.2.3 <2.0.0", "1.10.0"),
        ("<1", "0.9.0"),
        (">=2.0.0-rc.1", "2.0.0-rc.2"),
        ("*", "1.10.0"),
        ("^3", None),
    ],
)
def test_the_highest_in_a_range(range_text, best):
    known = ["1.2.3", "0.9.0", "1.10.0", "1.9.0", "1.2.9", "2.0.0-rc.1", "2.0.0-rc.2"]
    assert TRACKER.best_match(known, range_text) == best
    assert [v for v in known if TRACKER.matches(v, range_text)] == [
        v for v in known if best and TRACKER.best_match([v], range_text)
    ]


@pytest.mark.parametrize(
    "bad", ["", "1", "1.2", "1.2.3.4", "01.2.3", "alpha-1", "1.2.3\n", "١.٢.٣", None, 1.2, b"1.2.3"]
)
def test_what_is_no_version_is_named(bad):
    for call in (
        TRACKER.parse_version,
        TRACKER.increment_version,
        lambda v: TRACKER.compare_versions("1.0.0", v),
    ):
        with pytest.raises(InvalidInput, match="Cannot read"):
            call(bad)
    with pytest.raises(InvalidInput, match="Cannot read"):
        TRACKER.sort_versions(["1.0.0", bad])


def test_other_slips_are_named_too():
    with pytest.raises(InvalidInput, match=r"increment_type.*'ptach'.*Did you mean 'patch'"):
        TRACKER.increment_version("1.2.3", "ptach")
    with pytest.raises(InvalidInput, match="increment_type: expected text"):
        TRACKER.increment_version("1.2.3", None)
    for option in ("pre", "build"):
        for bad in ("a b", "a..b", "ä", ".", "a\n"):
            with pytest.raises(InvalidInput, match=option):
                TRACKER.increment_version("1.2.3", "minor", **{option: bad})
    with pytest.raises(InvalidInput, match=r"pre: .*'01'"):
        TRACKER.increment_version("1.2.3", "minor", pre="01")
    with pytest.raises(InvalidRef, match="version range"):
        TRACKER.matches("1.2.3", "^one")
    with pytest.raises(InvalidInput, match="prefix"):
        VersionTracker(prefix=3)


# --- git ---


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with an empty bare remote ``origin``, and an identity to make tags with."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    folder = make_tree(tmp_path / "tree")
    run(tmp_path, "init", "--bare", "remote.git")
    run(folder, "remote", "add", "origin", str(tmp_path / "remote.git"))
    return folder


def short(tree: Path) -> str:
    return run(tree, "rev-parse", "HEAD")[:6]


@needs_git
def test_a_version_is_generated_from_the_working_directory(tree, monkeypatch):
    monkeypatch.chdir(tree)
    run(tree, "tag", "v1.2.3")
    version = VersionTracker().generate_version_from_git("patch")
    assert version == f"1.2.4+{short(tree)}.dev"
    assert check_label(version) == version
    assert VersionTracker().generate_version_from_git("minor") == f"1.3.0+{short(tree)}.dev"
    assert VersionTracker().generate_version_from_git() == version


@needs_git
def test_only_tags_that_the_commit_descends_from_count_and_the_highest_of_them(tree):
    for tag in ("v1.9.0", "v1.10.0", "model-v1.2.3", "not-a-version", "1.2"):
        run(tree, "tag", tag)
    run(tree, "checkout", "-b", "side")
    commit(tree)
    run(tree, "tag", "v7.0.0")
    run(tree, "checkout", "trunk")
    commit(tree, "print(3)\n")
    assert VersionTracker(tree).generate_version_from_git() == f"1.10.1+{short(tree)}.dev"


@needs_git
def test_a_prefix_keeps_models_of_one_repository_apart(tree):
    for tag in ("fraud-v1.2.3", "churn-v3.0.0", "fraud/0.1.0", "v9.9.9"):
        run(tree, "tag", tag)
    build = f"+{short(tree)}.dev"
    found = {
        p: VersionTracker(tree, prefix=p).generate_version_from_git()
        for p in ("fraud-", "churn-", "fraud/", "")
    }
    assert found == {
        "fraud-": f"1.2.4{build}",
        "churn-": f"3.0.1{build}",
        "fraud/": f"0.1.1{build}",
        "": f"9.9.10{build}",
    }
    with pytest.raises(InvalidInput, match=r"fraud-v1\.2\.3"):
        VersionTracker(tree, prefix="fraud-").create_version_tag("v2.0.0")


@needs_git
def test_a_repository_without_tags_begins_at_the_first_version_and_changes_show(tree):
    assert VersionTracker(tree).generate_version_from_git("major") == f"0.1.0+{short(tree)}.dev"
    (tree / "train.py").write_text("changed\n")
    assert VersionTracker(tree).generate_version_from_git() == f"0.1.0+{short(tree)}.dev.dirty"


def test_outside_a_work_tree_it_works_and_says_so(tmp_path):
    with pytest.warns(GitUnavailable, match="no git work tree") as told:
        assert VersionTracker(tmp_path).generate_version_from_git("patch") == "0.1.0+nogit.dev"
    assert told[0].filename == __file__
    with pytest.raises(NotFound, match="no git work tree"):
        VersionTracker(tmp_path).create_version_tag("v1.2.3")
    with pytest.raises(NotFound, match="there is no folder"):
        VersionTracker(tmp_path / "nowhere").generate_version_from_git()
    with pytest.warns(GitUnavailable), pytest.raises(InvalidInput, match="increment_type"):
        VersionTracker(tmp_path).generate_version_from_git("ptach")


def test_without_the_program_it_works_and_says_so(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(GitUnavailable, match="the program 'git' cannot be run"):
        assert VersionTracker(tmp_path).generate_version_from_git() == "0.1.0+nogit.dev"
    with pytest.raises(NotSupported, match="install git"):
        VersionTracker(tmp_path).create_version_tag("v1.2.3")


@needs_git
def test_before_the_first_commit_there_is_nothing_to_start_from(tmp_path):
    run(tmp_path, "init")
    with pytest.warns(GitUnavailable, match="no commit yet"):
        assert VersionTracker(tmp_path).generate_version_from_git() == "0.1.0+nogit.dev"
    with pytest.raises(NotFound, match="no commit to tag"):
        VersionTracker(tmp_path).create_version_tag("v1.2.3")


@needs_git
def test_a_tag_is_made_and_pushed_and_nothing_else_goes_along(tree, tmp_path):
    run(tree, "tag", "-a", "v0.0.1", "-m", "another")
    run(tree, "config", "push.followTags", "true")
    tracker = VersionTracker(tree)
    assert tracker.create_version_tag("model-v1.2.3", push=True) == "model-v1.2.3"
    assert run(tmp_path / "remote.git", "for-each-ref", "--format=%(refname) %(objectname)").splitlines() == [
        f"refs/tags/model-v1.2.3 {run(tree, 'rev-parse', 'HEAD')}"
    ]
    assert tracker.create_version_tag("model-v1.2.3", push=True) == "model-v1.2.3"
    assert tracker.generate_version_from_git() == f"1.2.4+{short(tree)}.dev"


@needs_git
def test_a_tag_stays_at_home_unless_asked_and_a_message_makes_it_an_annotation(tree, tmp_path):
    VersionTracker(tree).create_version_tag("v1.0.0", message="the first one\n\n--that counts")
    assert (
        run(tree, "for-each-ref", "--format=%(objecttype) %(contents:subject)", "refs/tags")
        == "tag the first one"
    )
    assert run(tmp_path / "remote.git", "for-each-ref") == ""


@needs_git
def test_an_annotation_needs_somebody_to_sign_it(tree, monkeypatch):
    for name in IDENTITY:
        if name.endswith(("NAME", "EMAIL")):
            monkeypatch.delenv(name)
    run(tree, "config", "user.useConfigOnly", "true")
    with pytest.raises(StorageError, match="git tag failed"):
        VersionTracker(tree).create_version_tag("v1.0.0", message="by nobody")
    assert run(tree, "tag") == ""


@needs_git
def test_a_tag_is_never_moved(tree):
    tracker = VersionTracker(tree)
    tracker.create_version_tag("v1.0.0")
    first = run(tree, "rev-parse", "v1.0.0")
    commit(tree)
    with pytest.raises(AlreadyExists, match="choose the next version"):
        tracker.create_version_tag("v1.0.0")
    assert run(tree, "rev-parse", "v1.0.0") == first


@needs_git
def test_a_push_that_fails_takes_the_tag_back(tree, tmp_path):
    other = tmp_path / "other"
    run(tmp_path, "clone", str(tmp_path / "remote.git"), str(other))
    make_tree(other)
    commit(other)
    VersionTracker(other).create_version_tag("v1.0.0", push=True)
    tracker = VersionTracker(tree)
    with pytest.raises(Conflict, match="fetch its tags"):
        tracker.create_version_tag("v1.0.0", push=True)
    with pytest.raises(NotFound, match=r"no remote 'orgin'; it has origin. Did you mean 'origin'"):
        tracker.create_version_tag("v1.0.0", push=True, remote="orgin")
    shutil.rmtree(tmp_path / "remote.git")
    with pytest.raises(StorageError, match="could not be pushed to 'origin'"):
        tracker.create_version_tag("v1.0.0", push=True)
    assert run(tree, "tag") == ""
    tracker.create_version_tag("v1.0.0")
    with pytest.raises(StorageError):
        tracker.create_version_tag("v1.0.0", push=True)
    assert run(tree, "tag") == "v1.0.0"  # it was there before


@needs_git
def test_a_remote_that_refuses_is_quoted(tree, tmp_path):
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(StorageError, match=r"pre-receive hook declined|failed to push"):
        VersionTracker(tree).create_version_tag("v1.0.0", push=True)
    assert run(tree, "tag") == ""


@needs_git
def test_no_password_of_a_remote_is_told_in_an_error(tree):
    run(tree, "remote", "set-url", "origin", "https://ann:s3cret@127.0.0.1:1/fraud.git")
    with pytest.raises(StorageError) as refused:
        VersionTracker(tree).create_version_tag("v1.0.0", push=True)
    assert "127.0.0.1" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@needs_git
def test_no_hook_and_no_signing_program_of_the_repository_runs(tree):
    canary = trap(tree)
    tracker = VersionTracker(tree)
    tracker.generate_version_from_git()
    tracker.create_version_tag("v1.0.0", push=True)
    tracker.create_version_tag("v1.0.1", message="annotated", push=True)
    assert not canary.exists()
    assert run(tree, "-c", "core.fsmonitor=false", "tag").split() == ["v1.0.0", "v1.0.1"]


@needs_git
@pytest.mark.parametrize(
    "tag",
    [
        "",
        "latest",
        "v1",
        "1.2",
        "v1.2.3.4",
        "--delete-v1.2.3",
        "a b-v1.2.3",
        "a..b-v1.2.3",
        "x\n-v1.2.3",
        "v1.2.3 ",
        None,
    ],
)
def test_what_is_no_tag_for_a_version_is_refused(tree, tag):
    with pytest.raises(InvalidInput):
        VersionTracker(tree).create_version_tag(tag)
    assert run(tree, "tag") == ""


@needs_git
@pytest.mark.parametrize("remote", ["", "--upload-pack=evil", "ext::sh -c evil", "/srv/elsewhere"])
def test_a_remote_is_one_of_the_repositorys_own(tree, remote):
    with pytest.raises(NotFound, match="has no remote"):
        VersionTracker(tree).create_version_tag("v1.0.0", push=True, remote=remote)
    assert run(tree, "tag") == ""


def test_a_git_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(git_tags, "PROGRAM", ("sleep",))
    with pytest.raises(StorageError, match=r"did not end within 0\.05 s"):
        git_tags.run(tmp_path, "60", timeout=0.05)


@pytest.mark.parametrize("folder", [5, b"x", ["."]])
def test_a_folder_is_a_path(folder):
    with pytest.raises(InvalidInput, match="folder: expected a path"):
        VersionTracker(folder)


def test_a_tracker_says_what_it_looks_at(tmp_path):
    assert repr(VersionTracker()) == "VersionTracker(None, prefix='')"
    assert repr(VersionTracker("x", prefix="a-")) == "VersionTracker('x', prefix='a-')"
