"""What somebody does in the first hour: half a command, the wrong place, a stream that is closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from modelyard import ModelRegistry
from modelyard.cli.inputs import DAY
from modelyard.domain.errors import Unreachable

# --- the wrong place -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("list",), ("search", "x"), ("stats",), ("info", "x"), ("register", "weights.bin", "--name", "m")],
    ids=lambda words: words[0],
)
def test_a_file_is_not_taken_for_a_registry_without_versions(
    cli: Any, weights: Path, words: tuple[str, ...]
) -> None:
    ran = cli(*words, "--registry", "weights.bin", code=2)
    assert ran.err.startswith("modelyard: 'weights.bin' is a file, and a registry is a folder")
    assert ran.out == ""


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1:2", "http://[::1", "http://", "http://127.0.0.1:99999", "https://h/?x=1"]
)
def test_what_is_no_address_of_a_server_is_told_with_one_that_is(cli: Any, address: str) -> None:
    ran = cli("list", "--registry", address, code=2)
    assert "expected for example http://127.0.0.1:8000" in ran.err
    assert address in ran.err


def test_a_password_in_an_address_is_refused_and_not_shown(cli: Any) -> None:
    ran = cli("list", "--registry", "http://ann:s3cret@127.0.0.1:1/", code=2)
    assert "MODELYARD_TOKEN" in ran.err
    assert "s3cret" not in ran.err


def test_nobody_is_sent_to_log_in_at_what_is_no_address(cli: Any) -> None:
    assert "expected for example" in cli("login", "http://h:1:2", code=2).err
    for address in (
        "http://ann:s3cret@h",
        "HTTP://ann:s3cret@h",
        "postgresql://ann:s3cret@h/x",
        "ann:s3cret@h",
    ):
        assert "s3cret" not in cli("login", address, code=2).err


@pytest.mark.parametrize("token", ["my_\nabc", "my_\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_token_that_no_header_carries_is_refused_and_not_shown(
    cli: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("MODELYARD_TOKEN", token)
    ran = cli("list", "--registry", "http://127.0.0.1:1", code=4)
    assert "was it copied whole" in ran.err
    assert "my_" not in ran.err


def test_a_server_for_a_server_is_refused_with_what_to_unset(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_URL", "http://127.0.0.1:1")
    assert "Unset MODELYARD_URL" in cli("server", code=2).err


# --- half a command --------------------------------------------------------------------------------------------------


def test_a_list_takes_the_model_without_an_option(fraud: Any, weights: Path) -> None:
    fraud("register", "weights.bin", "--name", "other")
    assert {each["name"] for each in fraud("list", "fraud", "--json").json["versions"]} == {"fraud"}
    assert fraud("list", "fraud").out == fraud("list", "--name", "fraud").out
    assert "give one" in fraud("list", "fraud", "--name", "other", code=2).err


def test_words_to_search_need_no_quotes(fraud: Any) -> None:
    assert (
        fraud("search", "name", "=", "'fraud'", "--json").json
        == fraud("search", "name = 'fraud'", "--json").json
    )


def test_a_stage_that_is_half_written_is_guessed(fraud: Any) -> None:
    assert "Did you mean 'production'?" in fraud("info", "fraud@prod", code=3).err


@pytest.mark.parametrize("given", ["nan", "inf", "1e300", "0", "-1", "soon"])
def test_an_interval_that_nobody_can_wait_for_is_refused(cli: Any, given: str) -> None:
    assert f"expected 0.1 to {DAY} seconds" in cli("monitor", "--interval", given, "--once", code=2).err


def test_one_mistake_is_not_called_mistakes(cli: Any, place: Path) -> None:
    (place / "models.json").write_text('[{"name": "a", "model_path": "nowhere"}]')
    assert "1 mistake;" in cli("bulk-register", "models.json", code=2).err


# --- what one wants to know at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("archive", "fraud:1.1.0", "--force", "--reason", "r"),
        ("promote", "fraud:1.1.0", "--target-stage", "staging"),
    ],
    ids=lambda words: words[0],
)
def test_production_left_empty_is_said(fraud: Any, words: tuple[str, ...]) -> None:
    assert "no version of fraud is in production now" in fraud(*words).err


def test_a_move_that_leaves_production_as_it_was_says_nothing_of_it(fraud: Any) -> None:
    assert "in production now" not in fraud("archive", "fraud:1.2.0").err
    assert "no version" not in fraud("promote", "fraud:1.0.0", "--target-stage", "archived").err


def test_a_move_that_was_made_is_told_as_made_although_the_question_after_it_fails(
    fraud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> NoReturn:
        raise Unreachable("the server does not answer")

    monkeypatch.setattr(ModelRegistry, "list_models", gone)
    assert "in staging now" in fraud("promote", "fraud:1.1.0", "--target-stage", "staging").out


def test_a_path_can_be_copied_in_one_piece(fraud: Any, place: Path) -> None:
    path = fraud("info", "fraud:1.1.0", "--json").json["artifact_path"]
    assert len(path) > 80
    assert f"path     {path}\n" in fraud("info", "fraud:1.1.0").out


def test_the_verbs_of_a_verb_stand_above_its_options(cli: Any) -> None:
    told = cli("alias", "--help").out
    assert told.index("Commands:") < told.index("Options:") < told.index("Global options:")


# --- trouble is told once --------------------------------------------------------------------------------------------


def test_a_registry_of_a_newer_format_is_one_line_of_the_doctors(fraud: Any, place: Path) -> None:
    from modelyard.adapters.metadata.sqlite import connect

    connection = connect(place / "model_registry" / "registry.db")
    connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    found = fraud("doctor", "--json", code=7).json["lines"]
    assert [(each["level"], each["topic"]) for each in found if "schema 99" in each["text"]] == [
        ("fail", "database")
    ]


# --- closed streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "code"), [("policy show fraud >&-", 0), ("frob <&- >&- 2>&-", 2)])
def test_a_closed_stream_changes_no_ending(fraud: Any, place: Path, words: str, code: int) -> None:
    command = ["bash", "-c", f"{sys.executable} -m modelyard {words}"]
    ran = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (code, "")


def test_an_address_without_its_beginning_makes_no_folder(cli, place, weights):
    cli("--registry", "r", "register", str(weights), "--name", "fraud")
    for words in (
        ("--registry", "localhost:8000", "list"),
        ("--registry", "r", "push", "fraud", "localhost:8000"),
    ):
        assert "looks like the address of a server" in cli(*words, code=2).err
    assert not (place / "localhost:8000").exists()


def test_a_server_on_a_file_or_with_wrong_certificates_says_so(cli, place, weights):
    told = cli("--registry", weights.name, "server", "--port", "0", code=2).err
    assert "is a file, and a registry is a folder" in told
    tls = ("--tls-cert", weights.name, "--tls-key", weights.name)
    told = cli("--registry", "r", "server", "--port", "0", *tls, code=2).err
    assert "tls: weights.bin and weights.bin are no certificate and the key that belongs to it" in told
