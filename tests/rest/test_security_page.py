"""The list of attacks names tests that are there, and every attack that is tried is on the list."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")


def tried() -> dict[str, set[str]]:
    """Attack -> files with a test whose name begins with its number."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "tests" / "rest").glob("test_*.py"):
        for numbers in re.findall(r"^def test_((?:a\d+_)+)", file.read_text("utf-8"), re.MULTILINE):
            for number in re.findall(r"a\d+", numbers):
                found.setdefault(number.upper(), set()).add(f"tests/rest/{file.name}")
    return found


def listed() -> dict[str, set[str]]:
    rows = re.findall(r"^\| (A\d+(?:, A\d+)*) .*\| (`tests/.*`) \|$", PAGE, re.MULTILINE)
    return {
        number: set(re.findall(r"`([^`]+)`", files))
        for numbers, files in rows
        for number in numbers.split(", ")
    }


def test_every_attack_on_the_page_is_tried_where_it_says():
    for number, files in listed().items():
        assert files == tried()[number], number


def test_every_attack_that_is_tried_is_on_the_page():
    assert tried().keys() - listed().keys() <= {"A20"}  # tokens have a page of their own
    assert len(listed()) > 20
