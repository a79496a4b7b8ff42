"""The client of a model service: buffers up, metadata by id, buffers down; and how such a service is configured."""

import io
import pickle
import re
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.compat.rest_client import (
    AlreadyExists,
    ModelMetadata,
    ModelRegistryClient,
    ModelyardError,
    NotFound,
    Unreachable,
)
from modelyard.settings import Settings, load, not_active

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(url):
    with ModelRegistryClient(url) as client:
        yield client


@pytest.fixture
def buffer(model):
    """A pickled model in memory, ready to be read."""
    model_buffer = io.BytesIO()
    pickle.dump(model, model_buffer)
    model_buffer.seek(0)
    return model_buffer


def about(**other):
    """Metadata with every field set."""
    given = {
        "id": "model123",
        "name": "example_model",
        "version": "1.0.0",
        "file_extension": "pkl",
        "storage_group": "ml-models",
        "description": "finds churners",
        "framework": "scikit-learn",
        "metrics": {"accuracy": 0.95},
        "parameters": {"n_estimators": 100},
        "tags": {"type": "classification"},
    }
    return ModelMetadata(**(given | other))


@pytest.fixture
def uploaded(client, buffer):
    return client.upload_model(buffer, about()).metadata_id


def test_an_upload_answers_with_the_id_to_ask_by(client, buffer, url):
    response = client.upload_model(buffer, about())
    assert isinstance(response.metadata_id, str)
    assert (response.storage_group, response.storage_path) == (
        "ml-models",
        client.get_metadata(response.metadata_id)["storage_path"],
    )
    with ModelRegistry(url) as registry:
        version = registry.get_model("example_model:1.0.0")
    assert version.model_id == response.metadata_id
    assert [file.path for file in version.files] == ["model.pkl"]


def test_metadata_says_all_that_was_given_and_where_the_bytes_are(client, uploaded):
    metadata = client.get_metadata(uploaded)
    assert metadata["_id"] == uploaded
    given = about()
    for field in ModelMetadata.__dataclass_fields__:
        assert metadata[field] == getattr(given, field), field
    assert metadata["storage_path"].startswith("sha256:")


def test_the_bytes_come_back_as_they_went(client, buffer, uploaded, rows, model):
    metadata = client.get_metadata(uploaded)
    model_buffer, metadata = client.get_model(
        file_path=metadata["storage_path"],
        metadata_id=metadata["_id"],
        bucket_name=metadata["storage_group"],
    )
    assert list(pickle.load(model_buffer).predict(rows)) == list(model.predict(rows))
    model_buffer.seek(0)
    assert model_buffer.read() == buffer.getvalue()
    assert metadata["name"] == "example_model"


def test_the_handle_alone_or_the_id_alone_is_enough(client, buffer, uploaded):
    handle = client.get_metadata(uploaded)["storage_path"]
    for asked in ({"file_path": handle}, {"metadata_id": uploaded}):
        found, metadata = client.get_model(**asked)
        assert found.read() == buffer.getvalue()
        assert metadata["_id"] == uploaded


def test_a_large_model_is_given_as_a_file_and_not_in_memory(client, uploaded, buffer, monkeypatch):
    monkeypatch.setattr("modelyard.compat.rest_client.IN_MEMORY", 16)
    found, _ = client.get_model(metadata_id=uploaded)
    with found:
        assert isinstance(found.fileno(), int)
        assert found.read() == buffer.getvalue()


@pytest.mark.parametrize("wrong", [{"file_path": "/etc/passwd"}, {"bucket_name": "../other"}])
def test_a_client_cannot_choose_a_path_of_the_server(client, uploaded, wrong):
    with pytest.raises(NotFound, match=next(iter(wrong))):
        client.get_model(metadata_id=uploaded, **wrong)


def test_asking_for_nothing_says_what_to_give(client):
    with pytest.raises(ValueError, match="metadata_id"):
        client.get_model()


def test_a_hostile_extension_names_no_path(client, buffer):
    with pytest.raises(ValueError):
        client.upload_model(buffer, about(file_extension="pkl/../../x/.."))


def test_a_repeated_upload_is_harmless_and_another_under_the_same_version_is_refused(
    client, buffer, uploaded
):
    buffer.seek(0)
    assert client.upload_model(buffer, about()).metadata_id == uploaded
    with pytest.raises(AlreadyExists):
        client.upload_model(io.BytesIO(b"other bytes"), about())


def test_versions_of_one_model_are_listed_newest_first(client, uploaded):
    newer = client.upload_model(io.BytesIO(b"other bytes"), about(version="1.1.0")).metadata_id
    client.upload_model(io.BytesIO(b"other bytes"), about(name="another"))
    assert [each["_id"] for each in client.list_models(name="example_model")] == [newer, uploaded]
    assert {each["name"] for each in client.list_models()} == {"example_model", "another"}


def test_tags_are_added_changed_and_removed(client, uploaded):
    assert client.tag_model(uploaded, {"team": "risk", "type": None})["tags"] == {"team": "risk"}
    assert client.get_metadata(uploaded)["tags"] == {"team": "risk"}


def test_what_was_deleted_is_not_found(client, uploaded):
    client.delete_model(uploaded)
    with pytest.raises(NotFound):
        client.get_metadata(uploaded)
    client.registry.undelete_model(uploaded)
    assert client.get_metadata(uploaded)["_id"] == uploaded


def test_an_unknown_id_is_a_lookup_error_of_the_one_tree(client):
    with pytest.raises(LookupError) as caught:
        client.get_metadata("metadata_id")
    assert isinstance(caught.value, ModelyardError)


def test_no_server_is_a_connection_error(url):
    with ModelRegistryClient("http://127.0.0.1:9") as client, pytest.raises(ConnectionError) as caught:
        client.get_metadata("model123")
    assert isinstance(caught.value, Unreachable)


def test_what_was_registered_otherwise_is_seen_too(client, url, model):
    with ModelRegistry(url) as registry:
        model_id = registry.register_model(
            model, "other", "2.0.0", performance_metrics={"f1_score": 0.9}, tags={"team": "risk"}
        )
        registry.promote_model(model_id, "staging")
    metadata = client.get_metadata("other@staging")
    assert (metadata["_id"], metadata["stage"], metadata["framework"]) == (
        model_id,
        "staging",
        "scikit-learn",
    )
    assert (metadata["metrics"], metadata["storage_group"]) == ({"f1_score": 0.9}, "models")
    found, _ = client.get_model(metadata_id=model_id)
    assert len(found.read()) == metadata["size"]


def test_a_folder_does_in_place_of_a_server(buffer):
    with ModelRegistryClient("./model_registry") as client:
        uploaded = client.upload_model(buffer, about()).metadata_id
        found, _ = client.get_model(metadata_id=uploaded)
        assert found.read() == buffer.getvalue()


ENVIRONMENT = """\
# API Configuration
REGISTRY_PORT=8123

# MongoDB Configuration
MONGODB_URL=mongodb://root:root@localhost:27017
MONGODB_DB=metadata

# MinIO Configuration
MINIO_ENDPOINT=localhost:9000
MINIO_ACCESS_KEY=minioadmin
MINIO_SECRET_KEY=hidden
MINIO_BUCKET=models
"""


def test_the_names_of_an_env_file_are_read_into_the_settings_of_a_server(place):
    (place / ".env").write_text(ENVIRONMENT)
    settings = load(dotenv=".env", env={"MINIO_BUCKET": "elsewhere"})
    assert (settings.server.port, settings.database.url, settings.database.name) == (
        8123,
        "mongodb://root:root@localhost:27017",
        "metadata",
    )
    store = settings.storage.s3
    assert store.endpoint_url.endswith("localhost:9000")
    assert (store.access_key, store.secret_key, store.bucket) == ("minioadmin", "hidden", "elsewhere")
    assert "REGISTRY_PORT" in settings.source("server.port")


def test_the_variables_of_a_service_name_its_database_and_its_store(place):
    (place / ".env").write_text(ENVIRONMENT)
    settings = load(dotenv=".env")
    assert (settings.database.url or "").startswith("mongodb://")
    assert settings.storage.s3.endpoint_url
    assert not [row.key for row in not_active(settings) if row.key.startswith(("database", "storage"))]


def test_an_env_file_moves_no_registry_in_a_folder(place):
    (place / ".env").write_text(ENVIRONMENT)
    assert load(env={"MONGODB_URL": "mongodb://localhost"}) == Settings()


@pytest.mark.parametrize("target", ["start", "format", "lint", "test", "clean"])
def test_the_tasks_of_a_developer_have_their_names(target):
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("buffer", [b"bytes", None, "model.pkl"])
def test_what_is_no_buffer_is_refused_by_name(client, buffer):
    with pytest.raises(ValueError, match="model_buffer: expected a file opened for reading"):
        client.upload_model(buffer, about())
    with pytest.raises(ValueError, match="metadata: expected a ModelMetadata, found dict"):
        client.upload_model(io.BytesIO(b"x"), {"name": "m"})
    assert client.list_models() == []
