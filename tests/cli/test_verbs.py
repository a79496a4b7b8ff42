"""What the verbs do and say, against a real registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.verbs import ELSEWHERE, VERBS


def stage(cli: Any, ref: str) -> str:
    return str(cli("info", ref, "--json").json["stage"])


def test_an_empty_registry_teaches_the_first_command(cli: Any, place: Path) -> None:
    ran = cli("list")
    assert "No versions yet in ./model_registry." in ran.out
    assert "next: modelyard register --model-path FILE --name NAME" in ran.err
    assert list(place.iterdir()) == []


def test_a_verb_about_a_missing_registry_says_where_it_looked(cli: Any) -> None:
    ran = cli("status", "fraud", "--registry", "./elsewhere", code=3)
    assert "elsewhere" in ran.err
    assert "register --model-path" in ran.err


def test_global_options_work_before_and_after_the_verb(cli: Any, weights: Path, place: Path) -> None:
    words = ("register", "--model-path", "weights.bin", "--name", "m", "--version", "1.0.0")
    cli("--registry", "./one", *words)
    cli(*words, "--registry", "./two")
    cli("--registry", "./one", "alias", "set", "m", "champion", "m:1.0.0")
    assert (place / "one").is_dir()
    assert (place / "two").is_dir()
    assert cli("list", "--registry", "two", "--json").json["versions"][0]["name"] == "m"
    assert "--registry ./one" in cli("--registry", "./one", "status", "m").err


def test_hints_go_to_standard_error_and_quiet_leaves_them_out(cli: Any, weights: Path) -> None:
    words = ("register", "--model-path", "weights.bin", "--name", "m")
    ran = cli(*words, "--version", "1.0.0")
    assert ran.out.count("\n") == 1
    assert ran.err == "next: modelyard promote m:1.0.0 --target-stage staging\n"
    ran = cli(*words, "--version", "1.1.0", "--quiet")
    assert len(ran.out.strip()) == 26
    assert ran.err == ""


def test_registering_the_same_again_is_harmless_and_other_bytes_are_a_conflict(
    cli: Any, weights: Path
) -> None:
    words = ("register", "--model-path", "weights.bin", "--name", "m", "--version", "1.0.0", "--quiet")
    assert cli(*words).out == cli(*words).out
    weights.write_bytes(b"other")
    assert "1.0.0" in cli(*words, code=5).err


def test_register_takes_artifacts_a_parent_an_alias_and_a_bump(cli: Any, weights: Path, place: Path) -> None:
    (place / "plot.png").write_bytes(b"png")
    base = ("register", "--model-path", "weights.bin", "--name", "m")
    cli(*base, "--version", "1.0.0")
    cli(
        *(*base, "--bump", "minor", "--parent", "m:1.0.0", "--alias", "champion"),
        *("--artifact", "plot.png", "--artifact", "notes/second.png=plot.png", "--card", '{"owner": "me"}'),
    )
    version = cli("info", "m@champion", "--json").json
    assert version["version"] == "1.1.0"
    assert {file["path"] for file in version["files"]} == {"weights.bin", "plot.png", "notes/second.png"}
    chain = cli("lineage", "m@champion", "--json").json["versions"]
    assert [one["version"] for one in chain] == ["1.0.0", "1.1.0"]


def test_the_model_may_stand_without_an_option(cli: Any, weights: Path) -> None:
    cli("register", "weights.bin", "--name", "m", "--version", "1.0.0")
    assert [file["path"] for file in cli("info", "m", "--json").json["files"]] == ["weights.bin"]


@pytest.mark.parametrize(("word", "verb"), [*ELSEWHERE.items(), ("lst", "list"), ("Show", "info")])
def test_what_other_tools_call_a_verb_is_answered_with_ours(cli: Any, word: str, verb: str) -> None:
    assert verb in VERBS
    assert f"There is no verb '{word}'. Did you mean '{verb}'?" in cli(word, code=2).err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("register", "--name", "m"), "Which file?"),
        (("register", "weights.bin", "--name", "m", "--model-path", "other.bin"), "'other.bin' are given"),
        (("register", "", "--name", "m"), "empty text"),
        (("register", "--name", "m", "--model-path", "nothing.bin"), "nothing at 'nothing.bin'"),
        (("register", "--name", "m", "--no-files", "--model-path", "weights.bin"), "contradict"),
        (
            ("register", "--name", "m", "--model-path", "weights.bin", "--artifact", "no.png"),
            "nothing at 'no.png'",
        ),
        (("register", "--name", "m", "--model-path", "weights.bin", "--metrics", "{"), "--metrics"),
        (("register", "--name", "m", "--model-path", "weights.bin", "--stage", "prod"), "--stage"),
        (("info",), "Give a ref"),
        (("info", "m", "--model-name", "m"), "not both"),
        (("delete", "--model-name", "m"), "Add --version"),
        (("compare", "m"), "two refs"),
        (("compare", "a", "b", "--model-name", "m"), "not both"),
        (("check", "m", "tests_passed"), "--passed or --failed"),
        (("tag", "m"), "KEY=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_half_a_command_line_is_answered_with_what_is_missing(
    cli: Any, weights: Path, words: tuple[str, ...], says: str
) -> None:
    ran = cli(*words, code=2)
    assert says in ran.err
    assert ran.out == ""


def test_load_writes_the_model_file_and_never_over_another(fraud: Any, model: Path, place: Path) -> None:
    fraud("load", "fraud@production", "--output", "copy.joblib")
    assert (place / "copy.joblib").read_bytes() == model.read_bytes()
    assert "--overwrite" in fraud("load", "fraud", "--output", "copy.joblib", code=5).err
    fraud("load", "fraud", "--output", "copy.joblib", "--overwrite")
    (place / "folder").mkdir()
    fraud("load", "fraud", "--output", "folder")
    assert (place / "folder" / "model.joblib").read_bytes() == model.read_bytes()
    assert {path.name for path in place.iterdir()} == {
        "model.joblib",
        "copy.joblib",
        "folder",
        "model_registry",
    }


def test_load_writes_a_directory_without_what_travelled_along(cli: Any, place: Path) -> None:
    (place / "net" / "deep").mkdir(parents=True)
    (place / "net" / "config.json").write_text("{}")
    (place / "net" / "deep" / "weights.bin").write_bytes(b"w")
    (place / "plot.png").write_bytes(b"png")
    cli("register", "--model-path", "net", "--name", "m", "--artifact", "extra/plot.png=plot.png")
    cli("load", "m", "--output", "out")
    found = {
        path.relative_to(place / "out").as_posix() for path in (place / "out").rglob("*") if path.is_file()
    }
    assert found == {"config.json", "deep/weights.bin"}
    cli("load", "m", "--output", "out", code=5)


def test_load_of_facts_alone_says_there_is_no_file(cli: Any) -> None:
    cli("register", "--no-files", "--name", "m", "--metrics", '{"accuracy": 0.9}')
    assert "no model file" in cli("load", "m", "--output", "x", code=3).err


def test_a_damaged_file_is_never_written_out(fraud: Any, place: Path) -> None:
    blobs = [path for path in (place / "model_registry" / "blobs").rglob("*") if path.is_file()]
    for blob in [path for path in blobs if len(path.name) == 64]:
        blob.chmod(0o600)
        blob.write_bytes(b"x" * blob.stat().st_size)
    fraud("load", "fraud", "--output", "copy.joblib", code=6)
    assert {path.name for path in place.iterdir()} == {"model.joblib", "model_registry"}
    assert "--repair" in fraud("fsck", "--deep", code=6).err
    assert fraud("fsck", "--deep", "--json", code=6).json["ok"] is False


def test_download_brings_every_file(fraud: Any, place: Path) -> None:
    fraud("download", "fraud:1.0.0", "files")
    assert [path.name for path in (place / "files").iterdir()] == ["model.joblib"]


def test_gates_tell_the_exit_code_that_promote_would_have(fraud: Any) -> None:
    fraud("promote", "fraud:1.2.0", "--target-stage", "staging")
    rules = ("--target-stage", "production", "--requirements", '{"min_accuracy": 0.99, "tests_passed": true}')
    ran = fraud("gates", "fraud:1.2.0", *rules, code=4)
    assert "would be refused" in ran.out
    assert "FAIL  min_accuracy" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    fraud("promote", "fraud:1.2.0", *rules, "--dry-run", code=4)
    assert stage(fraud, "fraud:1.2.0") == "staging"
    fraud("check", "fraud:1.2.0", "tests_passed", "--passed", "--evidence", '{"run": 17}')
    assert (
        "would move"
        in fraud("gates", "fraud:1.2.0", *rules[:2], "--requirements", '{"tests_passed": true}').out
    )


def test_promote_names_who_made_room_and_expected_is_a_compare_and_set(fraud: Any) -> None:
    fraud("promote", "fraud:1.2.0", "--target-stage", "staging")
    words = ("promote", "fraud:1.2.0", "--target-stage", "production")
    fraud(*words, "--expected", "fraud:1.0.0", code=5)
    fraud(*words, "--expected", "", code=5)
    assert "champion" in fraud(*words, "--archive-existing", code=4).err
    fraud("alias", "set", "fraud", "champion", "fraud:1.2.0")
    ran = fraud(*words, "--expected", "fraud:1.1.0", "--archive-existing")
    assert "fraud:1.1.0 made room" in ran.out
    assert "nothing changed" in fraud(*words).out


def test_rollback_drills_first_and_then_moves(fraud: Any) -> None:
    ran = fraud("rollback", "fraud", "--drill")
    assert "drill passed" in ran.out
    assert "loads in" in ran.out
    assert stage(fraud, "fraud:1.1.0") == "production"
    fraud("rollback", "fraud", "--reason", "too many alarms", "--no-load-check")
    assert stage(fraud, "fraud:1.0.0") == "production"
    fraud("rollback", "fraud", "--no-load-check", code=4)


def test_aliases_are_set_protected_listed_and_removed(fraud: Any) -> None:
    fraud("alias", "set", "fraud", "blue", "fraud:1.0.0", "--expected", "")
    fraud("alias", "set", "fraud", "blue", "fraud:1.2.0", "--expected", "fraud:1.1.0", code=5)
    fraud("alias", "protect", "fraud", "blue", "--reason", "live traffic")
    fraud("alias", "set", "fraud", "blue", "fraud:1.2.0", code=4)
    fraud("alias", "set", "fraud", "blue", "fraud:1.2.0", "--force", "--reason", "agreed")
    (blue,) = [a for a in fraud("alias", "list", "fraud", "--json").json["aliases"] if a["alias"] == "blue"]
    assert (blue["version"], blue["number"], blue["protected"]) == ("1.2.0", 3, True)
    fraud("alias", "unprotect", "fraud", "blue")
    fraud("alias", "delete", "fraud", "blue")
    assert "blue" not in fraud("alias", "list").out
    fraud("alias", "list", "nobody", code=3)


def test_a_policy_can_be_shown_edited_and_set(fraud: Any, place: Path) -> None:
    policy = json.loads(fraud("policy", "show", "fraud").out)
    policy["gates"] = {"production": {"min_accuracy": 0.93}}
    (place / "policy.json").write_text(json.dumps(policy))
    assert "policy version" in fraud("policy", "set", "fraud", "policy.json", "--reason", "raise").out
    fraud("gates", "fraud:1.0.0", "--target-stage", "production", code=4)
    ran = fraud("policy", "set", "fraud", '{"gates": {"production": {"min_acuracy": 1}}}', code=2)
    assert "accuracy" in ran.err


def test_status_answers_the_five_questions(fraud: Any) -> None:
    lines = fraud("status", "fraud").out.splitlines()
    labels = [line.split()[0] for line in lines[1:6]]
    assert labels == ["live", "since", "by", "intact", "undo"]
    text = "\n".join(lines)
    assert "1.1.0 (#2)" in lines[1]
    assert '"ship 1.1.0"' in lines[3]
    assert "every byte" in lines[4]
    assert "yes, to fraud:1.0.0" in lines[5]
    assert "champion → 1.1.0" in text
    assert "latest   1.2.0 (#3)" in text


def test_status_without_anything_live_still_has_five_lines(cli: Any, weights: Path) -> None:
    cli("register", "--model-path", "weights.bin", "--name", "m", "--version", "1.0.0")
    ran = cli("status", "m")
    assert [line.split()[0] for line in ran.out.splitlines()[1:6]] == [
        "live",
        "since",
        "by",
        "intact",
        "undo",
    ]
    assert "nothing is in production" in ran.out
    assert "promote m:1.0.0" in ran.err


def test_as_of_answers_from_the_history(fraud: Any) -> None:
    assert "was nothing" in fraud("as-of", "fraud", "1 day ago").out
    assert "was fraud:1.1.0 (#2)" in fraud("as-of", "fraud", "now").out
    assert "was fraud:1.1.0" in fraud("as-of", "fraud", "now", "--pointer", "champion").out


def test_history_is_newest_first_and_a_limit_says_so(fraud: Any) -> None:
    ran = fraud("history", "fraud", "--limit", "3")
    assert "alias.set" in ran.out.splitlines()[1]
    assert "there may be more" in ran.err
    oldest = fraud("history", "fraud", "--oldest-first", "--json").json["events"]
    assert [event["sequence"] for event in oldest] == list(range(1, len(oldest) + 1))


def test_a_limited_list_says_that_there_is_more(fraud: Any) -> None:
    ran = fraud("list", "--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert "there are more" in ran.err
    assert fraud("list", "--limit", "2", "--json").json["more"] is True
    assert fraud("list", "--json").json["more"] is False


def test_lists_filter_by_everything(fraud: Any) -> None:
    def found(*words: str) -> set[str]:
        return {version["version"] for version in fraud("list", *words, "--json").json["versions"]}

    assert found("--name", "fraud") == {"1.0.0", "1.1.0", "1.2.0"}
    assert found("--stage", "PRODUCTION") == {"1.1.0"}
    assert found("--tag", "team=risk", "--where", "metrics.accuracy > 0.91") == {"1.1.0", "1.2.0"}
    assert found("--tag", "team=other") == set()
    assert found("--alias", "champion") == {"1.1.0"}


def test_facts_can_be_changed(fraud: Any) -> None:
    fraud("tag", "fraud:1.2.0", "owner=ana", "--remove", "team")
    fraud("describe", "fraud:1.2.0", "without the March data")
    fraud("metrics", "fraud:1.2.0", '{"f1": {"value": 0.9, "n": 114, "split": "test"}}')
    fraud("card", "fraud:1.2.0", '{"intended_use": "payments"}')
    version = fraud("info", "fraud:1.2.0", "--json").json
    assert version["tags"] == {"owner": "ana"}
    assert version["description"] == "without the March data"
    assert version["card"] == {"intended_use": "payments"}
    assert "114" in fraud("metrics", "fraud:1.2.0").out
    assert "payments" in fraud("card", "fraud:1.2.0").out


def test_delete_is_undone_by_undelete(fraud: Any) -> None:
    fraud("delete", "--model-name", "fraud", "--version", "1.2.0")
    assert "1.2.0" not in fraud("list").out
    assert "deleted" in fraud("list", "--deleted").out
    fraud("undelete", "fraud:1.2.0")
    assert "1.2.0" in fraud("list").out


def test_undelete_does_not_claim_what_it_did_not_do(fraud: Any) -> None:
    assert "fraud:1.1.0 (#2) was not deleted" in fraud("undelete", "fraud:1.1.0").out
    fraud("delete", "fraud:1.2.0")
    ran = fraud("undelete", "fraud")
    assert "fraud:1.1.0 (#2) was not deleted; deleted are fraud:1.2.0" in ran.out
    assert "is back" not in ran.out
    assert "fraud:1.2.0 (#3) is back" in fraud("undelete", "fraud:1.2.0").out
    fraud("undelete", "nobody", code=3)


def test_a_missing_choice_lists_the_choices_on_one_line(fraud: Any) -> None:
    err = fraud("gates", "fraud", code=2).err
    assert "Missing option '--target-stage'. Choose from: development, testing," in err
    assert "\\" not in err


def test_a_history_without_a_model_says_whose_events_it_shows(fraud: Any) -> None:
    ran = fraud("history")
    assert "No events of the registry itself." in ran.out
    assert "next: modelyard history NAME" in ran.err


def test_a_tag_without_an_operator_is_asked_back_and_not_searched_as_text(fraud: Any) -> None:
    fraud("tag", "fraud:1.2.0", "team=risk")
    assert "did you mean 'tags.team exists'?" in fraud("list", "--where", "tags.team", code=2).err
    assert "fraud" in fraud("list", "--where", "tags.team exists").out


def test_an_empty_model_path_is_not_the_working_directory(cli: Any, weights: Path) -> None:
    for words in (("register", "--model-path", "", "--name", "m"),):
        assert "empty text" in cli(*words, code=2).err
    assert cli("list", "--json").json["versions"] == []


def test_what_is_live_is_not_deleted_without_force_and_reason(fraud: Any) -> None:
    assert "champion" in fraud("delete", "fraud:1.1.0", code=4).err
    fraud("delete", "fraud:1.1.0", "--force", code=4)
    assert stage(fraud, "fraud:1.1.0") == "production"


def test_cleanup_runs_exactly_its_preview(fraud: Any) -> None:
    fraud("archive", "fraud:1.2.0", "--reason", "never good")
    preview = fraud("cleanup", "--older-than-days", "0", "--json").json
    assert [version["version"] for version in preview["versions"]] == ["1.2.0"]
    assert "cleanup --older-than-days 0 --yes" in fraud("cleanup", "--older-than-days", "0").err
    done = fraud("cleanup", "--older-than-days", "0", "--yes", "--json").json
    assert [version["model_id"] for version in done["versions"]] == [
        version["model_id"] for version in preview["versions"]
    ]
    assert "nothing is due" in fraud("cleanup", "--older-than-days", "0").out


def test_gc_previews_and_frees(cli: Any, weights: Path) -> None:
    cli("register", "--model-path", "weights.bin", "--name", "m", "--version", "1.0.0")
    cli("delete", "m:1.0.0")
    preview = cli("gc", "--grace-days", "0")
    assert "would free 1.0 KiB in 1 blob" in preview.out
    assert "gc --grace-days 0 --yes" in preview.err
    assert "freed 1.0 KiB" in cli("gc", "--grace-days", "0", "--yes").out
    assert "nothing to free" in cli("gc", "--grace-days", "0").out
    assert "nothing wrong" in cli("fsck", "--deep").out


def test_a_bundle_moves_a_registry(fraud: Any) -> None:
    fraud("export", "all.tar")
    assert "fraud: taken" in fraud("--registry", "copy", "import", "all.tar").out
    assert "1.1.0" in fraud("--registry", "copy", "status", "fraud").out
    assert "nothing wrong" in fraud("--registry", "copy", "fsck", "--deep").out


def test_an_audit_that_holds_says_so_and_a_broken_one_names_the_entry(fraud: Any, place: Path) -> None:
    assert "hold" in fraud("audit", "verify").out
    from modelyard.adapters.metadata.sqlite import driver

    connection = driver().connect(place / "model_registry" / "registry.db")
    (doc,) = connection.execute("select doc from events where sequence = 3").fetchone()
    text = doc if isinstance(doc, str) else bytes(doc).decode()
    assert "ship" in text
    connection.execute("update events set doc = ? where sequence = 3", (text.replace("ship", "slip"),))
    connection.commit()
    connection.close()
    ran = fraud("audit", "verify", "--json", code=6)
    assert ran.json["ok"] is False
    assert "event 3" in fraud("audit", "verify", code=6).out


def test_config_shows_where_values_come_from(cli: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "modelyard.yaml").write_text("registry:\n  path: ./mine\nmlflow:\n  enabled: true\n")
    monkeypatch.setenv("MODELYARD_REGISTRY_DEFAULT_STAGE", "testing")
    rows = {row["key"]: row for row in cli("config", "show", "--json").json["settings"]}
    assert rows["registry.path"]["value"] == "./mine"
    assert rows["registry.path"]["source"].endswith("modelyard.yaml:2")
    assert rows["registry.default_stage"]["source"] == "MODELYARD_REGISTRY_DEFAULT_STAGE"
    assert rows["mlflow.enabled"]["active"] is False
    out = cli("config", "show").out
    assert "not active yet" in out
    assert max(map(len, out.splitlines())) <= 80
    assert set(cli("config", "show", "--changed", "--json").json["settings"][0]) >= {"key", "value", "help"}


def test_a_wrong_configuration_is_an_error_that_names_the_line(cli: Any, place: Path) -> None:
    (place / "mine.yaml").write_text("registry:\n  pathh: x\n")
    ran = cli("list", "--config", "mine.yaml", code=2)
    assert "registry.path" in ran.err


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_program(cli: Any, name: str) -> None:
    script = cli("completion", name).out
    assert "_MODELYARD_COMPLETE" in script
    assert "modelyard" in script


def test_completion_knows_verbs_and_options(shell: Any) -> None:
    ran = shell(_MODELYARD_COMPLETE="bash_complete", COMP_WORDS="modelyard pro", COMP_CWORD="1")
    assert "promote" in ran.stdout
    ran = shell(_MODELYARD_COMPLETE="bash_complete", COMP_WORDS="modelyard promote --tar", COMP_CWORD="2")
    assert "--target-stage" in ran.stdout
