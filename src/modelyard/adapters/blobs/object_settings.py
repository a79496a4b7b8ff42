"""From the settings, section ``storage``, to an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.adapters.blobs.backend import backend_of
from modelyard.adapters.blobs.object_place import Place, clean_prefix
from modelyard.domain.errors import InvalidConfig
from modelyard.settings import Settings
from modelyard.settings.model import AzureSettings, GcsSettings, S3Settings

if TYPE_CHECKING:
    from modelyard.adapters.blobs.objectstore import ObjectBlobs
    from modelyard.adapters.blobs.rooms import Rooms


def object_store(settings: Settings) -> ObjectBlobs:
    """The blobs of a registry whose ``storage.backend`` is not ``local``. Nothing is sent yet.

    Raises:
        InvalidConfig: A bucket, an account or half of a pair of keys is missing, or an address has a wrong form.
        MissingDependency: obstore is not installed.
    """
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

    return ObjectBlobs(place_from(settings), folder="blobs")


def manifests_beside(blobs: ObjectBlobs) -> ObjectBlobs:
    """The manifests of the same registry; both share the right to collect."""
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

    return ObjectBlobs(blobs.place, folder="manifests", lease=blobs.lease)


def places_from(settings: Settings) -> tuple[Place, ...]:
    """All buckets that the settings name, the main one first.

    Raises:
        InvalidConfig: As for ``object_store``, or a rule for models has a wrong form.
    """
    from modelyard.adapters.blobs.object_rooms import rules_of

    main = place_from(settings)
    found = [main]
    for _, place in rules_of(settings.storage.buckets, main):
        if place not in found:
            found.append(place)
    return tuple(found)


def in_rooms(blobs: ObjectBlobs, settings: Settings) -> ObjectBlobs | Rooms:
    """The blobs with further buckets for the models that ``storage.buckets`` names, if it names any.

    Raises:
        InvalidConfig: A rule has a wrong form.
    """
    if not settings.storage.buckets:
        return blobs
    from modelyard.adapters.blobs.object_rooms import rooms, rules_of

    return rooms(blobs, rules_of(settings.storage.buckets, blobs.place))


def place_from(settings: Settings) -> Place:
    """Where the settings say that bytes are kept.

    Raises:
        InvalidConfig: As for ``object_store``.
    """
    storage = settings.storage
    kind = backend_of(settings)
    if kind == "s3":
        return _s3(storage.s3)
    if kind == "gcs":
        return _gcs(storage.gcs)
    if kind == "azure":
        return _azure(storage.azure)
    raise InvalidConfig(f"storage.backend: expected s3, gcs or azure for an object store, found {kind!r}")


def _s3(given: S3Settings) -> Place:
    return Place(
        kind="s3",
        bucket=_needed(given.bucket, "storage.s3.bucket"),
        prefix=clean_prefix(given.prefix or ""),
        endpoint=_endpoint(given.endpoint_url, "storage.s3.endpoint_url"),
        region=given.region,
        secrets=_pair(given),
    )


def _pair(given: S3Settings) -> dict[str, str]:
    if given.access_key is None and given.secret_key is None:
        return {}
    return {
        "access_key_id": _needed(given.access_key, "storage.s3.access_key"),
        "secret_access_key": _needed(given.secret_key, "storage.s3.secret_key"),
    }


def _gcs(given: GcsSettings) -> Place:
    file = given.credentials_file
    return Place(
        kind="gcs",
        bucket=_needed(given.bucket, "storage.gcs.bucket"),
        prefix=clean_prefix(given.prefix or ""),
        secrets={} if file is None else {"service_account": file},
    )


def _azure(given: AzureSettings) -> Place:
    told = _connection(given.connection_string) if given.connection_string else {}
    account = given.account_name or told.get("AccountName")
    secrets = {}
    if key := given.account_key or told.get("AccountKey"):
        secrets["account_key"] = key
    elif sas := told.get("SharedAccessSignature"):
        secrets["sas_key"] = sas.removeprefix("?")
    endpoint = told.get("BlobEndpoint") or _endpoint_of(told, account)
    return Place(
        kind="azure",
        bucket=_needed(given.container, "storage.azure.container"),
        prefix=clean_prefix(given.prefix or ""),
        account=account,
        endpoint=_endpoint(endpoint, "storage.azure.connection_string"),
        secrets=secrets,
    )


def _connection(text: str) -> dict[str, str]:
    """The ``Name=value;`` pairs of an Azure connection string."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if any(not separator for _, separator, _ in pairs):
        raise InvalidConfig(
            "storage.azure.connection_string: expected Name=value pairs with ';' between them"
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


def _endpoint_of(told: dict[str, str], account: str | None) -> str | None:
    suffix = told.get("EndpointSuffix")
    if suffix is None or account is None or suffix == "core.windows.net":
        return None
    return f"{told.get('DefaultEndpointsProtocol', 'https')}://{account}.blob.{suffix}"


def _needed(value: str | None, key: str) -> str:
    if not value:
        raise InvalidConfig(
            f"{key}: expected a value, because bytes are to be kept in an object store; found none"
        )
    return value


def _endpoint(url: str | None, key: str) -> str | None:
    if url is None:
        return None
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1
    except ValueError:
        wrong = True
    if wrong or "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidConfig(
            f"{key}: expected http(s)://host:port without a user, a password or a query, found something else"
        )
    return url.rstrip("/")
