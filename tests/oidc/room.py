"""A registry, a server in front of it where people log in, and browsers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.domain.records import Actor, Registry
from modelyard.edge.oidc import Oidc, agreed
from modelyard.ports import service as ask
from modelyard.ports.metadata import Changes, Put
from modelyard.scanning.scanner import TracingScanner
from modelyard.server import Plan, build
from modelyard.service.local import LocalService
from modelyard.settings.model import OidcSettings
from modelyard.testing.clock import SettableClock

from .provider import CLIENT, OidcProvider

GRANTS = ("ml-team -> writer on risk/*", "bosses -> admin")


def registry() -> LocalService:
    """A new one in memory whose clock stands still, at the time that the provider has."""
    clock = SettableClock()
    clock.advance(seconds=time.time() - clock.now().timestamp())
    store = MemoryMetadata()
    record = Registry(registry_id="r", format=1, created_at=clock.now(), revision=1)
    store.commit(Changes(puts=(Put(record=record, expected=0),)))
    blobs = MemoryBlobs(), MemoryBlobs()
    service = LocalService(store, *blobs, clock=clock, scanner=TracingScanner(), actor=Actor(name="root"))
    for name in ("risk/fraud", "other/secret"):
        service.create_version(ask.CreateVersion(name=name))
    return service


def settings(provider: OidcProvider, **more: Any) -> OidcSettings:
    given = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": provider.secret or None}
    return OidcSettings(**(given | {"grants": GRANTS} | more))


@contextlib.contextmanager
def serving(service: LocalService, provider: OidcProvider, **more: Any) -> Iterator[str]:
    """A server where people of the provider log in."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        oidc: Oidc | None = agreed(settings(provider, **more), base)
        app = build(service, Plan(public_url=base, oidc=oidc))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.001)
        try:
            yield base
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def browsing(url: str) -> Iterator[httpx.Client]:
    """A browser as far as cookies and redirects go."""
    with httpx.Client(base_url=url, timeout=30, follow_redirects=True) as client:
        yield client


def log_in(browser: httpx.Client, address: str = "/login?next=/api/v1/whoami") -> httpx.Response:
    """All the way: to the provider, back, and on to the address."""
    return browser.get(address)


def halfway(browser: httpx.Client, address: str = "/login") -> httpx.URL:
    """As far as the provider's answer, which is not followed."""
    begun = browser.get(address, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    back = browser.get(begun.headers["location"], follow_redirects=False)
    return httpx.URL(back.headers["location"])


def parts(url: str | httpx.URL) -> SimpleNamespace:
    """An address and its query, each name once."""
    found = urlsplit(str(url))
    query = {name: values[0] for name, values in parse_qs(found.query).items()}
    return SimpleNamespace(address=f"{found.scheme}://{found.netloc}{found.path}", query=query)


__all__ = ["browsing", "halfway", "log_in", "parts", "registry", "serving", "settings"]
