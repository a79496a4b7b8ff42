"""Signatures on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WORDS = ("register", "--no-files", "--name", "fraud")
SIGNATURE = {
    "inputs": [
        {"name": "age", "type": "float64"},
        {"name": "city", "type": "string", "optional": True},
        {"name": "image", "type": "uint8", "shape": [-1, 28, 28]},
        {
            "name": "who",
            "type": "object",
            "fields": [
                {"name": "id", "type": "int64"},
                {"name": "tags", "type": "map", "fields": [{"type": "string"}]},
            ],
        },
    ],
    "outputs": [{"type": "int64"}],
    "params": [{"name": "top", "type": "int64", "default": 3}],
}


@pytest.fixture
def schema(place: Path) -> Path:
    path = place / "schema.json"
    path.write_text(json.dumps(SIGNATURE), "utf-8")
    return path


def table(text: str) -> list[str]:
    """The rows of the signature, with single spaces."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return lines[lines.index("SIGNATURE NAME TYPE SHAPE") + 1 :]


def test_a_signature_comes_from_a_file_and_info_shows_it_as_a_table(cli: Any, schema: Path) -> None:
    cli(*WORDS, "--signature", "schema.json")
    assert cli("info", "fraud", "--json").json["signature"] == SIGNATURE
    assert table(cli("info", "fraud").out) == [
        "input age float64",
        "input city string optional",
        "input image uint8 [-1, 28, 28]",
        "input who object",
        "input who.id int64",
        "input who.tags map",
        "input who.tags[*] string",
        "output - int64",
        "param top int64 default 3",
    ]


def test_of_many_fields_some_are_shown_and_the_rest_is_counted(cli: Any) -> None:
    many = [{"name": f"x{i}", "type": "int8"} for i in range(50)]
    cli(*WORDS, "--signature", json.dumps({"inputs": many, "outputs": []}))
    rows = table(cli("info", "fraud").out)
    assert rows[-2:] == ["input (30 more)", "output (none)"]
    assert len(rows) == 22


def test_a_version_without_signature_has_no_such_table(cli: Any) -> None:
    cli(*WORDS)
    assert "SIGNATURE" not in cli("info", "fraud").out


def test_names_cannot_reach_the_terminal(cli: Any) -> None:
    cli(*WORDS, "--signature", json.dumps({"inputs": [{"name": "a\x1b[2Jb", "type": "int8"}]}))
    assert "\x1b[2J" not in cli("info", "fraud").out


def test_a_change_that_breaks_makes_the_next_label_and_a_small_bump_is_refused(
    cli: Any, schema: Path
) -> None:
    cli(*WORDS, "--signature", "schema.json")
    less = json.dumps({**SIGNATURE, "outputs": []})
    refused = cli(*WORDS, "--signature", less, "--bump", "patch", code=4)
    assert "the output without a name: removed" in refused.err
    assert "override_reason" in refused.err
    warned = cli(*WORDS, "--signature", less, "--bump", "patch", "--override-reason", "no callers yet")
    assert "warning: fraud:0.1.1: from 0.1.0 to 0.1.1 is a patch step" in warned.err
    assert "fraud:0.2.0" in cli(*WORDS, "--signature", "schema.json").out
    assert "fraud:1.0.0" in cli(*WORDS, "--signature", less).out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nothing.json", "nothing.json"),
        ('{"columns": []}', "'columns'"),
        ('{"inputs": [{"name": "a", "type": "flot64"}]}', "float64"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_what_is_no_signature_is_refused(cli: Any, given: str, says: str) -> None:
    ran = cli(*WORDS, "--signature", given, code=2)
    assert says in ran.err
    assert "No versions yet" in cli("list").out


def test_bulk_registration_checks_signatures_before_the_first_is_stored(cli: Any, weights: Path) -> None:
    entry = {"name": "m", "model_path": "weights.bin", "version": "1.0.0"}
    entries = [{**entry, "signature": SIGNATURE}, {**entry, "name": "n", "signature": {"inputs": [7]}}]
    Path("models.json").write_text(json.dumps(entries), "utf-8")
    assert "entry 2 (n): signature inputs" in cli("bulk-register", "models.json", code=2).err
    Path("models.json").write_text(json.dumps(entries[:1]), "utf-8")
    cli("bulk-register", "models.json")
    assert cli("info", "m", "--json").json["signature"] == SIGNATURE
