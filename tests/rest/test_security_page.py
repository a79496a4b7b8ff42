"""The list of attacks names tests that are there, and every attack that is tried is on the list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelyard.cli import diagnosis_posture

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")
ATTACKS, POSTURE, APART = (
    PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    for title in ("Attacks", "Posture", "What does not apply here")
)


def rows(section: str) -> list[list[str]]:
    """Cells of a table's rows, its head left out."""
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def numbered(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\bA(\d+)\b", text)]


NAMED = [
    (row[0], name)
    for row in rows(ATTACKS)
    for name in re.findall(r"`((?:tests|src/modelyard/testing)/[^`]+)`", row[3])
]


@pytest.mark.parametrize(("attack", "name"), NAMED, ids=[f"{a}-{n.rpartition('::')[2]}" for a, n in NAMED])
def test_every_test_that_the_page_names_is_there(attack: str, name: str) -> None:
    path, _, function = name.partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert not function or re.search(rf"^\s*(async )?def {function}\(", text, re.MULTILINE)


def test_every_row_names_a_test() -> None:
    assert not [row for row in rows(ATTACKS) if "`tests/" not in row[3]]


def test_every_attack_has_one_place() -> None:
    claimed = [number for row in rows(ATTACKS) for number in numbered(row[0])]
    apart = [number for row in rows(APART) for number in numbered(row[0].split(" see ")[0])]
    assert sorted(claimed + apart) == list(range(1, 74))


def test_every_attack_that_is_tried_is_on_the_page() -> None:
    tried = {
        int(number)
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def test_((?:[aA]\d+_)+)", file.read_text("utf-8"))
        for number in re.findall(r"\d+", name)
    }
    assert tried <= {number for row in rows(ATTACKS) for number in numbered(row[0])}


def test_every_line_of_the_doctor_about_posture_is_on_the_page_and_the_other_way_round() -> None:
    code = Path(str(diagnosis_posture.__file__)).read_text("utf-8")
    assert set(re.findall(r'"(P\d+ \w+)"', code)) == set(re.findall(r"`(P\d+ \w+)`", POSTURE))
    assert [row[0] for row in rows(POSTURE)] == [f"P{number}" for number in range(1, 25)]
