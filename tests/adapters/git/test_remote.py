"""Where the code comes from, without what opens the door."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters import git_remote
from modelyard.adapters.git_remote import without_credentials

from .trees import make_tree, needs_git, run

TEXT = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=12)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://example.org/team/fraud.git", "https://example.org/team/fraud.git"),
        ("https://ann:secret@example.org/team/fraud.git", "https://example.org/team/fraud.git"),
        ("https://ghp_secret@example.org/team/fraud", "https://example.org/team/fraud"),
        ("https://ann:se@cret@example.org/team/fraud", "https://example.org/team/fraud"),
        ("https://example.org/fraud?private_token=secret#secret", "https://example.org/fraud"),
        ("https://example.org:8443/fraud", "https://example.org:8443/fraud"),
        ("ssh://git@example.org:22/fraud", "ssh://git@example.org:22/fraud"),
        ("ssh://ann:secret@example.org/fraud", "ssh://example.org/fraud"),
        ("https://git@example.org/fraud", "https://example.org/fraud"),
        ("git://example.org/fraud", "git://example.org/fraud"),
        ("git@example.org:team/fraud.git", "git@example.org:team/fraud.git"),
        ("ann@example.org:team/fraud.git", "example.org:team/fraud.git"),
        ("[::1]:fraud", "[::1]:fraud"),
        ("https://[::1]:80/fraud", "https://[::1]:80/fraud"),
        ("file:///srv/git/fraud.git", "file:///srv/git/fraud.git"),
        ("/srv/git/fraud.git", "/srv/git/fraud.git"),
        ("../fraud.git", "../fraud.git"),
        ("fraud.git", "fraud.git"),
    ],
)
def test_an_address_is_told_without_user_and_password(url, told):
    assert without_credentials(url) == told


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ext::sh -c 'curl https://ann:secret@example.org'",
        "codecommit::https://ann:secret@example.org/fraud",
        "odd://ann:secret@example.org/fraud",
        "https:/ann:secret@example.org/fraud",
        "//ann:secret@example.org/fraud",
        "ann:secret@example.org:fraud",
        "git@secret@example.org:fraud",
        "https://ann:sec/ret@example.org/fraud",
        "https://ann:1/secret@example.org/fraud",
        "https://ann:1/#secret@example.org/fraud",
        "https://ann:secret",
        "https://example.org/fr\naud",
        "https://example.org/\u202efraud",
        "https://example.org/" + "x" * 2000,
    ],
)
def test_what_cannot_be_taken_apart_is_not_told(url):
    assert without_credentials(url) is None


@given(st.sampled_from(["https", "http", "ssh", "ftp", "git"]), TEXT, TEXT)
def test_no_password_is_ever_told(scheme, user, password):
    told = without_credentials(f"{scheme}://{user}:{password}@example.org/fraud")
    assert told in (f"{scheme}://example.org/fraud", None)


@given(TEXT, TEXT)
def test_what_is_told_can_be_told_again(user, path):
    for url in (f"{user}@example.org:{path}", f"https://{user}@example.org/{path}", path):
        told = without_credentials(url)
        assert told is None or without_credentials(told) == told


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@needs_git
@pytest.mark.parametrize(
    "url", ["/srv/a b/#c;d", '/srv/"quoted"', "/srv/back\\slash", "/srv/tab\\t", "/srv/ümlaut", " /srv/edge"]
)
def test_what_git_writes_is_read_as_git_reads_it(tree, url):
    run(tree, "config", "remote.origin.url", url)
    expected = run(tree, "config", "remote.origin.url")
    assert git_remote.of(tree / ".git", "trunk") == without_credentials(expected)


@needs_git
def test_the_branchs_own_remote_comes_first_then_origin_then_the_only_one(tree):
    run(tree, "remote", "add", "fork", "/srv/fork")
    assert git_remote.of(tree / ".git", None) == "/srv/fork"
    run(tree, "remote", "add", "other.odd", "/srv/other")
    assert git_remote.of(tree / ".git", "trunk") is None
    run(tree, "remote", "add", "origin", "/srv/origin")
    assert git_remote.of(tree / ".git", "trunk") == "/srv/origin"
    run(tree, "config", "branch.trunk.remote", "other.odd")
    assert git_remote.of(tree / ".git", "trunk") == "/srv/other"
    assert git_remote.of(tree / ".git", "side") == "/srv/origin"
    run(tree, "config", "--add", "remote.other.odd.url", "/srv/second")
    assert git_remote.of(tree / ".git", "trunk") == "/srv/other"


@needs_git
def test_a_submodule_has_its_own_remote(tree, tmp_path):
    inner = make_tree(tmp_path / "inner")
    run(tree, "-c", "protocol.file.allow=always", "submodule", "add", str(inner), "part")
    assert (tree / "part" / ".git").is_file()
    assert git_remote.of(tree / "part" / ".git", "trunk") == str(inner)


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(text)
    return tmp_path / ".git"


@pytest.mark.parametrize(
    "text",
    [
        '[remote "origin"]\n\turl = /srv/x\n',
        '[REMOTE "origin"] URL=/srv/x ; comment\n',
        '[remote "origin"]\r\n  url = "/srv/x" # comment\r\n',
        '[remote "origin"]\nurl = /srv\\\n/x\n',
        '[remote "ori\\gin"]\nurl = /srv/x\n',
        '# [remote "origin"]\n[a]\nurl = no\n[remote "origin"]\nfetch\nurl = /srv/x\nurl = /srv/y\n',
    ],
)
def test_hand_written_configurations_are_read_too(tmp_path, text):
    assert git_remote.of(written(tmp_path, text), None) == "/srv/x"


@pytest.mark.parametrize(
    "text", ["", "[remote", '[remote "origin"]\nurl\n', "\x00\xff", '[remote "origin"\nurl = x']
)
def test_what_is_no_configuration_has_no_remote(tmp_path, text):
    assert git_remote.of(written(tmp_path, text), None) is None


def test_what_is_no_file_or_far_too_large_is_not_read(tmp_path):
    marker = written(tmp_path, '[remote "origin"]\nurl = /srv/x\n' + "#" * git_remote.LONGEST)
    assert git_remote.of(marker, None) is None
    (marker / "config").unlink()
    assert git_remote.of(marker, None) is None
    os.mkfifo(marker / "config")
    assert git_remote.of(marker, None) is None
