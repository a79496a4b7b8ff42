"""Variables go before the file, the file before the defaults; and which file it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings, load, resolve_location
from modelyard.settings.findings import Findings
from modelyard.settings.read import read_yaml
from modelyard.settings.table import table, value_of


def settings_from(env: dict[str, str]) -> Settings:
    return load(env=env, cwd="/nonexistent")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_files_are_looked_for_in_the_documented_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    places = [
        tmp_path / "given.yaml",
        tmp_path / "named.yaml",
        tmp_path / "configs/registry_config.yaml",
        tmp_path / "modelyard.yaml",
        home / ".config/modelyard/config.yaml",
    ]
    for place in places:
        write(place, f"wandb: {{project: {place.name}}}\n")
    env = {"HOME": str(home), "MODELYARD_CONFIG": "named.yaml"}
    found = []
    for place in places:
        settings = load("given.yaml" if place.name == "given.yaml" else None, env=env, cwd=tmp_path)
        found.append(settings.wandb.project)
        place.unlink()
        if place.name == "named.yaml":
            del env["MODELYARD_CONFIG"]
    assert found == [place.name for place in places]
    assert load(env=env, cwd=tmp_path) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "file"),
    [
        ("MODELYARD_CONFIG_DIR", "mine", "mine/config.yaml"),
        ("XDG_CONFIG_HOME", "xdg", "xdg/modelyard/config.yaml"),
        ("HOME", "home", "home/.config/modelyard/config.yaml"),
    ],
)
def test_the_user_folder_follows_its_variables(tmp_path: Path, variable: str, value: str, file: str) -> None:
    write(tmp_path / file, "wandb: {project: found}")
    settings = load(env={variable: str(tmp_path / value)}, cwd=tmp_path / "elsewhere")
    assert settings.wandb.project == "found"
    assert settings.source("wandb.project") == f"{tmp_path / file}:1"


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "xdg/modelyard/config.yaml", "wandb: {project: wrong}")
    assert load(env={"XDG_CONFIG_HOME": "xdg"}, cwd=tmp_path).file is None


@pytest.mark.parametrize("name", ["missing.yaml", "folder", "", "a\0b", "folder/x.yaml/y.yaml"])
def test_a_file_that_was_named_must_be_readable(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidConfig, match="expected a configuration file that can be read"):
        load(name, env={}, cwd=tmp_path)


def test_a_folder_where_the_file_should_be_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "modelyard.yaml").mkdir()
    with pytest.raises(InvalidConfig, match=r"'modelyard\.yaml'"):
        load(env={}, cwd=tmp_path)


def test_an_empty_variable_names_no_file(tmp_path: Path) -> None:
    assert load(env={"MODELYARD_CONFIG": ""}, cwd=tmp_path) == Settings()


def test_a_variable_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", "monitoring: {interval: 60}\nlogging: {level: info}\n")
    settings = load("x.yaml", env={"MODELYARD_MONITORING_INTERVAL": "5"}, cwd=tmp_path)
    assert settings.monitoring.interval == 5
    assert settings.source("monitoring.interval") == "MODELYARD_MONITORING_INTERVAL"
    assert (settings.logging.level, settings.source("logging.level")) == ("INFO", "x.yaml:2")
    assert settings.source("registry.path") == "default"


def test_a_null_in_the_file_leaves_the_default(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", "monitoring: {interval: null}\n")
    settings = load("x.yaml", env={}, cwd=tmp_path)
    assert (settings.monitoring.interval, settings.source("monitoring.interval")) == (30, "default")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("Yes", True), ("off", False)])
def test_switches_take_the_words_of_the_shell(text: str, value: bool) -> None:
    assert settings_from({"MODELYARD_VERSIONING_GIT_ENABLED": text}).versioning.git.enabled is value


def test_a_list_is_separated_by_commas() -> None:
    settings = settings_from({"MODELYARD_SECURITY_TRUST": "my_pkg.*, other.Model"})
    assert settings.security.trust == ("my_pkg.*", "other.Model")


def test_one_is_a_level_for_compression_and_not_a_switch() -> None:
    assert settings_from({"MODELYARD_PERSISTENCE_COMPRESS": "1"}).compress_level == 1


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_is_not_set(text: str) -> None:
    assert settings_from({"MODELYARD_MONITORING_INTERVAL": text}).sources == ()


def test_every_wrong_variable_is_reported_beside_the_problems_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", "a: [b\n")
    env = {
        "MODELYARD_MONITORING_INTERVAL": "soon",
        "MODELYARD_REGISTRY_PATHH": "x",
        "MODELYARD_SECURITY_TRUST": "my_pkg.*,,",
    }
    with pytest.raises(InvalidConfig) as caught:
        load("x.yaml", env=env, cwd=tmp_path)
    first, *others = caught.value.reasons
    assert first.startswith("x.yaml:")
    assert others == [
        "MODELYARD_MONITORING_INTERVAL: expected a whole number from 1 to 86400, found 'soon'",
        "unknown variable 'MODELYARD_REGISTRY_PATHH'; did you mean 'MODELYARD_REGISTRY_PATH'?",
        "MODELYARD_SECURITY_TRUST: expected a list such as [my_pkg.Model, my_pkg.*], found 'my_pkg.*,,'",
    ]


@pytest.mark.parametrize(
    "name",
    ["MODELYARD_URL", "MODELYARD_TOKEN", "MODELYARD_TEST_POSTGRESQL_URL", "MODELYARD_HOME", "REGISTRY_PATHH"],
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    assert settings_from({name: "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MODELYARD_DATABASE_SERVICE_HOST", "10.0.0.7"),
        ("MODELYARD_DATABASE_SERVICE_PORT", "5432"),
        ("MODELYARD_DATABASE_PORT", "tcp://10.0.0.7:5432"),
        ("MODELYARD_DATABASE_PORT_5432_TCP_ADDR", "10.0.0.7"),
        ("MODELYARD_REGISTRY_PORT_80_TCP", "tcp://10.0.0.7:80"),
    ],
)
def test_links_that_a_cluster_sets_beside_every_service_do_not_stop_us(name: str, text: str) -> None:
    assert settings_from({name: text}) == Settings()


def test_a_database_port_that_a_person_sets_counts() -> None:
    assert settings_from({"MODELYARD_DATABASE_PORT": "5432"}).database.port == 5432


def test_the_location_is_the_first_that_is_given() -> None:
    steps = [
        ("MODELYARD_PERSISTENCE_MODELS_DIR", "models"),
        ("MODELYARD_PERSISTENCE_REGISTRY_PATH", "registry"),
        ("MODELYARD_REGISTRY_PATH", "path"),
        ("MODELYARD_URL", "url"),
    ]
    env: dict[str, str] = {}
    found = [resolve_location(None, settings_from(env), env)]
    for name, value in steps:
        env[name] = value
        found.append(resolve_location(None, settings_from(env), env))
    found.append(resolve_location(Path("given"), settings_from(env), env))
    assert found == ["./model_registry", "models", "registry", "path", "url", "given"]


def test_a_leading_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert resolve_location("~/registry", Settings(), {}) == "/home/ada/registry"


@pytest.mark.parametrize("location", ["", "  "])
def test_an_empty_location_is_refused_and_never_means_here(location: str) -> None:
    with pytest.raises(InvalidConfig, match="found an empty text"):
        resolve_location(location, Settings(), {"MODELYARD_URL": "elsewhere"})


VALUES = {
    "wandb.project": st.from_regex(r"[a-z][a-z-]{2,12}x", fullmatch=True),
    "monitoring.interval": st.integers(1, 86400).map(str),
    "persistence.compress": st.sampled_from(["true", "false", *"0123456789"]),
    "versioning.enforce": st.sampled_from(["warn", "REFUSE", "Off"]),
    "mlflow.enabled": st.sampled_from(["true", "False", "yes", "off"]),
    "security.trust": st.lists(st.sampled_from(["my_pkg.*", "a.B", "x.y.Z"]), min_size=1, max_size=3).map(
        ",".join
    ),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_a_variable_and_a_key_of_the_file_mean_the_same(words: dict[str, str]) -> None:
    found = Findings()
    lines = [
        f"{key}: [{word}]" if table()[key].kind.many else f"{key}: {word}" for key, word in words.items()
    ]
    read_yaml("\n".join(lines).encode(), "x.yaml", found)
    settings = settings_from({table()[key].variable: word for key, word in words.items()})
    assert found.problems == []
    assert found.values == {key: value_of(settings, key) for key in words}


@pytest.mark.parametrize(
    "given",
    [
        "localhost:8000",
        "127.0.0.1:8765",
        "models.example.org:8000/x",
        "registry:80",
        "http:/h:8000",
        "https:h:443",
        "https:/models.example.org",
    ],
)
def test_an_address_without_its_beginning_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    host = given.removeprefix("http:/").removeprefix("https:").removeprefix("/")
    scheme = "https" if given.startswith("https") else "http"
    with pytest.raises(
        InvalidConfig, match=f"looks like the address of a server.* write {scheme}://{host}, or"
    ):
        resolve_location(given, Settings(), {})
    with pytest.raises(InvalidConfig, match=f"or {re.escape(str(tmp_path))}/.* if a folder"):
        resolve_location(Path(given), Settings(), {})
    with pytest.raises(InvalidConfig, match="looks like the address of a server"):
        resolve_location(None, Settings(), {"MODELYARD_URL": given})
    assert resolve_location(f"./{given}", Settings(), {}) == f"./{given}"
    Path(given).mkdir(parents=True)
    assert resolve_location(given, Settings(), {}) == given


@pytest.mark.parametrize(
    "given",
    ["models", "a:b", "C:models", "v1:2", "/srv/models:8000", "http://localhost:8000", "memory://x:8000"],
)
def test_what_is_a_folder_or_a_whole_address_stays(given: str) -> None:
    assert resolve_location(given, Settings(), {}) == given


def test_a_slip_in_a_variable_without_a_section_is_named() -> None:
    for name, meant in (("MODELYARD_URI", "MODELYARD_URL"), ("MODELYARD_TOKN", "MODELYARD_TOKEN")):
        with pytest.raises(InvalidConfig, match=f"unknown variable '{name}'; did you mean '{meant}'"):
            settings_from({name: "x"})


@pytest.mark.parametrize(
    "name", ["CACERT", "EACH", "PACE", "CONFIRM", "CONFIGMAP", "KUBECONFIG", "URI_OF_OURS"]
)
def test_another_word_is_another_programs(name: str) -> None:
    assert settings_from({f"MODELYARD_{name}": "x"}) == settings_from({})
