"""What a server is asked to be, and what it refuses to be."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn
from urllib.parse import urlsplit

from modelyard.domain.errors import InvalidConfig, MissingDependency
from modelyard.edge.hosts import Hosts
from modelyard.edge.limits import Limits
from modelyard.edge.oidc import Oidc, agreed
from modelyard.server.links import Direct
from modelyard.settings.model import OidcSettings, ServerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One server.

    Attributes:
        host, port: Where it listens; port 0 is any free one.
        workers: Processes that answer.
        public_url: How callers reach it, if not by host and port.
        hosts: Further names by which it may be addressed.
        behind_proxy: Addresses and networks of the proxies that end TLS and whose ``X-Forwarded-*`` is believed.
        tls_cert, tls_key: PEM files.
        json_logs: Log lines as JSON.
        access_log: One line for each request.
        tracing: Requests as OpenTelemetry spans.
        grace: Seconds that requests may still take once it was told to stop.
        authenticate: Whether callers need a token.
        oidc: Where people log in; ``None``: nowhere.
        direct: How readers of bytes are sent to the object store; ``None``: not at all.
    """

    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    public_url: str | None = None
    hosts: tuple[str, ...] = ()
    behind_proxy: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    json_logs: bool = True
    access_log: bool = False
    tracing: bool = False
    grace: float = 30
    authenticate: bool = True
    oidc: Oidc | None = None
    direct: Direct | None = None
    limits: Limits = Limits()  # noqa: RUF009  (frozen)

    def check(self) -> None:
        """Refuse what would be open to strangers, and what cannot work.

        Raises:
            InvalidConfig: It says which setting, and what to do instead.
            MissingDependency: A setting needs a package that is not installed.
        """
        self._check_tls()
        self._check_proxies()
        self._check_tracing()
        if self.is_local:
            if not self.authenticate and self.behind_proxy:
                raise InvalidConfig(
                    "--no-auth: a proxy brings callers from elsewhere, and each could do everything; leave it out"
                )
            return
        if not self.authenticate:
            raise InvalidConfig(
                f"--no-auth: whoever reaches {self.host} could do everything; leave it out, or listen on 127.0.0.1"
            )
        if not self.encrypted and not self.behind_proxy:
            raise InvalidConfig(
                f"host: on {self.host} tokens and models would cross the network unencrypted; give --tls-cert and "
                "--tls-key, or --behind-proxy if a proxy in front ends TLS, or listen on 127.0.0.1"
            )

    def _check_tls(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidConfig(
                "tls: a certificate and a key belong together; give both --tls-cert and --tls-key"
            )
        for name, path in (("tls_cert", self.tls_cert), ("tls_key", self.tls_key)):
            if path is not None and not os.access(path, os.R_OK):
                raise InvalidConfig(f"{name}: expected a PEM file that can be read, found {path!r}")
        if self.tls_cert is not None and self.tls_key is not None:
            self._check_pair(self.tls_cert, self.tls_key)

    def _check_pair(self, cert: str, key: str) -> None:
        """What is wrong with the files would else be found by each worker, once the address was told."""

        def locked() -> NoReturn:
            raise InvalidConfig(
                f"tls: {key} is encrypted, and a server has nobody to ask for its passphrase; give a key without one, "
                f"in a file that only the server may read: openssl pkey -in {key} -out NEW_KEY"
            )

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, locked)
        except OSError as error:  # an SSLError is one
            reason = getattr(error, "reason", None) or error.strerror
            raise InvalidConfig(
                f"tls: {cert} and {key} are no certificate and the key that belongs to it, both in PEM ({reason}); "
                "give two files that fit, the certificate first in its file and its chain after it"
            ) from error

    def _check_proxies(self) -> None:
        for each in self.behind_proxy:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError as error:
                raise InvalidConfig(
                    f"behind_proxy: expected addresses or networks such as 10.0.0.0/8, found {each!r}; '*' would "
                    "believe whatever any caller says about itself"
                ) from error

    def _check_tracing(self) -> None:
        if not self.tracing:
            return
        try:  # all of it: packages of others put parts of the same namespace there
            import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError as error:
            raise MissingDependency(
                "server.tracing needs OpenTelemetry and its exporter by OTLP over HTTP "
                f"({error}): pip install 'modelyard[otel]', or leave the setting out"
            ) from error

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return _is_loopback(self.host)

    @property
    def encrypted(self) -> bool:
        """Whether it ends TLS itself."""
        return self.tls_cert is not None

    @property
    def reached_over_tls(self) -> bool:
        """Whether callers come over TLS, whoever ends it."""
        return self.encrypted or bool(self.behind_proxy)

    def url(self, port: int) -> str:
        """How callers reach it, given the port that it got."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if _is_everywhere(self.host) else self.host
        return f"{'https' if self.encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    def known_hosts(self) -> Hosts:
        """Names by which it may be addressed."""
        public = (urlsplit(self.public_url).hostname or "") if self.public_url else ""
        return Hosts((self.host, public, *self.hosts), any_address=_is_everywhere(self.host))


def planned(
    settings: ServerSettings,
    people: OidcSettings | None = None,
    *,
    authenticate: bool = True,
    at_terminal: bool = False,
) -> Plan:
    """The plan that the settings describe.

    Raises:
        InvalidConfig: People cannot log in as the settings say.
    """
    given = settings.limits
    return Plan(
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        public_url=settings.public_url,
        hosts=settings.hosts,
        behind_proxy=settings.behind_proxy,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        json_logs=settings.log_format == "json" or (settings.log_format == "auto" and not at_terminal),
        access_log=settings.access_log,
        tracing=settings.tracing,
        grace=settings.grace,
        authenticate=authenticate,
        oidc=agreed(people or OidcSettings(), settings.public_url) if authenticate else None,
        direct=Direct(seconds=settings.direct.seconds, endpoint=settings.direct.endpoint)
        if settings.direct.enabled
        else None,
        limits=Limits(**{name: getattr(given, name) for name in Limits.__slots__}),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
