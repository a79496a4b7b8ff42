"""The section ``database`` of the settings leads to the database it describes."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.adapters.metadata.mongo_settings import is_mongo, mongo_store
from modelyard.domain.errors import InvalidConfig
from modelyard.ports.metadata import ModelKey
from modelyard.ports.service import CreateVersion
from modelyard.settings import Settings
from modelyard.settings.model import DatabaseSettings
from modelyard.testing.metadata import a_model, seed
from modelyard.wiring import open_service


def given(**fields: Any) -> Settings:
    return Settings(database=DatabaseSettings(**fields))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, False),
        ({"type": "mongodb"}, True),
        ({"url": "mongodb://host"}, True),
        ({"type": "postgresql", "url": "mongodb+srv://host"}, True),
        ({"type": "mongodb", "url": "postgresql://host"}, False),
    ],
)
def test_the_address_decides_and_then_the_type(fields: dict[str, Any], asked: bool) -> None:
    assert is_mongo(given(**fields)) is asked


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, "'modelyard' at localhost:27017"),
        ({"host": "db", "port": 1, "name": "x"}, "'x' at db:1"),
        ({"host": "::1", "user": "a@b", "password": "p/w:?"}, "'modelyard' at [::1]:27017"),
        ({"url": "mongodb://u:p@one:1,two:2/users?tls=true", "name": "kept"}, "'kept' at one:1,two:2"),
        ({"url": "mongodb://u:p%40@one/users"}, "'users' at one"),
    ],
)
def test_each_key_finds_its_place_in_the_address(fields: dict[str, Any], place: str) -> None:
    store = mongo_store(given(type="mongodb", **fields))
    assert store.place == f"MongoDB database {place}"
    store.close()


@pytest.mark.parametrize("name", ["user", "password"])
def test_half_a_login_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfig, match="belong together") as caught:
        mongo_store(given(type="mongodb", **{name: "geheim"}))
    assert "geheim" not in str(caught.value)


def test_the_settings_open_a_registry_there(mongodb: Any, tmp_path: Path) -> None:
    """Records go to the database, bytes to the folder, and no SQLite file appears."""
    mongodb.empty_store("opened").close()
    settings = given(type="mongodb", url=mongodb.address("opened"))
    for expected in ([], ["fraud"]):
        _, service = open_service(settings, tmp_path)
        assert [model.name for model in service.list_models().items] == expected
        if not expected:
            service.create_version(CreateVersion(name="fraud"))
        service.close()
    assert not list(tmp_path.glob("*.db*"))


def test_a_name_beside_an_address_is_the_databases(mongodb: Any) -> None:
    mongodb.empty_store("beside").close()
    store = mongo_store(given(url=mongodb.url, name="beside", pool_size=2))
    seed(store, a_model())
    assert mongodb.database("beside")["models"].count_documents({"key": "fraud"}) == 1
    assert store.get(ModelKey("fraud")) == a_model()
    store.close()
