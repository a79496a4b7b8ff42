"""From configuration to a bucket: every kind, what is missing, and a whole registry on it."""

from __future__ import annotations

import uuid

import pytest

from modelyard.adapters.blobs.backend import backend_of
from modelyard.adapters.blobs.object_place import s3_keys
from modelyard.adapters.blobs.object_settings import place_from
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.uploads.objects import ObjectUploads
from modelyard.domain.errors import InvalidConfig
from modelyard.settings import load, rows
from modelyard.wiring import open_service, uploads_of

PAIR = {"MODELYARD_STORAGE_S3_ACCESS_KEY": "key", "MODELYARD_STORAGE_S3_SECRET_KEY": "canary-77"}


def settings_of(tmp_path, text="", dotenv=None, **env):
    (tmp_path / "registry.yaml").write_text(text)
    return load(tmp_path / "registry.yaml", env=env, cwd=tmp_path, dotenv=dotenv)


def test_a_section_for_s3_names_a_bucket_and_its_keys_stay_hidden(tmp_path):
    text = "storage:\n  backend: s3\n  s3: {bucket: models, prefix: /a/b/, region: eu-west-1}\n"
    settings = settings_of(tmp_path, text, **PAIR)
    place = place_from(settings)
    assert (place.kind, place.bucket, place.prefix, place.region) == ("s3", "models", "a/b", "eu-west-1")
    assert place.secrets == {"access_key_id": "key", "secret_access_key": "canary-77"}
    assert "canary-77" not in repr(settings) + repr(place) + repr(rows(settings)) + repr(ObjectBlobs(place))


def test_short_names_of_a_server_mean_an_object_store(tmp_path):
    (tmp_path / ".env").write_text(
        "MINIO_ENDPOINT=localhost:9000\nMINIO_ACCESS_KEY=me\nMINIO_SECRET_KEY=mine\nMINIO_BUCKET=models\n"
    )
    settings = settings_of(tmp_path, dotenv=".env")
    assert backend_of(settings) == "s3"
    place = place_from(settings)
    assert (place.endpoint, place.bucket) == ("http://localhost:9000", "models")
    chosen = settings_of(tmp_path, "storage: {backend: local}\n", dotenv=".env")
    assert backend_of(chosen) == "local"


def test_google_and_azure_have_their_own_sections(tmp_path):
    google = settings_of(
        tmp_path, "storage:\n  backend: gcs\n  gcs: {bucket: models, credentials_file: /etc/key.json}\n"
    )
    assert place_from(google).secrets == {"service_account": "/etc/key.json"}
    azure = settings_of(
        tmp_path,
        "storage:\n  backend: azure\n  azure: {container: models, account_name: me}\n",
        MODELYARD_STORAGE_AZURE_ACCOUNT_KEY="a2V5",
    )
    place = place_from(azure)
    assert (place.bucket, place.account, place.secrets) == ("models", "me", {"account_key": "a2V5"})


@pytest.mark.parametrize(
    ("text", "account", "endpoint", "secrets"),
    [
        ("AccountName=me;AccountKey=a2V5==", "me", None, {"account_key": "a2V5=="}),
        ("AccountName=me;AccountKey=x;EndpointSuffix=core.windows.net", "me", None, {"account_key": "x"}),
        (
            "AccountName=me;AccountKey=x;EndpointSuffix=core.chinacloudapi.cn",
            "me",
            "https://me.blob.core.chinacloudapi.cn",
            {"account_key": "x"},
        ),
        (
            "BlobEndpoint=http://127.0.0.1:1/me;AccountName=me;AccountKey=x;",
            "me",
            "http://127.0.0.1:1/me",
            {"account_key": "x"},
        ),
        ("AccountName=me;SharedAccessSignature=?sv=1&sig=2", "me", None, {"sas_key": "sv=1&sig=2"}),
    ],
)
def test_a_connection_string_of_azure_is_understood(tmp_path, text, account, endpoint, secrets):
    settings = settings_of(
        tmp_path,
        "storage:\n  backend: azure\n  azure: {container: models}\n",
        MODELYARD_STORAGE_AZURE_CONNECTION_STRING=text,
    )
    place = place_from(settings)
    assert (place.account, place.endpoint, dict(place.secrets)) == (account, endpoint, secrets)


@pytest.mark.parametrize(
    ("text", "env", "said"),
    [
        ("storage: {backend: s3}", {}, "storage.s3.bucket"),
        ("storage: {backend: gcs}", {}, "storage.gcs.bucket"),
        ("storage: {backend: azure}", {}, "storage.azure.container"),
        (
            "storage: {backend: s3, s3: {bucket: b}}",
            {"MODELYARD_STORAGE_S3_ACCESS_KEY": "canary"},
            "storage.s3.secret_key",
        ),
        (
            "storage: {backend: s3, s3: {bucket: b}}",
            {"MODELYARD_STORAGE_S3_ENDPOINT_URL": "https://me:canary@host"},
            "without a user",
        ),
        ("storage: {backend: s3, s3: {bucket: b, endpoint_url: 'ftp://host'}}", {}, "expected http"),
        ("storage: {backend: s3, s3: {bucket: b, prefix: a/../b}}", {}, "prefix"),
        (
            "storage: {backend: azure, azure: {container: c}}",
            {"MODELYARD_STORAGE_AZURE_CONNECTION_STRING": "canary"},
            "Name=value",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_not_quoted(tmp_path, text, env, said):
    with pytest.raises(InvalidConfig, match=said) as caught:
        place_from(settings_of(tmp_path, text + "\n", **env))
    assert "canary" not in str(caught.value)


def test_keys_come_from_the_settings_then_the_environment_then_the_shared_file(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    place = place_from(settings_of(tmp_path, "storage: {backend: s3, s3: {bucket: b}}\n"))
    assert s3_keys(place) == {}
    file.write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = b%c\n"
        "[other]\naws_access_key_id = d\naws_secret_access_key = e\naws_session_token = f\n"
    )
    assert s3_keys(place) == {"access_key_id": "a", "secret_access_key": "b%c"}
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert s3_keys(place) == {"access_key_id": "d", "secret_access_key": "e", "token": "f"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "g")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "h")
    assert s3_keys(place) == {"access_key_id": "g", "secret_access_key": "h"}
    given = place_from(settings_of(tmp_path, "storage: {backend: s3, s3: {bucket: b}}\n", **PAIR))
    assert s3_keys(given) == {"access_key_id": "key", "secret_access_key": "canary-77"}


def test_a_registry_keeps_its_bytes_where_the_settings_say(tmp_path, seaweedfs):
    settings = settings_of(
        tmp_path,
        "storage:\n  backend: s3\n"
        f"  s3: {{bucket: {seaweedfs.bucket}, endpoint_url: '{seaweedfs.endpoint}', prefix: {uuid.uuid4().hex}}}\n",
        MODELYARD_STORAGE_S3_ACCESS_KEY=seaweedfs.secrets["access_key_id"],
        MODELYARD_STORAGE_S3_SECRET_KEY=seaweedfs.secrets["secret_access_key"],
    )
    _, service = open_service(settings, tmp_path / "registry")
    try:
        info = service.put_blob([b"weights"])
        assert isinstance(service.blobs, ObjectBlobs)
        assert service.blobs.stat(info.digest) is not None
        assert service.manifests.lease is service.blobs.lease
        assert isinstance(uploads_of(service), ObjectUploads)
        assert not (tmp_path / "registry" / "blobs").exists()
    finally:
        service.close()
