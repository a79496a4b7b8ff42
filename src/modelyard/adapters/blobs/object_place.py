"""Where an object store is and how it is asked: addresses, credentials, time-outs.

Credentials are looked for in this order: what the settings name, the provider's own variables and files, the identity
of the machine. They are never part of an address, and no ``repr``, message or record of ours contains them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.errors import InvalidConfig, MissingDependency

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES: Final = {"s3": "s3", "gs": "gcs", "az": "azure", "http": "s3", "https": "s3"}
"""Which kind of store an address names."""
EXTRAS: Final = "pip install 'modelyard[objects]'"
_NAMES: Final = {"s3": "S3", "gcs": "Google Cloud Storage", "azure": "Azure Blob Storage"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a store is waited for.

    Attributes:
        connect: Seconds until a connection must stand.
        silence: Seconds in which an answer, or more of it, must come. An upload sends parts of 8 MiB, so a line slower
            than 8 MiB in that time is given up.
        tries: Requests in all for one thing that fails by the store's or the network's fault.
        budget: Seconds after which nothing is tried again.
    """

    connect: float = 5.0
    silence: float = 60.0
    tries: int = 5
    budget: float = 60.0

    def shortened(self) -> Patience:
        """For what must have happened or failed within 35 seconds: the budget, a last try and the pauses."""
        return Patience(
            connect=min(self.connect, 5.0),
            silence=min(self.silence, 10.0),
            tries=min(self.tries, 3),
            budget=min(self.budget, 15.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One bucket, and the part of it that is ours.

    Attributes:
        kind: ``s3``, ``gcs`` or ``azure``.
        bucket: Its name; Azure's word is container.
        prefix: What every key of ours begins with, without slashes at its ends; may be empty.
        endpoint: Address of a server that is not the provider's own; then S3 buckets are addressed by path.
        region: S3's region; ``None`` leaves it to ``AWS_REGION``.
        account: Azure's storage account.
        secrets: Keys as the provider's client names them; only what was configured.
    """

    kind: str
    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    account: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = field(default_factory=Patience)

    @property
    def name(self) -> str:
        """How errors call it."""
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"{_NAMES[self.kind]} {'container' if self.kind == 'azure' else 'bucket'} {self.bucket!r}{at}"

    @property
    def url(self) -> str:
        """The address, without credentials, in the form that ``place_of`` reads."""
        path = f"{self.bucket}/{self.prefix}".rstrip("/")
        if self.endpoint and self.kind == "s3":
            return f"{self.endpoint}/{path}"
        return f"{ {'s3': 's3', 'gcs': 'gs', 'azure': 'az'}[self.kind] }://{path}"

    def full(self, key: str) -> str:
        """A key as the bucket has it: below our prefix."""
        return f"{self.prefix}/{key}" if self.prefix else key


def place_of(url: str, **given: Any) -> Place:
    """The place that an address names: ``s3://``, ``gs://``, ``az://bucket/prefix`` or ``https://host/bucket/prefix``.

    Args:
        url: The address.
        given: Further fields of ``Place``.

    Raises:
        InvalidConfig: It is of another form, or carries credentials.
    """
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_address("its port or host cannot be read") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise _bad_address(
            "it has a user, a password, a query or a fragment; credentials belong into the settings "
            "storage.s3, storage.gcs or storage.azure, or the provider's own variables"
        )
    kind = SCHEMES.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise _bad_address(
            f"its scheme is {parts.scheme!r}" if kind is None else "it names no host or bucket"
        )
    path = unquote(parts.path).strip("/")
    if parts.scheme not in ("http", "https"):
        return Place(kind=kind, bucket=parts.netloc, prefix=clean_prefix(path), **given)
    bucket, _, prefix = path.partition("/")
    if not bucket:
        raise _bad_address("it names a server and no bucket")
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    endpoint = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    return Place(kind=kind, bucket=bucket, prefix=clean_prefix(prefix), endpoint=endpoint, **given)


def clean_prefix(text: str) -> str:
    """A prefix without slashes at its ends.

    Raises:
        InvalidConfig: A part of it is empty, ``.`` or ``..``, or cannot be printed.
    """
    text = text.strip("/")
    if text and any(part in ("", ".", "..") or not part.isprintable() for part in text.split("/")):
        raise _bad_address("its prefix has an empty part, '.', '..' or a control character")
    return text


def _bad_address(why: str) -> InvalidConfig:
    return InvalidConfig(
        "the address of the object store: expected s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or "
        f"https://host:port/bucket/prefix, but {why}"
    )


def connect(place: Place) -> ObjectStore:
    """A client of the place; nothing is sent yet.

    Raises:
        MissingDependency: obstore is not installed.
        InvalidConfig: The client refuses what was configured.
    """
    try:
        from obstore import store as kinds
        from obstore.exceptions import BaseError
    except ImportError:
        raise MissingDependency(f"object stores need obstore: {EXTRAS}") from None
    clients = {"s3": kinds.S3Store, "gcs": kinds.GCSStore, "azure": kinds.AzureStore}
    try:
        client: ObjectStore = clients[place.kind](
            place.bucket,
            prefix=place.prefix or None,
            config=_config(place),
            client_options=_client(place),
            retry_config=_retries(place.patience),
        )
    except (BaseError, ValueError, OSError):  # Its words may quote what it was given.
        raise InvalidConfig(
            f"{place.name}: the client refuses what is configured for it; check the endpoint, the account and the form "
            "of the keys or the key file"
        ) from None
    return client


def _config(place: Place) -> dict[str, Any]:
    config: dict[str, Any] = dict(place.secrets)
    if place.kind == "s3":
        if endpoint := endpoint_of(place):
            config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if place.region:
            config["region"] = place.region
        # The digest of each request's body goes with it, so that what was changed on its way is refused.
        config["checksum_algorithm"] = "SHA256"
        config |= s3_keys(place)
    if place.kind == "gcs" and place.endpoint:
        config["base_url"] = place.endpoint
    if place.kind == "azure":
        if place.endpoint:
            config["endpoint"] = place.endpoint
        if place.account:
            config["account_name"] = place.account
    return config


def _client(place: Place) -> dict[str, Any]:
    from datetime import timedelta

    # Whole requests have no limit of their own: a large body may take hours, as long as it moves.
    return {
        "allow_http": (endpoint_of(place) or "").startswith("http://"),
        "connect_timeout": timedelta(seconds=place.patience.connect),
        "read_timeout": timedelta(seconds=place.patience.silence),
        "timeout": timedelta(days=2),
        "user_agent": "modelyard",
    }


def _retries(patience: Patience) -> dict[str, Any]:
    from datetime import timedelta

    return {
        "max_retries": patience.tries - 1,
        "retry_timeout": timedelta(seconds=patience.budget),
        "backoff": {
            "init_backoff": timedelta(seconds=patience.budget / 120),
            "max_backoff": timedelta(seconds=patience.budget / 6),
            "base": 2,
        },
    }


def endpoint_of(place: Place) -> str | None:
    """Address of the server: configured or, for S3, of the environment; ``None`` is the provider's own."""
    if place.endpoint or place.kind != "s3":
        return place.endpoint
    found = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return found.rstrip("/") if found else None


def s3_keys(place: Place) -> dict[str, str]:
    """Long-lived or temporary S3 keys: configured, of the environment, or of the shared credentials file.

    Empty where the machine's own identity is to be used, which only the client can ask for.
    """
    if "access_key_id" in place.secrets:
        return dict(place.secrets)
    if key := os.environ.get("AWS_ACCESS_KEY_ID"):
        found = {"access_key_id": key, "secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY", "")}
        if token := os.environ.get("AWS_SESSION_TOKEN"):
            found["token"] = token
        return found
    return _from_shared_file()


def _from_shared_file() -> dict[str, str]:
    """Keys of the profile ``AWS_PROFILE`` (``default`` if not set) in the file that Amazon's own tools share."""
    import configparser

    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    read = configparser.RawConfigParser()
    try:
        read.read_string(path.read_text("utf-8"))
        profile = read[os.environ.get("AWS_PROFILE", "default")]
        found = {"access_key_id": profile["aws_access_key_id"]}
        found["secret_access_key"] = profile["aws_secret_access_key"]
    except (OSError, KeyError, configparser.Error, UnicodeDecodeError):
        return {}
    if token := profile.get("aws_session_token"):
        found["token"] = token
    return found
