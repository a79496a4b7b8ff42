"""An address is written out into settings; what is shown of it has no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters.places import settled, shown
from modelyard.domain.errors import InvalidConfig, NotSupported
from modelyard.settings import Settings
from modelyard.settings.model import DatabaseSettings, S3Settings, StorageSettings

BUCKET = Settings(
    storage=StorageSettings(
        backend="s3", s3=S3Settings(bucket="b", region="eu-west-1", access_key="k", secret_key="s")
    ),
    sources=(("storage.backend", "file:1"), ("storage.s3.bucket", "file:2")),
)
WORDS = st.text(st.characters(whitelist_categories=("Ll", "Nd"), max_codepoint=127), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELYARD_URL", raising=False)


@pytest.mark.parametrize("location", ["./models", "/srv/models", "https://registry.example", "memory://"])
def test_what_is_no_database_stays_as_it_is(location: str) -> None:
    assert settled(Settings(), location) == (Settings(), location)


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql"),
        ("postgres://h/d", "postgresql"),
        ("postgresql+psycopg://h/d", "postgresql"),
        ("mysql://u:p@h/d", "mysql"),
        ("mariadb://u:p@h/d", "mysql"),
        ("mongodb://u:p@h1,h2:27018/d?replicaSet=rs0&tls=true", "mongodb"),
        ("mongodb+srv://u:p@cluster.example/d", "mongodb"),
    ],
)
def test_an_address_of_a_database_becomes_that_of_the_settings(location: str, kind: str) -> None:
    settings, place = settled(BUCKET, location)
    assert (settings.database.url, settings.database.type) == (location, kind)
    assert settings.storage == BUCKET.storage
    assert place == shown(location)
    assert settings.source("database.url") == "address"


@given(user=WORDS, password=WORDS.map(lambda word: f"geheim-{word}"), host=WORDS, name=WORDS, option=WORDS)
def test_no_secret_is_shown_and_what_is_shown_opens_the_same(
    user: str, password: str, host: str, name: str, option: str
) -> None:
    url = f"postgresql://{user}:{password}@{host}/{name}?application_name={option}&password={password}"
    settings, place = settled(BUCKET, f"{url}&storage=s3%3A%2F%2Fother%2Fprefix")
    assert place == f"postgresql://{host}/{name}?storage=s3://other/prefix"
    assert settings.database.url == url
    assert password not in repr(settings)
    assert settled(settings, place) == (settings, place)


def test_a_configured_address_goes_on_counting_where_the_given_one_says_no_more() -> None:
    database = DatabaseSettings(type="postgresql", url="postgresql://u:p@h/d?sslmode=require", name="d2")
    settings = Settings(database=database, storage=BUCKET.storage, sources=BUCKET.sources)
    assert settled(settings, "postgresql://h/d")[0].database == database
    assert settled(settings, "postgresql://h/other")[0].database.url == "postgresql://h/other"
    assert settled(settings, "postgresql://h/other")[0].database.name is None
    assert settled(settings, "postgresql://v@h/d")[0].database.url == "postgresql://v@h/d"


@pytest.mark.parametrize(
    ("storage", "kind", "bucket", "prefix"),
    [
        ("s3://c/x/y", "s3", "c", "x/y"),
        ("https://minio.example:9000/c/x", "s3", "c", "x"),
        ("gs://c", "gcs", "c", ""),
        ("az://c/x", "azure", "c", "x"),
    ],
)
def test_bytes_are_where_the_storage_says_with_the_keys_that_were_configured(
    storage: str, kind: str, bucket: str, prefix: str
) -> None:
    settings, place = settled(BUCKET, "mysql://h/d", storage)
    assert place == f"mysql://h/d?storage={storage}"
    assert settings.storage.backend == kind
    section = getattr(settings.storage, kind)
    assert (getattr(section, "bucket", None) or section.container, section.prefix) == (bucket, prefix)
    if kind == "s3":
        assert (section.region, section.access_key) == ("eu-west-1", "k")
        assert section.endpoint_url == (None if storage.startswith("s3") else "https://minio.example:9000")
    assert settled(Settings(), f"mysql://h/d?storage={storage}")[1] == place


def test_bytes_in_a_folder_make_that_folder_the_place(tmp_path: Path) -> None:
    for storage in (str(tmp_path), f"file://{tmp_path}"):
        settings, place = settled(Settings(), "mongodb://h/d", storage)
        assert (place, settings.database.url, settings.storage.backend) == (
            str(tmp_path),
            "mongodb://h/d",
            "local",
        )
        assert settled(settings, place) == (settings, place)


def test_an_sqlite_file_has_its_bytes_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settled(Settings(), "sqlite:///models/registry.db") == (Settings(), str(tmp_path / "models"))
    settings, place = settled(Settings(), f"sqlite:///{tmp_path}/models/records.db")
    assert place == str(tmp_path / "models")
    assert settings.database.url == f"sqlite:///{tmp_path}/models/records.db"
    assert settled(settings, place) == (settings, place)
    other = Settings(database=DatabaseSettings(type="mysql", url="mysql://h/d"))
    assert settled(other, f"sqlite:///{tmp_path}/models/registry.db")[0].database == DatabaseSettings()
    settings, place = settled(Settings(), "sqlite:///models/registry.db", "bytes")
    assert (place, settings.database.type) == (str(tmp_path / "bytes"), "sqlite")
    settings, place = settled(Settings(), "sqlite:///models/registry.db?storage=s3://b")
    assert (place, settings.storage.s3.bucket) == (str(tmp_path / "models"), "b")


def test_a_folder_may_have_its_bytes_in_a_bucket() -> None:
    settings, place = settled(Settings(), "./models", "s3://b/x")
    assert (place, settings.storage.backend, settings.storage.s3.bucket) == ("./models", "s3", "b")


@pytest.mark.parametrize(
    ("location", "storage", "says"),
    [
        ("postgresql://u:geheim@h/d", None, "say where"),
        ("postgresql://u:geheim@h/d?storage=s3://a", "s3://b", "given twice"),
        ("postgresql://u:geheim@h/d", "s3://k:geheim@b", "credentials"),
        ("postgresql://u:geheim@h/d", "ftp://b", "scheme"),
        ("postgresql://u:geheim@h/d", "file://host/x", "host behind"),
        ("sqlite://relative.db", None, "sqlite:///"),
        ("sqlite:///", None, "sqlite:///"),
        ("sqlite:///a.db?mode=ro", None, "options"),
        ("https://registry.example", "s3://b", "leave `storage` out"),
        ("memory://", "s3://b", "leave `storage` out"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_the_password(
    location: str, storage: str | None, says: str
) -> None:
    with pytest.raises(InvalidConfig, match=says) as error:
        settled(Settings(), location, storage)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize("location", ["s3://u:geheim@bucket/x", "redis://u:geheim@h"])
def test_an_address_of_another_kind_is_refused_without_the_password(location: str) -> None:
    with pytest.raises(NotSupported, match="begins with") as error:
        settled(Settings(), location)
    assert "geheim" not in str(error.value)
