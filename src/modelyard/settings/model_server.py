"""Settings of a server, of what a registry takes in, and of a client's cache; see ``model``."""

from __future__ import annotations

from modelyard.domain.dataclass import dataclass
from modelyard.settings.kinds import SIZE, SWITCH, TEXT, TEXTS, URL, choice, whole
from modelyard.settings.row import section, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much a server takes before it says no."""

    connections: int = setting(
        8192, whole(1, 1_000_000), "Connections that may be open at once, for each worker.", active=True
    )
    requests: int = setting(
        256, whole(1, 100_000), "Requests that may be under way at once, for each worker.", active=True
    )
    requests_per_caller: int = setting(
        128, whole(1, 100_000), "How many of them may come from one address.", active=True
    )
    rate: int = setting(
        5000,
        whole(1, 1_000_000),
        "Requests a second from one address or token, for each worker.",
        active=True,
    )
    upload_bytes_a_day: int | None = setting(
        None,
        SIZE,
        "Bytes of files that one user or service may send a day, for each worker; if not set: any number.",
        active=True,
    )
    header_bytes: int = setting(
        32768,
        whole(1024, 1_048_576),
        "Bytes that the address and the headers of a request may take.",
        active=True,
    )
    header_seconds: int = setting(
        15, whole(1, 3600), "Seconds in which a request's headers must have arrived.", active=True
    )
    stall_seconds: int = setting(
        30, whole(1, 3600), "Seconds in which a body must bring, or a reader take, 16 KiB more.", active=True
    )
    idle_seconds: int = setting(
        45, whole(1, 3600), "Seconds that a connection is kept open between two requests.", active=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectSettings:
    """Large downloads straight from the object store, past the server."""

    enabled: bool = setting(
        False,
        SWITCH,
        "Send readers of bytes to the object store, by an address signed for them alone. Callers must reach it.",
        active=True,
    )
    seconds: int = setting(300, whole(10, 3600), "Seconds that such an address is good.", active=True)
    endpoint: str | None = setting(
        None, URL, "Address of the store as callers reach it, if the server uses another one.", active=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """`modelyard server`."""

    host: str = setting("127.0.0.1", TEXT, "Address to listen on.", active=True)
    port: int = setting(8000, whole(0, 65535), "Port to listen on; 0 takes a free one.", active=True)
    workers: int = setting(1, whole(1, 256), "Processes that answer.", active=True)
    public_url: str | None = setting(
        None, URL, "Address that callers use, such as the proxy's; if not set: host and port.", active=True
    )
    hosts: tuple[str, ...] = setting(
        (), TEXTS, "Further names by which callers may address the server.", active=True
    )
    behind_proxy: tuple[str, ...] = setting(
        (),
        TEXTS,
        "Addresses or networks of the proxies in front, which end TLS and whose `X-Forwarded-*` is believed.",
        active=True,
    )
    tls_cert: str | None = setting(None, TEXT, "File with the certificate and its chain, PEM.", active=True)
    tls_key: str | None = setting(None, TEXT, "File with the private key, PEM.", active=True)
    log_format: str = setting(
        "auto",
        choice("auto", "json", "text"),
        "Form of log lines; `auto` is text at a terminal and JSON elsewhere.",
        active=True,
    )
    access_log: bool = setting(True, SWITCH, "Write one line for each request.", active=True)
    tracing: bool = setting(
        False,
        SWITCH,
        "Send a span for each request by OpenTelemetry, to where its own variables say "
        "(`OTEL_EXPORTER_OTLP_ENDPOINT`); needs the extra `otel`.",
        active=True,
    )
    grace: int = setting(
        30,
        whole(0, 3600),
        "Seconds that requests under way may take after the server was told to stop.",
        active=True,
    )
    direct: DirectSettings = section(DirectSettings)
    limits: LimitSettings = section(LimitSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """How much a registry takes in; what is not set is not limited. Sizes are numbers of bytes, or as in `20GiB`."""

    models: int | None = setting(None, whole(1, 10**9), "Models.", active=True)
    versions_per_model: int | None = setting(
        None, whole(1, 10**9), "Versions of one model, deleted ones not counted.", active=True
    )
    bytes_per_model: int | None = setting(
        None, SIZE, "Bytes of one model's versions, before equal ones are shared.", active=True
    )
    bytes_per_namespace: int | None = setting(
        None, SIZE, "Bytes of all models below one `namespace/`, before equal ones are shared.", active=True
    )
    bytes_stored: int | None = setting(
        None,
        SIZE,
        "Bytes of all registered files, after equal ones are shared; what was sent and never registered is not "
        "counted.",
        active=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Where bytes fetched from servers are kept on a client, to be loaded again without them."""

    limit: int = setting(
        50 * 2**30,
        SIZE,
        "Bytes that the cache may have; what was not used for the longest time goes first.",
        active=True,
    )
