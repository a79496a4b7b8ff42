"""``modelyard export`` and ``modelyard import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.client import bundle


def test_an_export_says_what_it_holds(fraud: Any, place: Path) -> None:
    ran = fraud("export", "all.tar")
    assert ran.out.startswith("wrote all.tar (")
    assert "1 model, " in ran.out
    assert "import all.tar" in ran.err
    told = fraud("export", "again.tar", "--json").json
    assert told["size"] == (place / "again.tar").stat().st_size
    assert (told["models"], told["base"], told["left_out_blobs"]) == (1, "", 0)
    assert told["digest"] == bundle.summary(place / "all.tar")["digest"]


def test_records_alone_are_told_with_path_and_size(fraud: Any, place: Path) -> None:
    told = fraud("export", "all.json", "--json").json
    assert told == {"path": "all.json", "size": (place / "all.json").stat().st_size}


def test_a_delta_says_what_it_leaves_to_its_base(fraud: Any, place: Path) -> None:
    fraud("export", "base.tar")
    fraud("tag", "fraud", "more=yes")
    ran = fraud("export", "delta.tar", "--since", "base.tar")
    assert ran.out.rstrip().endswith("left to base.tar")
    told = fraud("export", "other.tar", "--since", "base.tar", "--json").json
    assert told["base"] == bundle.summary(place / "base.tar")["digest"]
    assert told["left_out_bytes"] > 0
    fraud("--registry", "copy", "import", "base.tar")
    assert "fraud: forwarded" in fraud("--registry", "copy", "import", "delta.tar").out
    assert fraud("--registry", "copy", "import", "delta.tar", "--json").json["models"] == {
        "fraud": "unchanged"
    }


def test_an_import_is_told_model_by_model_with_what_got_other_numbers(fraud: Any) -> None:
    fraud("export", "all.tar")
    fraud("--registry", "mine", "register", "--no-files", "--name", "fraud", "--version", "9.0.0")
    ran = fraud("--registry", "mine", "import", "all.tar")
    assert "fraud: renumbered" in ran.out
    assert "note: fraud:1.0.0 (#1) is 1.0.0 (#2) here" in ran.out


def test_a_bundle_that_was_changed_is_refused_with_what_is_wrong(fraud: Any, place: Path) -> None:
    fraud("export", "all.tar")
    data = bytearray((place / "all.tar").read_bytes())
    data[data.rindex(b'"events"')] ^= 1
    (place / "all.tar").write_bytes(data)
    ran = fraud("--registry", "copy", "import", "all.tar", "--json", code=6)
    assert ran.out == ""
    assert "nothing was imported" in ran.err
    assert fraud("--registry", "copy", "list", "--json").json["versions"] == []


def test_a_delta_without_its_base_names_what_lacks(fraud: Any) -> None:
    fraud("export", "base.tar")
    fraud("register", "--no-files", "--name", "other")
    fraud("export", "delta.tar", "--since", "base.tar")
    ran = fraud("--registry", "copy", "import", "delta.tar", code=3)
    assert "import that bundle first" in ran.err
    assert "- fraud" in ran.err
