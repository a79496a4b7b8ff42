"""A server on any database and any bucket by configuration alone, and what it says when one of them cannot be used."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from tests.contract.sql_servers import KINDS, database, emptied
from tests.services import seaweedfs as seaweedfs_server
from tests.services.postgresql import QUOTED, free_port

from modelyard import ModelRegistry

from .running import Command

SECRETS = {QUOTED, seaweedfs_server.KEYS["secret_access_key"], "wr0ng-secret"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))


def bucket(place, **given) -> dict:
    """The section ``storage`` for a bucket of the S3 server."""
    s3 = {
        "bucket": place.bucket,
        "prefix": f"try-{uuid.uuid4().hex}",
        "endpoint_url": place.endpoint,
        **given,
    }
    keys = {"access_key": place.secrets["access_key_id"], "secret_key": place.secrets["secret_access_key"]}
    return {"storage": {"backend": "s3", "s3": keys | s3}}


def records(url: str, **given) -> dict:
    """The section ``database`` for a server, in parts as people write it."""
    parts = urlsplit(url)
    kind = "postgresql" if parts.scheme == "postgresql" else "mysql"
    whole = {
        "type": kind,
        "host": parts.hostname,
        "port": parts.port,
        "name": parts.path[1:],
        "user": parts.username,
        "password": unquote(parts.password or ""),
    }
    return {"database": whole | given}


def configured(folder: Path, *sections: dict) -> Path:
    file = folder / "registry_config.yaml"
    whole: dict = {}
    for section in sections:
        whole |= section
    file.write_text(yaml.safe_dump(whole))
    return file


def use(server: Command) -> None:
    """Register, load, promote, give the bytes back and look for damage, as any caller would."""
    with ModelRegistry(server.url, token=server.token) as registry:
        registry.register_model({"w": [1.0] * 50}, "fraud", serialization_format="pickle")
        registry.register_model({"w": [2.0] * 50}, "fraud", serialization_format="pickle", alias="champion")
        held = registry.get_model("fraud@champion")
        assert held.number == 2
        got = b"".join(registry.service.open_blob(held.files[0].digest))
        assert f"sha256:{hashlib.sha256(got).hexdigest()}" == held.files[0].digest


def seen(file: Path, folder: Path, *words: str, cwd: Path | None = None, env: dict | None = None) -> dict:
    """What ``modelyard doctor`` says: its exit code under ``code``, and the lines by topic."""
    done = command(
        folder, "doctor", "--json", *words, *(["--config", str(file)] if file else []), cwd=cwd, env=env
    )
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    assert done.stdout, done.stderr
    lines = json.loads(done.stdout)["lines"]
    return {line["topic"]: (line["level"], line["text"]) for line in lines} | {"code": done.returncode}


def command(folder: Path, *words: str, cwd: Path | None = None, env: dict | None = None):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    return subprocess.run(
        [sys.executable, "-m", "modelyard", "--registry", str(folder), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=clean | (env or {}),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_both_sections_starts_a_server_on_database_and_bucket(kind, tmp_path, seaweedfs, request):
    url = database(request.getfixturevalue(kind), "modelyard_configured")
    emptied(url).close()
    file = configured(tmp_path, records(url), bucket(seaweedfs))
    with Command(tmp_path / "registry", "--config", str(file)) as server:
        use(server)
    found = seen(file, tmp_path / "registry")
    for topic in ("schema", "db rights", "isolation", "db clock", "db limits", "db TLS"):
        assert found[topic][0] == "ok", found
    for topic in ("objects", "obj rights", "conditions", "obj clock", "obj TLS", "multipart", "links"):
        assert found[topic][0] == "ok", found
    listed = command(tmp_path / "registry", "list", "--config", str(file), "--json")
    assert '"fraud"' in listed.stdout
    assert not (tmp_path / "registry" / "registry.db").exists()
    assert not (tmp_path / "registry" / "blobs").exists()


def test_short_names_of_a_dotenv_file_start_two_workers_on_mongodb_and_a_bucket(tmp_path, seaweedfs, mongodb):
    mongodb.empty_store("configured").close()
    host = seaweedfs.endpoint.removeprefix("http://")
    (tmp_path / ".env").write_text(
        f"# Database\nMONGODB_URL={mongodb.url}\nMONGODB_DB=configured\n\n# Bytes\nMINIO_ENDPOINT={host}\n"
        f"MINIO_ACCESS_KEY={seaweedfs.secrets['access_key_id']}\n"
        f"MINIO_SECRET_KEY={seaweedfs.secrets['secret_access_key']}\nMINIO_BUCKET={seaweedfs.bucket}\n"
    )
    env = {"MODELYARD_STORAGE_S3_PREFIX": uuid.uuid4().hex}
    with Command(tmp_path / "registry", "--workers", "2", env=env, cwd=tmp_path) as server:
        use(server)
    assert mongodb.database("configured")["versions"].count_documents({}) == 2
    assert not (tmp_path / "registry" / "registry.db").exists()
    found = seen(None, tmp_path / "registry", "--server", cwd=tmp_path, env=env)
    assert found["database"][1].endswith("replica set rs0 of 1")
    assert all(
        found[topic][0] == "ok" for topic in ("schema", "db rights", "objects", "conditions", "multipart")
    )


def refused(file: Path, folder: Path, *words: str) -> str:
    """What a server says that cannot start; no secret, no traceback, and nothing is left listening."""
    done = command(folder, "server", "--port", "0", "--config", str(file), *words)
    assert done.returncode not in (0, 70), done.stderr
    assert "Traceback" not in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    return done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "wr0ng-secret"}, "check database.user and database.password"),
        ({"name": "nowhere"}, "no such database"),
        ({"host": "nobody.invalid"}, "host"),
        ({"port": 1}, "nothing listens there"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_with_the_remedy(kind, wrong, told, tmp_path, request):
    url = database(request.getfixturevalue(kind), "modelyard_configured")
    file = configured(tmp_path, records(url, **wrong))
    assert told in refused(file, tmp_path / "registry")
    found = seen(file, tmp_path / "registry")
    assert (found["code"], found["database"][0]) == (7, "fail")
    assert told in found["database"][1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_of_a_newer_schema_is_left_alone(kind, tmp_path, request):
    url = database(request.getfixturevalue(kind), "modelyard_ahead")
    store = emptied(url)
    try:
        with store._session() as session:
            session.execute("UPDATE alembic_version SET version_num = '0099'")
        file = configured(tmp_path, records(url))
        assert "written by a newer modelyard; update this one" in refused(file, tmp_path / "registry")
        assert seen(file, tmp_path / "registry")["schema"][0] == "fail"
        with store._session() as session:
            assert session.execute("SELECT version_num FROM alembic_version").fetchone()[0] == "0099"
    finally:
        with store._session() as session:
            session.execute("DROP TABLE alembic_version")
        store.close()


@pytest.fixture(scope="module")
def guarded(running_mongodb, tmp_path_factory):
    """Host, database and options of a MongoDB with users."""
    from tests.services import mongodb as kit

    with kit.guarded(tmp_path_factory.mktemp("mongodb")) as place:
        yield place


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("writer:wr0ng-secret", "user name or password was refused"),
        ("nobody:wr0ng-secret", "user name or password was refused"),
        ("reader:geheim", "grant it the role `readWrite`"),
    ],
)
def test_a_mongodb_that_lets_nobody_write_is_told_with_the_remedy(login, told, tmp_path, guarded):
    file = configured(tmp_path, {"database": {"url": f"mongodb://{login}@{guarded}"}})
    assert told in refused(file, tmp_path / "registry")
    found = seen(file, tmp_path / "registry")
    topic = "db rights" if login.startswith("reader") else "database"
    assert (found["code"], found[topic][0]) == (7, "fail")
    assert told in found[topic][1]


@pytest.mark.parametrize("host", ["nobody.invalid", "127.0.0.1:1"])
def test_a_mongodb_that_is_not_there_is_told_with_the_remedy(host, tmp_path, running_mongodb):
    url = f"mongodb://{host}/x?serverSelectionTimeoutMS=1000"
    file = configured(tmp_path, {"database": {"url": url}})
    assert "check that it runs, has a primary and can be reached" in refused(file, tmp_path / "registry")
    assert seen(file, tmp_path / "registry")["database"][0] == "fail"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bucket": "absent"}, "there is no such bucket: create it, or correct its name"),
        ({"secret_key": "wr0ng-secret"}, "check the access key and its secret"),
        ({"access_key": "nobody"}, "check the access key and its secret"),
        (
            {
                "access_key": seaweedfs_server.READER["access_key_id"],
                "secret_key": seaweedfs_server.READER["secret_access_key"],
            },
            "give the credentials leave to list, read, write and delete",
        ),
        (
            {"endpoint_url": f"http://127.0.0.1:{free_port()}"},
            "check the endpoint, the network and the store",
        ),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told_before_anything_is_made(
    wrong, told, workers, tmp_path, seaweedfs
):
    file = configured(tmp_path, bucket(seaweedfs, **wrong))
    assert told in refused(file, tmp_path / "registry", "--workers", workers)
    assert not (tmp_path / "registry").exists()
    if workers == "1":
        found = seen(file, tmp_path / "registry")
        assert found["code"] == 7
        assert told in " ".join(text for level, text in map(tuple, _pairs(found)) if level == "fail")


def _pairs(found: dict):
    return (value for key, value in found.items() if key != "code")
