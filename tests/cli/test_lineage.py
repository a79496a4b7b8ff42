"""``lineage``, ``link``, ``affected``, ``withdraw`` and ``reinstate``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.cli import options
from modelyard.cli.render import width_of
from modelyard.domain import lineage


@pytest.fixture
def family(cli: Any) -> Any:
    """cards → fraud:0.1.0 → fraud:0.1.1 (champion) → churn:0.1.0, used by api/eu."""
    cli(
        "register", "--no-files", "--name", "fraud", "--lineage", "dataset=s3://cards", "--lineage", "run=r=1"
    )
    cli("register", "--no-files", "--name", "fraud", "--parent", "fraud", "--alias", "champion")
    cli("register", "--no-files", "--name", "churn", "--lineage", "fine-tuned-from=fraud")
    cli("link", "churn", "used_by", "api/eu")
    return cli


def test_the_program_knows_every_kind_that_can_be_withdrawn() -> None:
    assert options.SOURCES == lineage.SOURCES


def test_a_lineage_is_a_tree_up_and_down(family: Any) -> None:
    assert family("lineage", "fraud").out.splitlines() == [
        "fraud:0.1.1 (#2), development",
        "came from",
        "└─ parent: fraud:0.1.0 (#1), development",
        "   ├─ dataset: s3://cards",
        "   └─ run: r=1",
        "led to",
        "└─ fine_tuned_from: churn:0.1.0 (#1), development",
        "   └─ used_by: api/eu",
    ]


def test_one_direction_and_a_depth_leave_the_rest_out_and_say_so(family: Any) -> None:
    assert family("lineage", "churn", "--direction", "up", "--depth", "1").out.splitlines() == [
        "churn:0.1.0 (#1), development",
        "came from",
        "└─ fine_tuned_from: fraud:0.1.1 (#2), development",
        "(further than 1 link away there is more)",
    ]
    family("lineage", "churn", "--depth", "0", code=2)


def test_nothing_known_is_said(family: Any) -> None:
    family("link", "churn", "used_by", "api/eu", "--remove")
    assert family("lineage", "churn", "--direction", "down").out.splitlines()[1:] == [
        "led to",
        "└─ nothing known",
    ]


def test_what_is_met_twice_is_opened_once(family: Any) -> None:
    family("link", "churn", "merged_from", "fraud:0.1.0")
    lines = family("lineage", "churn", "--direction", "up").out.splitlines()
    assert "└─ merged_from: fraud:0.1.0 (#1), development (see above)" in lines
    assert sum("dataset: s3://cards" in line for line in lines) == 1


def test_a_deep_or_hostile_lineage_keeps_to_its_width(cli: Any) -> None:
    for _ in range(45):
        parent = ("--parent", "m") if _ else ()
        cli("register", "--no-files", "--name", "m", *parent, "--quiet")
    cli("link", "m", "dataset", "x\x1b[31m\n\u202e" + "y" * 200)
    ran = cli("lineage", "m")
    assert all(width_of(line) <= 80 for line in ran.out.splitlines())
    assert "\x1b" not in ran.out
    assert "m:0.1.0 (#1)" in ran.out


def test_other_programs_get_other_forms(family: Any) -> None:
    assert family("lineage", "fraud", "--format", "mermaid").out.startswith("flowchart LR\n")
    assert family("lineage", "fraud", "--format", "dot").out.startswith("digraph lineage {\n")
    graph = json.loads(family("lineage", "fraud", "--format", "json").out)
    answer = family("lineage", "fraud", "--json").json
    assert answer["graph"] == graph
    assert [one["version"] for one in answer["versions"]] == ["0.1.0", "0.1.1"]


def test_a_deleted_version_has_a_lineage_too(family: Any) -> None:
    family("delete", "fraud#1")
    assert "fraud:0.1.0 (#1), development, DELETED" in family("lineage", "fraud").out
    assert family("lineage", "fraud#1", "--json").json["versions"] == []


def test_a_link_is_added_and_taken_back(family: Any) -> None:
    ran = family("link", "churn", "dataset", "s3://more", "--details", '{"rows": 3}')
    assert ran.out == "churn:0.1.0 is dataset s3://more\n"
    links = family("info", "churn", "--json").json["links"]
    assert {"kind": "dataset", "target": "s3://more", "details": {"rows": 3}} in links
    assert "no longer dataset" in family("link", "churn", "dataset", "s3://more", "--remove").out
    family("link", "churn", "dataset", "x", "--remove", "--details", "{}", code=2)
    family("link", "churn", "sibling", "x", code=2)


def test_a_circle_is_refused(family: Any) -> None:
    ran = family("link", "fraud#1", "merged_from", "churn", code=4)
    assert "came from churn:0.1.0 came from fraud:0.1.1" in ran.err


def test_a_withdrawal_lists_what_it_reaches_and_how(family: Any) -> None:
    lines = family(
        "withdraw", "s3://cards", "--kind", "dataset", "--reason", "consent expired"
    ).out.splitlines()
    assert lines[0] == "dataset s3://cards"
    assert "consent expired" in lines[1]
    assert lines[2] == "reaches  3 versions, 1 alias, 1 deployment"
    rows = [line.split() for line in lines[5:]]
    assert rows == [
        ["version", "fraud:0.1.0", "development"],
        ["version", "fraud:0.1.1", "development", "fraud:0.1.0"],
        ["alias", "fraud@champion", "development", "fraud:0.1.0", "→", "fraud:0.1.1"],
        ["version", "churn:0.1.0", "development", "fraud:0.1.0", "→", "fraud:0.1.1"],
        ["deployment", "api/eu", "development", "fraud:0.1.0", "→", "fraud:0.1.1", "→", "churn:0.1.0"],
    ]
    assert family("affected", "s3://cards", "--kind", "dataset").out.splitlines()[3:] == lines[3:]
    assert "dataset: s3://cards, WITHDRAWN" in family("lineage", "fraud").out


def test_a_withdrawn_version_shows_it_and_needs_force_to_go_live(family: Any) -> None:
    family("withdraw", "fraud", "--reason", "it leaks")
    assert "withdrawn" in family("info", "fraud").out
    live = ("promote", "fraud", "--target-stage", "production")
    assert "it leaks" in family(*live, code=4).err
    family(*live, "--force", "--reason", "no other")
    assert "withdrawn: it leaks" in family("status", "fraud").out
    assert family("reinstate", "fraud").out == "fraud:0.1.1 is not withdrawn\n"
    assert "withdrawn: it leaks" not in family("status", "fraud").out


def test_a_withdrawal_needs_a_reason_and_something_that_is_there(family: Any) -> None:
    family("withdraw", "fraud", code=2)
    assert "no version names" in family("withdraw", "x", "--kind", "dataset", "--reason", "y", code=3).err
    assert family("affected", "churn").out.splitlines()[1:3] == [
        "marked   not withdrawn",
        "reaches  1 version, 1 deployment",
    ]


def test_a_link_on_the_command_line_has_two_sides(cli: Any) -> None:
    assert (
        "expected kind=target"
        in cli("register", "--no-files", "--name", "m", "--lineage", "dataset", code=2).err
    )


def test_links_may_come_from_a_file_of_many(cli: Any, place: Any) -> None:
    entry = {"name": "m", "model_path": "w.bin", "lineage": [["dataset", "cards", {"rows": 7}]]}
    (place / "w.bin").write_bytes(b"w")
    (place / "models.json").write_text(json.dumps([entry]))
    cli("bulk-register", "models.json")
    assert cli("info", "m", "--json").json["lineage"][0]["details"] == {"rows": 7}


def test_two_ways_to_write_a_lineage_contradict_each_other(family: Any) -> None:
    assert (
        "--format dot and --json contradict"
        in family("lineage", "churn", "--format", "dot", "--json", code=2).err
    )
    assert family("lineage", "churn", "--format", "json", "--json").json["graph"]["nodes"]
