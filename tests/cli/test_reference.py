"""The reference page says what the commands say."""

from __future__ import annotations

from pathlib import Path

from modelyard.cli import reference
from modelyard.cli.exits import MEANINGS
from modelyard.cli.verbs import VERBS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == reference.to_markdown(), "docs/reference/cli.md is old: run `make docs`"


def test_the_page_has_every_verb_and_every_exit_code() -> None:
    page = reference.to_markdown()
    assert all(f"### modelyard {name}\n" in page for name in VERBS)
    assert all(f"| {code} | {text} |" in page for code, text in MEANINGS.items())
