"""What a configuration file may say, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings, load, not_active, resolve_location
from modelyard.settings.table import table, value_of

ROOT = Path(__file__).parents[2]

BASIC = """\
# Registry settings
registry:
  path: "./model_registry"
  default_stage: "development"

# Storage settings
storage:
  backend: "local"
  local:
    compression: true

# Versioning settings
versioning:
  strategy: "semantic"
  git:
    enabled: true

# MLflow integration
mlflow:
  enabled: true
  tracking_uri: "sqlite:///mlflow.db"

# Wandb integration
wandb:
  enabled: true
  project: "my-ml-registry"
"""

PERSISTENCE = """\
logging:
  level: INFO
  file: logs/app.log

persistence:
  models_dir: models
  registry_path: null
  serialization_format: joblib
  compress: true
"""


def read(folder: Path, text: str) -> Settings:
    (folder / "x.yaml").write_text(text, "utf-8")
    return load("x.yaml", env={}, cwd=folder)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        read(folder, text)
    return list(caught.value.data["problems"])


def test_the_basic_configuration_is_read_as_written(tmp_path: Path) -> None:
    settings = read(tmp_path, BASIC)
    assert settings.registry.path == "./model_registry"
    assert settings.registry.default_stage == "development"
    assert settings.storage.backend == "local"
    assert settings.storage.local.compression is True
    assert settings.versioning.git.enabled is True
    assert settings.mlflow.tracking_uri == "sqlite:///mlflow.db"
    assert settings.wandb.project == "my-ml-registry"
    assert settings.compress_level == 3
    assert settings.file == "x.yaml"


def test_the_persistence_configuration_is_read_as_written(tmp_path: Path) -> None:
    settings = read(tmp_path, PERSISTENCE)
    assert (settings.logging.level, settings.logging.file) == ("INFO", "logs/app.log")
    assert settings.persistence.registry_path is None
    assert settings.persistence.serialization_format == "joblib"
    assert settings.compress_level == 3
    assert resolve_location(None, settings, {}) == "models"


def test_keys_of_parts_that_are_not_built_are_accepted_and_named(tmp_path: Path) -> None:
    settings = read(tmp_path, BASIC)
    assert [(row.key, row.source) for row in not_active(settings)] == [
        ("mlflow.enabled", "x.yaml:20"),
        ("mlflow.tracking_uri", "x.yaml:21"),
        ("wandb.enabled", "x.yaml:25"),
        ("wandb.project", "x.yaml:26"),
    ]


def test_a_key_of_a_part_that_is_not_built_is_accepted_and_not_active(tmp_path: Path) -> None:
    settings = read(tmp_path, "storage:\n  backend: S3\ndatabase: {type: mongodb}\nwandb: {enabled: true}\n")
    assert (settings.storage.backend, settings.database.type) == ("s3", "mongodb")
    assert [row.key for row in not_active(settings)] == ["wandb.enabled"]


def test_the_shipped_example_names_every_key_with_its_default() -> None:
    settings = load(ROOT / "configs/registry_config.yaml", env={})
    changed = {key for key, each in table().items() if value_of(settings, key) != each.default}
    assert changed == {"registry.path"}
    assert resolve_location(None, settings, {}) == resolve_location(None, Settings(), {})
    written = (ROOT / "configs/registry_config.yaml").read_text("utf-8")
    missing = [key for key in table() if f" {key.rpartition('.')[2]}:" not in written]
    assert missing == []


def test_an_unknown_key_names_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        read(tmp_path, "registry:\n  default_stage: staging\n  pathh: models\n")
    assert str(caught.value) == "x.yaml:3: unknown key 'registry.pathh'; did you mean 'registry.path'?"


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("persistance: {compress: true}", "persistence"),
        ("level: INFO", "logging.level"),
        ("storage: {compression: true}", "storage.local.compression"),
        ("versioning: {enforced: warn}", "versioning.enforce"),
    ],
)
def test_a_misspelt_or_misplaced_key_is_led_home(tmp_path: Path, text: str, nearest: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.endswith(f"did you mean {nearest!r}?")


def test_a_key_like_nothing_else_gets_no_suggestion(tmp_path: Path) -> None:
    assert problems(tmp_path, "qqq: 1") == ["x.yaml:1: unknown key 'qqq'"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "monitoring: {interval: often}",
            "'monitoring.interval': expected a whole number from 1 to 86400, found the text 'often'",
        ),
        (
            "monitoring: {interval: 0}",
            "'monitoring.interval': expected a whole number from 1 to 86400, found the value 0",
        ),
        (
            "monitoring: {interval: 010}",
            "'monitoring.interval': expected a whole number from 1 to 86400, found the value 010",
        ),
        (
            "monitoring: {interval: '30'}",
            (
                "'monitoring.interval': expected a whole number from 1 to 86400, found the text '30'"
                "; write it without quotes"
            ),
        ),
        (
            "wandb: {project: 2024}",
            (
                "'wandb.project': expected text that is not empty, found the value 2024"
                "; put it in quotes if it is meant as text"
            ),
        ),
        ("registry: {path: ''}", "'registry.path': expected text that is not empty, found the text ''"),
        ("registry: {path: [a]}", "'registry.path': expected text that is not empty, found a list"),
        ("registry: {path: {a: b}}", "'registry.path': expected text that is not empty, found a section"),
        ("registry: models", "'registry': expected indented keys below it, found the text 'models'"),
        ("storage: [local]", "'storage': expected indented keys below it, found a list"),
        (
            "versioning: {enforce: loudly}",
            "'versioning.enforce': expected warn, refuse or off, found the text 'loudly'",
        ),
        ("wandb: {enabled: 1}", "'wandb.enabled': expected true or false, found the value 1"),
        (
            "persistence: {compress: 10}",
            "'persistence.compress': expected true, false or a level from 0 to 9, found the value 10",
        ),
        (
            "database: {url: nowhere}",
            "'database.url': expected a URL such as scheme://host/name, found another text",
        ),
        (
            "security: {trust: my_pkg}",
            "'security.trust': expected a list such as [my_pkg.Model, my_pkg.*], found the text 'my_pkg'",
        ),
        (
            "security: {trust: [null]}",
            "'security.trust': expected a list such as [my_pkg.Model, my_pkg.*], found nothing",
        ),
        ("- registry", "expected sections such as 'registry:', found a list"),
        ("models", "expected sections such as 'registry:', found the text 'models'"),
    ],
)
def test_an_ill_typed_value_says_what_was_expected_and_found(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, f"# first line\n{text}\n") == [f"x.yaml:2: {problem}"]


@pytest.mark.parametrize(
    "pattern", ["*", ".*", "my_pkg", "my_pkg.*.b", "*.Model", "my-pkg.*", "my_pkg..*", "a b.*"]
)
def test_trust_never_reaches_further_than_one_package(tmp_path: Path, pattern: str) -> None:
    [problem] = problems(tmp_path, f"security: {{trust: ['{pattern}']}}")
    assert "'security.trust': expected a list such as" in problem


def test_trust_takes_names_and_packages(tmp_path: Path) -> None:
    settings = read(tmp_path, "security: {trust: [my_pkg.*, my_pkg.models.Net, my_pkg.sub.*]}")
    assert settings.security.trust == ("my_pkg.*", "my_pkg.models.Net", "my_pkg.sub.*")


def test_all_problems_of_a_file_are_reported_together(tmp_path: Path) -> None:
    text = "registry:\n  pathh: a\n  path: [b]\nnope: 1\nmonitoring:\n  interval: x\n"
    with pytest.raises(InvalidConfig) as caught:
        read(tmp_path, text)
    assert [reason.split(" ")[0] for reason in caught.value.reasons] == [
        "x.yaml:2:", "x.yaml:3:", "x.yaml:4:", "x.yaml:6:"
    ]  # fmt: skip
    assert "4 problems" in str(caught.value)
    assert list(caught.value.reasons) == caught.value.data["problems"]


@pytest.mark.parametrize(
    "text",
    [
        "registry:\n  path: a\n  path: b\n",
        "registry.path: a\nregistry: {path: b}\n",
        "registry:\n  path: [wrong]\nregistry.path: b\n",
    ],
)
def test_a_repeated_key_is_refused_even_in_another_spelling(tmp_path: Path, text: str) -> None:
    assert any("'registry.path' is given twice, first on line" in each for each in problems(tmp_path, text))


def test_a_repeated_section_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "wandb: {project: a}\nwandb: {entity: b}\n") == [
        "x.yaml:2: 'wandb' is given twice, first on line 1; keep one"
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "~", "registry:\nwandb: ~\n", "{}"])
def test_what_says_nothing_changes_nothing(tmp_path: Path, text: str) -> None:
    settings = read(tmp_path, text)
    assert settings == Settings()
    assert settings.sources == ()


def test_a_key_may_be_written_in_full(tmp_path: Path) -> None:
    settings = read(tmp_path, "storage.local.compression: 5\n")
    assert settings.compress_level == 5
    assert settings.source("storage.local.compression") == "x.yaml:1"


def test_the_word_off_is_a_word_where_a_word_is_expected(tmp_path: Path) -> None:
    settings = read(tmp_path, "versioning:\n  enforce: off\n  git: {enabled: off}\n")
    assert settings.versioning.enforce == "off"
    assert settings.versioning.git.enabled is False


@pytest.mark.parametrize("word", ["no", "0123", "1_000", "1e5", "0x1f", ".5", "-3", "TRUE", ".inf"])
def test_text_that_reads_like_something_else_needs_quotes(tmp_path: Path, word: str) -> None:
    assert "put it in quotes" in problems(tmp_path, f"storage: {{s3: {{region: {word}}}}}")[0]
    assert read(tmp_path, f"storage: {{s3: {{region: '{word}'}}}}").storage.s3.region == word


@pytest.mark.parametrize(
    ("persistence", "storage", "level"),
    [
        ("null", "null", 0),
        ("null", "true", 3),
        ("false", "true", 0),
        ("true", "false", 3),
        ("7", "1", 7),
        ("0", "9", 0),
    ],
)
def test_persistence_compress_goes_before_storage_compression(
    tmp_path: Path, persistence: str, storage: str, level: int
) -> None:
    text = f"persistence: {{compress: {persistence}}}\nstorage: {{local: {{compression: {storage}}}}}\n"
    assert read(tmp_path, text).compress_level == level
