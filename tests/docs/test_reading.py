"""The harness itself: a false page fails, an excused block is not run, and order and variables are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import BadPage, blocks
from .reader import Failed, Reader, commands


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path)


def follow(reader: Reader, text: str) -> Reader:
    page = reader.folder / "page.md"
    page.write_text(text)
    for block in blocks(page):
        reader.follow(block)
    return reader


def test_variables_and_files_live_as_long_as_the_page(reader: Reader) -> None:
    follow(
        reader,
        "```python\nx = 40\n```\n\n```bash\ntouch f\n```\n\n```python\ny = x + len(__import__('os').listdir())\n```\n",
    )
    assert reader.variables["y"] == 42


def test_a_python_block_that_raises_fails_at_the_line_of_the_page(reader: Reader) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        follow(reader, "Words.\n\n```python\nx = 1\nx / 0\n```\n")
    assert caught.traceback[-1].lineno == 4  # counted from 0


def test_a_command_that_fails_fails_the_page_also_in_a_pipe(reader: Reader) -> None:
    with pytest.raises(Failed, match=r"page\.md:2"):
        follow(reader, "```bash\nfalse | cat\n```\n")


def test_a_console_block_must_print_what_it_shows(reader: Reader) -> None:
    follow(reader, "```console\n$ echo one; echo 12 two\none\n... two\n```\n")
    with pytest.raises(Failed, match="it printed"):
        follow(reader, "```console\n$ echo one\ntwo\n```\n")


def test_a_session_must_print_what_it_shows(reader: Reader) -> None:
    follow(reader, "```python\n>>> n = 2\n>>> n + 1\n3\n```\n\n```python\nassert n == 2\n```\n")
    with pytest.raises(Failed, match="Got"):
        follow(reader, "```python\n>>> 1 + 1\n3\n```\n")


def test_an_excused_block_is_not_run_and_the_next_one_is(reader: Reader) -> None:
    follow(
        reader, "<!-- not run: needs a server -->\n\n```python\n1 / 0\n```\n\n```python\nran = True\n```\n"
    )
    assert reader.variables["ran"]


def test_a_file_block_is_written(reader: Reader) -> None:
    follow(reader, "<!-- file: a/b.yaml -->\n```yaml\nx: 1\n```\n")
    assert (reader.folder / "a" / "b.yaml").read_text() == "x: 1\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\nx\n```\n", "language"),
        ("```pyhton\nx\n```\n", "language"),
        ("```python\nx\n", "never closed"),
        ("<!-- not run: -->\n```python\nx\n```\n", "reason"),
    ],
)
def test_a_malformed_page_is_refused(tmp_path: Path, text: str, why: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(BadPage, match=why):
        blocks(page)


def test_a_command_may_go_over_several_lines() -> None:
    assert commands("$ echo a \\\n  b\na b\n$ true\n") == [(0, "echo a \\\n  b", "a b\n"), (3, "true", "")]
