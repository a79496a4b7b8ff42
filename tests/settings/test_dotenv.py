"""Short names for a server, from the environment and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.domain.errors import InvalidConfig
from modelyard.settings import load
from modelyard.settings.dotenv import is_short

FILE = """
# how our server runs
REGISTRY_PORT=8123
export MONGODB_URL='mongodb://root:root@localhost:27017'   # the old one
MONGODB_DB="metadata"
MINIO_ENDPOINT=localhost:9000
MINIO_ACCESS_KEY=minioadmin
MINIO_SECRET_KEY=hunter2
MINIO_BUCKET=models
SOMETHING_ELSE=$(rm -rf /)
"""


def settings(folder: Path, text: str | None = FILE, **env: str):
    if text is not None:
        (folder / ".env").write_text(text, "utf-8")
    return load(env=env, cwd=folder, dotenv=".env")


def test_every_short_name_is_a_setting(tmp_path: Path) -> None:
    found = settings(tmp_path)
    s3 = found.storage.s3
    assert found.server.port == 8123
    assert (found.database.url, found.database.name) == ("mongodb://root:root@localhost:27017", "metadata")
    assert (s3.endpoint_url, s3.bucket) == ("http://localhost:9000", "models")
    assert (s3.access_key, s3.secret_key) == ("minioadmin", "hunter2")
    assert found.source("server.port") == ".env: REGISTRY_PORT"
    assert is_short(found.source("server.port"))
    assert not is_short("MODELYARD_SERVER_PORT")


def test_environment_goes_before_file_and_long_names_before_both(tmp_path: Path) -> None:
    assert settings(tmp_path, REGISTRY_PORT="9000").server.port == 9000
    found = settings(tmp_path, REGISTRY_PORT="9000", MODELYARD_SERVER_PORT="9001")
    assert (found.server.port, found.source("server.port")) == (9001, "MODELYARD_SERVER_PORT")


def test_only_whoever_asks_for_them_gets_them(tmp_path: Path) -> None:
    settings(tmp_path)
    assert (
        load(env={"REGISTRY_PORT": "9000", "MONGODB_URL": "mongodb://x"}, cwd=tmp_path).database.url is None
    )


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    assert settings(tmp_path, None).server.port == 8000


def test_a_value_that_makes_no_sense_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"\.env: REGISTRY_PORT: expected a whole number .* found 'many'"):
        settings(tmp_path, "REGISTRY_PORT=many")
    with pytest.raises(InvalidConfig) as caught:
        settings(tmp_path, "MINIO_SECRET_KEY='hunter2\x07'")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidConfig, match="NAME=value"):
        settings(tmp_path, None)
    with pytest.raises(InvalidConfig, match="at most"):
        settings(tmp_path, "#" * 70_000)


def test_a_long_name_in_the_file_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    text = "MODELYARD_SERVER_PORT=9000\nMODELYARD_URL=http://x\nMODELYARD_OTHER=1\n"
    with pytest.raises(
        InvalidConfig, match=r"\.env: 'MODELYARD_SERVER_PORT' is read from the environment only"
    ):
        settings(tmp_path, text)
    assert settings(tmp_path, text, MODELYARD_SERVER_PORT="9001").server.port == 9001
