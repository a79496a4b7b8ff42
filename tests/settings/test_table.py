"""The table of settings: complete, documented, and silent about secrets."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings, load, rows
from modelyard.settings.__main__ import refreshed
from modelyard.settings.table import sections, table

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
CONFIDENTIAL = [each for each in table().values() if each.is_confidential]


def test_the_reference_page_shows_the_table_of_the_code() -> None:
    page = PAGE.read_text("utf-8")
    assert page == refreshed(page), (
        "out of date; run: python -m modelyard.settings docs/reference/configuration.md"
    )


def test_every_setting_has_one_row_and_one_variable() -> None:
    keys = [row.key for row in rows(Settings())]
    assert keys == list(table())
    assert len({each.variable for each in table().values()}) == len(keys)
    assert all(row.help.endswith(".") for row in rows(Settings()))


def test_every_default_is_a_value_of_its_kind() -> None:
    for each in table().values():
        if each.default not in (None, ()):
            assert each.kind.read(str(each.default)) == each.default, each.key


def test_no_key_is_a_section_too() -> None:
    assert not sections() & set(table())


def test_rows_are_json_and_say_where_values_come_from() -> None:
    settings = load(
        env={"MODELYARD_SECURITY_TRUST": "my_pkg.*", "MODELYARD_STORAGE_BACKEND": "s3"}, cwd="/nonexistent"
    )
    found = {row.key: row for row in rows(settings)}
    assert found["security.trust"].value == ["my_pkg.*"]
    assert found["security.trust"].source == "MODELYARD_SECURITY_TRUST"
    assert found["security.trust"].active
    assert found["storage.backend"].active
    assert not found["wandb.project"].active
    json.dumps([dataclasses.asdict(row) for row in rows(settings)])


@pytest.mark.parametrize("each", CONFIDENTIAL, ids=lambda each: each.key)
def test_a_secret_is_neither_shown_nor_printed(each: object) -> None:
    assert each in CONFIDENTIAL
    secret = "scheme://ada:hunter2@host/name?password=hunter2"
    settings = load(env={each.variable: secret}, cwd="/nonexistent")  # type: ignore[attr-defined]
    shown = {row.key: row.value for row in rows(settings)}[each.key]  # type: ignore[attr-defined]
    assert shown in ("***", "scheme://***@host/name?***")
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("each", CONFIDENTIAL, ids=lambda each: each.key)
def test_a_secret_in_the_wrong_form_is_not_quoted(each: object, tmp_path: Path) -> None:
    key, variable = each.key, each.variable  # type: ignore[attr-defined]
    with pytest.raises(InvalidConfig) as caught:
        load(env={variable: "hunter2\x07"}, cwd=tmp_path)
    assert "hunter2" not in str(caught.value)
    (tmp_path / "x.yaml").write_text(f'{key}: "hunter2\\a"\n', "utf-8")
    with pytest.raises(InvalidConfig) as caught:
        load("x.yaml", env={}, cwd=tmp_path)
    assert "hunter2" not in str(caught.value)


def test_secrets_include_everything_named_like_one() -> None:
    words = ("password", "secret", "token", "webhook_url", "connection_string", "account_key", "access_key")
    named = {key for key in table() if key.rpartition(".")[2] in (*words, "secret_key", "client_secret")}
    assert named == {key for key, each in table().items() if each.row.secret}


def test_the_source_of_an_unknown_key_is_an_error() -> None:
    with pytest.raises(InvalidConfig, match=r"unknown key 'registry\.pathh'; did you mean 'registry\.path'"):
        Settings().source("registry.pathh")


def test_settings_are_equal_by_value_wherever_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("monitoring: {interval: 5}", "utf-8")
    by_file = load("x.yaml", env={}, cwd=tmp_path)
    by_variable = load(env={"MODELYARD_MONITORING_INTERVAL": "5"}, cwd=tmp_path)
    assert by_file == by_variable != Settings()
    assert hash(by_file) == hash(by_variable)
    assert by_file.sources != by_variable.sources


def test_settings_survive_pickling_and_copying_with_their_sources() -> None:
    settings = load(env={"MODELYARD_MONITORING_INTERVAL": "5"}, cwd="/nonexistent")
    for twin in (pickle.loads(pickle.dumps(settings)), copy.deepcopy(settings), copy.copy(settings)):
        assert twin == settings
        assert twin.source("monitoring.interval") == "MODELYARD_MONITORING_INTERVAL"


def test_settings_cannot_be_changed_or_extended() -> None:
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.registry.path = "x"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del settings.registry
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.extra = 1  # type: ignore[attr-defined]
    assert not hasattr(settings, "__dict__")


def test_a_changed_copy_leaves_the_original_alone() -> None:
    settings = Settings()
    louder = dataclasses.replace(settings, logging=dataclasses.replace(settings.logging, level="DEBUG"))
    assert (settings.logging.level, louder.logging.level) == ("WARNING", "DEBUG")


def test_importing_the_settings_loads_neither_yaml_nor_logging() -> None:
    code = (
        "import sys; from modelyard.settings import load; load(env={}, cwd='/nonexistent');"
        "print(sorted({'yaml', 'logging', 'difflib', 'sqlalchemy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
