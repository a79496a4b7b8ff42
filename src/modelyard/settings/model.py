"""The settings: a tree of records in which each field is also the row of the reference table.

Field order is the order of the documentation. ``None`` means "not set". A row without ``active=True`` belongs
to a part that is not built yet: it is accepted, shown as "not active yet", and changes nothing.
"""

from __future__ import annotations

from dataclasses import field

from modelyard.domain.dataclass import dataclass
from modelyard.settings.kinds import (
    ADDRESS,
    COMPRESSION,
    PATTERNS,
    SWITCH,
    TEXT,
    TEXTS,
    URL,
    choice,
    whole,
)
from modelyard.settings.model_server import CacheSettings as CacheSettings
from modelyard.settings.model_server import DirectSettings as DirectSettings
from modelyard.settings.model_server import LimitSettings as LimitSettings
from modelyard.settings.model_server import QuotaSettings as QuotaSettings
from modelyard.settings.model_server import ServerSettings as ServerSettings
from modelyard.settings.row import Row as Row
from modelyard.settings.row import section as section
from modelyard.settings.row import setting as setting

COMPRESS_LEVEL = 3
"""What ``true`` means for joblib: past level 3, zlib costs time and saves next to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Where the registry is and where a version's life begins."""

    path: str | None = setting(
        None,
        TEXT,
        "Folder or URL of the registry; if not set: `persistence.registry_path`, `persistence.models_dir`, "
        "`./model_registry`.",
        active=True,
    )
    default_stage: str = setting("development", TEXT, "Stage of a new version.", active=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStorageSettings:
    """Files in a folder."""

    compression: bool | int | None = setting(
        None,
        COMPRESSION,
        "Compress models that are serialised here: `true` is level 3, `false` is 0; if not set: 0. "
        "`persistence.compress` goes first.",
        active=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Amazon S3, MinIO and other stores that speak its protocol."""

    bucket: str | None = setting(None, TEXT, "Bucket.", active=True)
    prefix: str | None = setting(None, TEXT, "Key prefix of everything stored.", active=True)
    region: str | None = setting(None, TEXT, "Region.", active=True)
    endpoint_url: str | None = setting(None, URL, "Address of a store other than Amazon's.", active=True)
    access_key: str | None = setting(None, TEXT, "Access key.", active=True, secret=True)
    secret_key: str | None = setting(None, TEXT, "Secret key.", active=True, secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsSettings:
    """Google Cloud Storage."""

    bucket: str | None = setting(None, TEXT, "Bucket.", active=True)
    prefix: str | None = setting(None, TEXT, "Object prefix of everything stored.", active=True)
    project: str | None = setting(None, TEXT, "Project.")
    credentials_file: str | None = setting(None, TEXT, "Key file of a service account.", active=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Azure Blob Storage."""

    container: str | None = setting(None, TEXT, "Container.", active=True)
    prefix: str | None = setting(None, TEXT, "Blob prefix of everything stored.", active=True)
    account_name: str | None = setting(None, TEXT, "Storage account.", active=True)
    account_key: str | None = setting(None, TEXT, "Key of the account.", active=True, secret=True)
    connection_string: str | None = setting(
        None, TEXT, "Connection string of the account.", active=True, secret=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where bytes are kept."""

    backend: str = setting("local", choice("local", "s3", "gcs", "azure"), "Kind of store.", active=True)
    buckets: tuple[str, ...] = setting(
        (),
        TEXTS,
        "Buckets or prefixes of their own for some models, such as `risk/* -> s3://risk-models/live`; the first that "
        "matches counts, and all other models use the bucket below.",
        active=True,
    )
    local: LocalStorageSettings = section(LocalStorageSettings)
    s3: S3Settings = section(S3Settings)
    gcs: GcsSettings = section(GcsSettings)
    azure: AzureSettings = section(AzureSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSettings:
    """What is taken from the git work tree around the caller."""

    enabled: bool = setting(
        True, SWITCH, "Record the commit and whether the work tree was clean with each version.", active=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersioningSettings:
    """Labels of versions."""

    strategy: str = setting("semantic", choice("semantic"), "How new labels are formed.", active=True)
    enforce: str = setting(
        "warn",
        choice("warn", "refuse", "off"),
        "What happens to an explicit label whose step is smaller than the change of the signature calls for.",
        active=True,
    )
    git: GitSettings = section(GitSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where records are kept, if not in the registry's own folder."""

    type: str = setting(
        "sqlite",
        choice("sqlite", "postgresql", "mysql", "mongodb"),
        "Kind of database.",
        active=True,
    )
    url: str | None = setting(
        None, URL, "Everything in one address; goes before the keys below.", active=True
    )
    path: str | None = setting(None, TEXT, "File of a SQLite database outside the registry's folder.")
    host: str | None = setting(None, TEXT, "Host name or address.", active=True)
    port: int | None = setting(None, whole(1, 65535), "Port.", active=True)
    name: str | None = setting(None, TEXT, "Database name.", active=True)
    user: str | None = setting(None, TEXT, "User name.", active=True)
    password: str | None = setting(None, TEXT, "Password.", secret=True, active=True)
    pool_size: int | None = setting(None, whole(1, 1000), "Connections kept open.", active=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowSettings:
    """A copy of every registration in MLflow."""

    enabled: bool = setting(False, SWITCH, "Log registrations to MLflow.")
    tracking_uri: str | None = setting(None, ADDRESS, "Tracking server or store.")
    experiment: str = setting("model_registry", TEXT, "Experiment that receives the runs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbSettings:
    """A copy of every registration in Weights & Biases."""

    enabled: bool = setting(False, SWITCH, "Log registrations to Weights & Biases.")
    project: str | None = setting(None, TEXT, "Project that receives the artifacts.")
    entity: str | None = setting(None, TEXT, "User or team that owns the project.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSettings:
    """Who is asking."""

    enabled: bool = setting(False, SWITCH, "Require a token on a server.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessControlSettings:
    """What they may do."""

    enabled: bool = setting(False, SWITCH, "Check roles on a server.")
    default_role: str | None = setting(None, TEXT, "Role of a caller who was given none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """People who log in at an OpenID Connect provider."""

    issuer: str | None = setting(
        None,
        URL,
        "Address of the provider, exactly as it calls itself; if not set, nobody logs in and everybody needs a token.",
        active=True,
    )
    client_id: str | None = setting(None, TEXT, "What the provider calls this server.", active=True)
    client_secret: str | None = setting(
        None, TEXT, "Secret shared with the provider; a public client has none.", active=True, secret=True
    )
    client_secret_file: str | None = setting(
        None, TEXT, "File that holds the secret, instead of `client_secret`.", active=True
    )
    scopes: tuple[str, ...] = setting(
        (),
        TEXTS,
        "Scopes that are asked for beside `openid`; if not set: `email` and `profile`.",
        active=True,
    )
    name_claim: str = setting(
        "email",
        TEXT,
        "Claim by which people are named in the history. It must be unique, and nothing they can change themselves; "
        "`email` counts only if the provider verified it.",
        active=True,
    )
    groups_claim: str = setting("groups", TEXT, "Claim that lists somebody's groups.", active=True)
    grants: tuple[str, ...] = setting(
        (),
        TEXTS,
        "What groups may do, such as `ml-team -> writer on risk/*`; `* -> reader` is for everybody who can log in.",
        active=True,
    )
    hours: int = setting(
        12, whole(1, 720), "Hours after which a session, or the token of a program, ends.", active=True
    )
    idle_minutes: int = setting(
        60, whole(1, 43200), "Minutes without use after which a session ends.", active=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """What may be loaded, and by whom."""

    trust: tuple[str, ...] = setting(
        (),
        PATTERNS,
        "Names a pickle may look up beyond the built-in allowlist: `my_pkg.Model`, or `my_pkg.*` for "
        "everything in a package. The built-in deny list stays closed.",
        active=True,
    )
    authentication: AuthenticationSettings = section(AuthenticationSettings)
    access_control: AccessControlSettings = section(AccessControlSettings)
    oidc: OidcSettings = section(OidcSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings:
    """Notification by mail."""

    host: str | None = setting(None, TEXT, "Mail server.")
    port: int | None = setting(None, whole(1, 65535), "Port of the mail server.")
    user: str | None = setting(None, TEXT, "User name at the mail server.")
    password: str | None = setting(None, TEXT, "Password at the mail server.", secret=True)
    sender: str | None = setting(None, TEXT, "Address the mail comes from.")
    recipients: tuple[str, ...] = setting((), TEXTS, "Addresses the mail goes to.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """Notification in a Slack channel."""

    webhook_url: str | None = setting(None, URL, "Incoming webhook of the channel.", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Notification of a program."""

    url: str | None = setting(None, URL, "Address that receives events.")
    secret: str | None = setting(None, TEXT, "Key that signs the requests.", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSettings:
    """Who is told."""

    enabled: bool = setting(False, SWITCH, "Send notifications.")
    email: EmailSettings = section(EmailSettings)
    slack: SlackSettings = section(SlackSettings)
    webhook: WebhookSettings = section(WebhookSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """When monitoring raises its voice."""

    enabled: bool = setting(False, SWITCH, "Notify about the conditions below.")
    stale_days: int | None = setting(None, whole(1, 36500), "Days without a new version, for a live model.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringSettings:
    """`modelyard monitor`."""

    interval: int = setting(30, whole(1, 86400), "Seconds between two looks.", active=True)
    alerts: AlertSettings = section(AlertSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceSettings:
    """How live models become files."""

    models_dir: str | None = setting(
        None, TEXT, "Folder of the registry where `registry.path` is not set.", active=True
    )
    registry_path: str | None = setting(
        None, TEXT, "Goes before `models_dir` and after `registry.path`.", active=True
    )
    serialization_format: str | None = setting(
        None,
        choice("joblib", "pickle"),
        "Format of Python objects that need one of the two; if not set, the object's type decides.",
        active=True,
    )
    compress: bool | int | None = setting(
        None,
        COMPRESSION,
        "Compress models: `true` is joblib's level 3 or gzip for pickle, `false` is 0; if not set: "
        "`storage.local.compression`.",
        active=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """Log lines of the command line program; a library never sets up logging by itself."""

    level: str = setting(
        "WARNING",
        choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        "Least severe message that is written.",
        active=True,
    )
    file: str | None = setting(
        None, TEXT, "File that receives the messages; if not set: standard error.", active=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured. ``Settings()`` is all defaults; ``load()`` reads file and variables.

    Attributes:
        file: The configuration file that was read, as it was named; ``None`` if there was none.
        sources: Pairs of key and origin for each value that is not a default. Two trees with the same values
            are equal wherever the values came from.
    """

    registry: RegistrySettings = section(RegistrySettings)
    storage: StorageSettings = section(StorageSettings)
    versioning: VersioningSettings = section(VersioningSettings)
    database: DatabaseSettings = section(DatabaseSettings)
    mlflow: MlflowSettings = section(MlflowSettings)
    wandb: WandbSettings = section(WandbSettings)
    security: SecuritySettings = section(SecuritySettings)
    notification: NotificationSettings = section(NotificationSettings)
    monitoring: MonitoringSettings = section(MonitoringSettings)
    persistence: PersistenceSettings = section(PersistenceSettings)
    logging: LoggingSettings = section(LoggingSettings)
    server: ServerSettings = section(ServerSettings)
    quotas: QuotaSettings = section(QuotaSettings)
    cache: CacheSettings = section(CacheSettings)
    file: str | None = field(default=None, compare=False)
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    def source(self, key: str) -> str:
        """Where the value of a dotted key came from: ``"default"``, ``"<file>:<line>"`` or a variable's name.

        Raises:
            InvalidConfig: There is no such setting.
        """
        from modelyard.settings.table import find

        find(key)
        return dict(self.sources).get(key, "default")

    @property
    def compress_level(self) -> int:
        """Default level 0-9 for joblib; for formats that only know on and off, anything but 0 is on."""
        chosen = self.persistence.compress
        if chosen is None:
            chosen = self.storage.local.compression
        if chosen is True:
            return COMPRESS_LEVEL
        return int(chosen or 0)
