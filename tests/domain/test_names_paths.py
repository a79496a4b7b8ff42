"""Paths of files inside a version: the same file everywhere, or refused."""

from __future__ import annotations

import os.path
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidPath
from modelyard.domain.names import check_path, check_paths
from modelyard.testing import strategies

GOOD = (
    "model.joblib", "weights/part-1.safetensors", "a b/c.txt", "50%off.txt", "100%25.txt", "a%20b",
    "Ünïcode/模型.bin",
    ".gitignore", "..hidden", "a..b/c", "x" * 255, "/".join(["d"] * 64), "~tilde", "a;b", "a?b", "a#b",
    "console.txt", "com.txt",
)  # fmt: skip

TRAVERSAL = (
    "../x", "..", "a/../b", "a/..", "../../../../etc/passwd", "..\\..\\x", "a\\..\\b", "\\x",
    "/etc/passwd", "//etc/passwd", "/",
    "C:\\x", "C:/x", "c:x", "\\\\h\\s", "//h/s", "\\\\?\\C:\\x", "\\\\.\\pipe\\x", "./x", "a/./b", ".",
    "a//b", "a/", "",
    "file:///etc/passwd", "file:x", "FILE://localhost/etc/passwd", "http://x/y", "s3://b/../c", "jar:x",
    "dbfs:/x",
    "...", "a/.../b", ".. ", "..\x00", "a/.. /b", "..;/x/..",
)  # fmt: skip

ENCODED = (
    "%2e%2e/x", "%2e%2e%2fx", "..%2fx", "..%5cx", "%252e%252e/x", "%25252e%25252e/x", "%2f%2f%2f",
    "%2fetc%2fpasswd", "a%2fb",
    "a/%2e/b", "%5c%5ch", "%00", "a%00.txt", "%0a", "a%3ab", "x/;/../y", "x#/../y", "%c0%ae%c0%ae/x",
    "%e0%80%ae/x", "%ff",
    "%u002e%u002e/../x", "%2e%2e", "%2E%2E/x", "a%20", "con%2etxt", "%2drf", "%25252525252525252e",
    "．．/x", "．．／x", "a／b", "..＼x", "․․/x", "%ef%bc%8e%ef%bc%8e\u2025/../x",
)  # fmt: skip

ODD = (
    "CON", "con.txt", "a/Nul", "aux.tar.gz", "COM1", "lpt9.x", "com¹", "CONIN$", "con .txt", "a:b", "a.",
    "a ", "dir./x", "dir /x",
    "-rf", "a/-x", "x" * 256, "é" * 128, "/".join(["d"] * 65), "/".join(["d"] * 1000),
    "/".join(["x" * 200] * 6), "x" * 10_000,
    "a\nb", "a\tb", "\x1b[2J", "a\x7fb", "a\u202eb", "a\u200bb", "a\ufeffb", "a\u2028b", "\ud800", "a\ufe0fb",
)  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_ordinary_paths_are_kept_as_they_are(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("path", TRAVERSAL)
def test_A1_paths_that_leave_the_version_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        check_path(path)


@pytest.mark.parametrize("path", ENCODED)
def test_A2_encoded_and_disguised_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        check_path(path)


@pytest.mark.parametrize("path", ODD)
def test_A5_names_that_some_system_reads_differently_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath) as error:
        check_path(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("value", [None, b"model.bin", 7, PurePosixPath("a")])
def test_what_is_not_text_is_no_path(value: object) -> None:
    with pytest.raises(InvalidPath, match="expected text"):
        check_path(value)  # type: ignore[arg-type]


def test_the_message_names_path_and_fault() -> None:
    with pytest.raises(
        InvalidPath, match=r"path 'a/\.\./b': expected a relative path .* found the component '\.\.'"
    ):
        check_path("a/../b")


def test_decomposed_names_of_other_file_systems_come_back_in_nfc() -> None:
    assert check_path("cafe\u0301.bin") == "caf\u00e9.bin"


PIECES = st.sampled_from(
    ("..", ".", "/", "\\", "%2e", "%2f", "%5c", "%25", "a", "-", " ", ":", "CON", "％", "．", "\x00", "~")
)


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=12))
def test_whatever_is_accepted_stays_below_the_root_however_it_is_decoded(text: str) -> None:
    try:
        path = check_path(text)
    except InvalidPath:
        return
    assert check_path(path) == path
    for form in (path, unquote(path), unquote(unquote(path))):
        for parsed in (PurePosixPath(form), PureWindowsPath(form)):
            assert not parsed.is_absolute()
            assert not parsed.drive
            assert ".." not in parsed.parts
        assert os.path.normpath(form) == form
        assert "\x00" not in form


@given(strategies.file_paths())
def test_drawn_paths_are_accepted_unchanged(path: str) -> None:
    assert check_path(path) == path


def test_different_files_live_side_by_side() -> None:
    check_paths([])
    check_paths(["a", "b/a", "b/c/a", "b/cc", "ab"])


@pytest.mark.parametrize("paths", [["a", "a"], ["a/b", "A/b"], ["x/Straße", "x/STRASSE"], ["a", "b", "Ａ"]])
def test_one_name_twice_in_any_case_is_refused(paths: list[str]) -> None:
    with pytest.raises(InvalidPath, match="each path once"):
        check_paths(paths)


@pytest.mark.parametrize("paths", [["a", "a/b"], ["a/b/c", "a/B"], ["a/b/c/d", "A"]])
def test_A5_one_name_cannot_be_both_file_and_folder(paths: list[str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(InvalidPath, match="both file and folder"):
            check_paths(order)
