"""A registry by the address of its database and its bucket, over real servers, from Python and the command line."""

from __future__ import annotations

import io
import pickle
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from tests.cli.conftest import Cli, cli, place  # noqa: F401 - fixtures
from tests.contract.sql_servers import database

from modelyard import ModelRegistry
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.metadata.engines import open_server

KINDS = ("postgresql", "mariadb", "mysql", "mongodb")


@pytest.fixture
def bucket(seaweedfs: Place, place: Any, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    """The address of an empty part of a bucket, to which the environment has the keys."""
    monkeypatch.setenv("MODELYARD_STORAGE_S3_ACCESS_KEY", seaweedfs.secrets["access_key_id"])
    monkeypatch.setenv("MODELYARD_STORAGE_S3_SECRET_KEY", seaweedfs.secrets["secret_access_key"])
    monkeypatch.setenv("MODELYARD_STORAGE_S3_REGION", seaweedfs.region or "us-east-1")
    return f"{seaweedfs.endpoint}/{seaweedfs.bucket}/{uuid.uuid4().hex}"


@pytest.fixture(params=KINDS)
def records(request: pytest.FixtureRequest) -> str:
    """The address of a database in which there is nothing."""
    server, name = request.getfixturevalue(request.param), f"addresses_{uuid.uuid4().hex[:12]}"
    return server.address(name) if request.param == "mongodb" else database(server, name)


def beside(url: str, storage: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}storage={quote(storage, safe='')}"


def test_a_database_and_a_bucket_are_a_registry_by_their_address(
    records: str, bucket: str, seaweedfs: Place
) -> None:
    with ModelRegistry(beside(records, bucket)) as registry:
        model_id = registry.register_model(io.BytesIO(b"weights"), "fraud", "1.0.0")
        assert "?storage=http://127.0.0.1" in repr(registry)
        assert seaweedfs.secrets["secret_access_key"] not in repr(registry)
        copy = pickle.loads(pickle.dumps(registry))
    with copy, ModelRegistry(records, storage=bucket) as other:
        for opened in (copy, other):
            assert opened.get_model("fraud").model_id == model_id
            assert opened.fsck(deep=True).ok


def test_a_folder_is_moved_to_a_database_and_a_bucket_by_the_command(
    cli: Cli,  # noqa: F811
    records: str,
    bucket: str,
) -> None:
    with ModelRegistry("here") as registry:
        for number in range(3):
            registry.register_model(io.BytesIO(f"{number}".encode()), "fraud", f"1.{number}.0")
        root = registry.verify_audit().root
    there = beside(records, bucket)
    told = cli("migrate", "--from", "here", "--to", there, "--dry-run", "--json").json
    assert (told["done"], told["copied"] > 0) == (False, True)
    if not records.startswith("mongodb"):
        store = open_server(records)
        assert not store.is_made(), "a dry run makes no tables"
        store.close()
    done = cli("migrate", "--from", "here", "--to", there, "--deep", "--json").json
    assert (done["done"], done["missing"], done["copied"]) == (True, told["missing"], told["copied"])
    with ModelRegistry(there) as registry:
        assert registry.verify_audit().root == root
        assert registry.fsck(deep=True).ok
    assert "1.2.0" in cli("list", "--registry", there).out
    back = cli("migrate", "--from", there, "--to", "back", "--json").json
    assert back["audit"]["root"] == root
    cli("migrate", "--from", "here", "--to", there, "--quiet")


def test_bytes_are_moved_to_azure_and_on_to_another_store_by_the_command(
    cli: Cli,  # noqa: F811
    azurite: Place,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = azurite.secrets["account_key"]
    account = f"AccountName={azurite.account};AccountKey={key};BlobEndpoint={azurite.endpoint}"
    monkeypatch.setenv("MODELYARD_STORAGE_AZURE_CONNECTION_STRING", account)
    with ModelRegistry("here") as registry:
        for number in range(3):
            registry.register_model(io.BytesIO(f"{number}".encode()), "fraud", f"1.{number}.0")
        root = registry.verify_audit().root
    cloud = beside("sqlite:///cloud.db", f"az://{azurite.bucket}/{uuid.uuid4().hex}")
    elsewhere = beside("sqlite:///elsewhere.db", bucket)
    for source, target in (("here", cloud), (cloud, elsewhere)):
        done = cli("migrate", "--from", source, "--to", target, "--deep", "--json")
        assert (done.json["done"], done.json["audit"]["root"]) == (True, root)
        assert key not in done.out + done.err
        with ModelRegistry(target) as registry:
            assert registry.fsck(deep=True).ok
            assert len(list(registry._service.blobs.list())) == 3
