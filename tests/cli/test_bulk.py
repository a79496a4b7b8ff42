"""Many registrations from one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.domain.errors import StorageError
from modelyard.ports.service import CreateVersions
from modelyard.service.local import LocalService


def write(place: Path, data: object, name: str = "models.json") -> str:
    (place / name).write_text(json.dumps(data))
    return name


GOOD = {"name": "good", "version": "1.0.0", "model_path": "weights.bin"}


def test_a_missing_file_is_answered_with_what_a_bulk_file_holds(cli: Any) -> None:
    err = cli("bulk-register", "missing.json", code=2).err
    assert "a list such as" in err
    assert "model_path" in err
    assert "accuracy" not in err


def test_an_empty_path_in_an_entry_is_not_the_whole_folder(cli: Any, weights: Path, place: Path) -> None:
    err = cli("bulk-register", write(place, [GOOD | {"model_path": ""}]), code=2).err
    assert "expected a path, found an empty text" in err


def test_entries_take_the_flags_of_register(cli: Any, weights: Path, place: Path) -> None:
    entry = GOOD | {
        "stage": "testing",
        "description": "what it is",
        "metrics": {"accuracy": 0.9},
        "params": {"depth": 3},
        "tags": {"team": "risk"},
        "alias": "champion",
        "artifacts": {"notes.txt": "notes.txt"},
        "card": {"owner": "me"},
        "data-lineage": {"rows": 10},
    }
    (place / "notes.txt").write_text("hello")
    cli("bulk-register", write(place, {"models": [entry]}))
    version = cli("info", "good@champion", "--json").json
    assert version["stage"] == "testing"
    assert version["hyperparams"]["depth"] == 3
    assert version["tags"] == {"team": "risk"}
    assert version["card"] == {"owner": "me"}
    assert {file["path"] for file in version["files"]} >= {"notes.txt"}


def test_a_rerun_skips_what_is_there_with_and_without_labels(cli: Any, weights: Path, place: Path) -> None:
    name = write(place, [GOOD, {"name": "unlabelled", "model_path": "weights.bin"}])
    first = cli("bulk-register", name, "--json").json["models"]
    again = cli("bulk-register", name, "--json").json["models"]
    assert [one["outcome"] for one in first] == ["registered", "registered"]
    assert [one["outcome"] for one in again] == ["there already", "there already"]
    assert [one["model_id"] for one in first] == [one["model_id"] for one in again]
    assert cli("stats", "--json").json["total_versions"] == 2


def test_new_bytes_without_a_label_are_a_new_version(cli: Any, weights: Path, place: Path) -> None:
    name = write(place, [{"name": "unlabelled", "model_path": "weights.bin"}])
    cli("bulk-register", name)
    weights.write_bytes(b"other")
    assert cli("bulk-register", name, "--json").json["models"][0]["outcome"] == "registered"


def test_everything_is_checked_before_the_first_is_registered(cli: Any, weights: Path, place: Path) -> None:
    entries = [
        GOOD,
        {"name": "x", "version": "not ok", "model_path": "weights.bin"},
        {"name": "y", "model_path": "missing.bin"},
        {"name": "z", "model_path": "weights.bin", "metrcs": {}},
        {"name": "w", "model_path": "weights.bin", "metrics": [1]},
        {"name": "v", "model_path": "weights.bin", "stage": "prod"},
        {"name": "u", "model_path": "weights.bin", "metrics": {"accuracy": "high"}},
        {"model_path": "weights.bin"},
        {"name": "t"},
        "text",
        GOOD,
    ]
    ran = cli("bulk-register", write(place, entries), code=2)
    for said in (
        "entry 2 (x)",
        "missing.bin",
        "Did you mean 'metrics'?",
        "an object",
        "entry 6",
        "entry 7",
        "'name' is missing",
        "both are missing",
    ):
        assert said in ran.err
    assert "two entries have this name" in ran.err
    assert "nothing was registered" in ran.err
    assert not (place / "model_registry").exists()


def test_a_refused_entry_stops_no_other_and_gives_the_exit_code(cli: Any, weights: Path, place: Path) -> None:
    cli("bulk-register", write(place, [GOOD]))
    (place / "other.bin").write_bytes(b"other bytes")
    entries = [GOOD | {"model_path": "other.bin"}, GOOD | {"version": "1.1.0"}]
    ran = cli("bulk-register", write(place, entries), code=5)
    assert "failed" in ran.out
    assert cli("info", "good:1.1.0", "--json").json["number"] == 2


@pytest.mark.parametrize("data", [[], {}, {"models": {}}, 3])
def test_a_file_without_entries_is_refused(cli: Any, place: Path, data: object) -> None:
    assert "expected a list of entries" in cli("bulk-register", write(place, data), code=2).err


def test_paths_start_at_the_files_folder(cli: Any, weights: Path, place: Path) -> None:
    (place / "sub").mkdir()
    weights.rename(place / "sub" / "weights.bin")
    (place / "sub" / "models.json").write_text(json.dumps([GOOD]))
    cli("bulk-register", "sub/models.json")
    assert cli("info", "good", "--json").json["size"] == 1024


def test_files_name_bytes_that_the_registry_has(cli: Any, weights: Path, place: Path) -> None:
    cli("bulk-register", write(place, [GOOD]))
    file = cli("info", "good", "--json").json["files"][0]
    entries = [
        GOOD
        | {"model_path": None, "version": "1.0.1", "files": [{"path": "m.bin", "digest": file["digest"]}]},
        GOOD
        | {
            "model_path": None,
            "version": "1.0.2",
            "files": [file],
            "flavor": {"name": "file", "entry": file["path"]},
        },
    ]
    told = cli("bulk-register", write(place, entries), "--json").json["models"]
    assert [one["outcome"] for one in told] == ["registered", "registered"]
    assert cli("info", "good:1.0.1", "--json").json["files"][0]["size"] == 1024
    assert cli("info", "good:1.0.1", "--json").json["flavor"]["entry"] == "m.bin"


def test_files_are_checked_before_anything_is_registered(cli: Any, weights: Path, place: Path) -> None:
    entries = [GOOD | {"files": []}, GOOD | {"version": "2", "flavor": {"name": "file"}}]
    err = cli("bulk-register", write(place, entries), code=2).err
    assert "found both" in err
    assert "'flavor' goes with 'files' only" in err
    assert not (place / "model_registry").exists()


def test_unknown_bytes_are_refused_by_entry(cli: Any, weights: Path, place: Path) -> None:
    file = {"path": "m.bin", "digest": f"sha256:{'0' * 64}"}
    entries = [
        GOOD,
        {"name": "good", "files": [file]},
        {"name": "good", "files": [file | {"size": 3}]},
        {"name": "good", "files": [file | {"size": "3"}]},
        {"name": "good", "files": [{"path": "m.bin"}]},
        {"name": "good", "files": [3]},
        {"name": "good", "files": [file | {"size": 3}], "flavor": {"entry": "m.bin"}},
    ]
    told = cli("bulk-register", write(place, entries), "--json", code=6).json["models"]
    assert [one["outcome"] for one in told] == ["registered", *["failed"] * 6]
    assert [one["entry"] for one in told] == [1, 2, 3, 4, 5, 6, 7]
    assert all("not in the store" in told[place]["why"] for place in (1, 2))


def test_a_wrong_size_is_the_failure_of_its_entry(cli: Any, weights: Path, place: Path) -> None:
    cli("bulk-register", write(place, [GOOD]))
    file = cli("info", "good", "--json").json["files"][0]
    entries = [GOOD | {"version": f"1.{n}.0"} for n in (1, 2, 3)]
    entries[1] |= {"model_path": None, "files": [file | {"size": 3}]}
    told = cli("bulk-register", write(place, entries), "--batch", "1", "--json", code=6).json["models"]
    assert [one["outcome"] for one in told] == ["registered", "failed", "registered"]
    assert told[1]["why"].startswith(f"{file['path']!r}: the manifest says 3 bytes, the store has 1024")


def test_a_run_that_ends_early_tells_what_it_did(
    cli: Any, weights: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalService.create_versions

    def refuse(service: LocalService, request: CreateVersions) -> Any:
        if request.versions[0].version == "1.2.0":
            raise StorageError("the disk is gone")
        return real(service, request)

    monkeypatch.setattr(LocalService, "create_versions", refuse)
    entries = [GOOD | {"version": f"1.{n}.0"} for n in (1, 2, 3)]
    ran = cli("bulk-register", write(place, entries), "--batch", "1", code=7)
    assert "1 entry: 1 registered" in ran.out
    assert "the disk is gone" in ran.err
    told = cli("bulk-register", "models.json", "--batch", "1", "--json", code=7)
    assert [one["outcome"] for one in told.json["models"]] == ["there already"]


def test_a_whole_batch_is_left_out_with_its_refused_entry(cli: Any, weights: Path, place: Path) -> None:
    cli("bulk-register", write(place, [GOOD]))
    (place / "other.bin").write_bytes(b"other bytes")
    entries = [
        GOOD | {"version": "1.1.0"},
        GOOD | {"version": "1.2.0"},
        GOOD | {"version": "1.3.0"},
        GOOD | {"model_path": "other.bin"},
        GOOD | {"version": "1.4.0"},
    ]
    ran = cli("bulk-register", write(place, entries), "--whole", "--batch", "2", code=5)
    assert "entry 4: " in ran.out
    assert "3 registered, 1 failed, 1 left out" in ran.out
    assert cli("stats", "--json").json["total_versions"] == 4
    assert cli("info", "good:1.4.0", "--json").json["number"] == 4
    none = cli("bulk-register", write(place, entries[2:]), "--whole", "--json", code=5).json["models"]
    assert [one["outcome"] for one in none] == ["left out", "failed", "left out"]


def test_entries_before_and_behind_a_refused_one_are_registered(cli: Any, weights: Path, place: Path) -> None:
    cli("bulk-register", write(place, [GOOD]))
    (place / "other.bin").write_bytes(b"other bytes")
    bad = GOOD | {"model_path": "other.bin"}
    entries = [GOOD | {"version": "1.1.0"}, bad, GOOD | {"version": "1.2.0"}, bad | {"version": "v1.0.0+a"}]
    told = cli("bulk-register", write(place, entries[:3]), "--json", code=5).json["models"]
    assert [one["outcome"] for one in told] == ["registered", "failed", "registered"]
    assert told[1]["why"].startswith("good:1.0.0 exists with another content digest")


def test_a_file_may_hold_an_entry_a_line(cli: Any, weights: Path, place: Path) -> None:
    lines = [json.dumps(GOOD | {"version": f"1.{n}.0"}) for n in range(3)]
    (place / "models.jsonl").write_text("\n\n".join(lines))
    assert "3 registered" in cli("bulk-register", "models.jsonl").out
    (place / "models.jsonl").write_text("\n".join([*lines, "{"]))
    assert "line 4" in cli("bulk-register", "models.jsonl", code=2).err
