"""How an address is reached: directly or through the environment's proxy, with the trust that every call has."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

_PORTS: Final = {"http": 80, "https": 443}


def opened(url: str, timeout: float) -> HTTPConnection:
    """A connection to the server of an address; it is made when first used."""
    parts = urlsplit(url)
    proxy = urlsplit(getproxies().get(parts.scheme, "")) if _proxy(parts) else None
    near = _host_and_port(proxy or parts)
    if parts.scheme != "https":
        return HTTPConnection(*near, timeout=timeout)
    import httpx

    context = httpx.create_ssl_context()  # the same trust as for every other call
    connection = HTTPSConnection(*near, timeout=timeout, context=context)
    if proxy:
        connection.set_tunnel(*_host_and_port(parts))
    return connection


def target(url: str) -> str:
    """What a request for an address says in its first line: all of it to a proxy that passes it on, else the path."""
    parts = urlsplit(url)
    return url if _proxy(parts) == "plain" else parts._replace(scheme="", netloc="", fragment="").geturl()


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: who is spoken to."""
    parts = urlsplit(url)
    return parts.scheme, *_host_and_port(parts)


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    """Always with a port: without one, ``http.client`` looks for it behind the last colon of an IPv6 address."""
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _proxy(parts: SplitResult) -> str:
    """How the environment's proxy for a host is spoken to: ``plain``, ``tunnel``, or empty for none."""
    if not getproxies().get(parts.scheme) or proxy_bypass(parts.hostname or ""):
        return ""
    return "tunnel" if parts.scheme == "https" else "plain"
