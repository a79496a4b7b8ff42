"""What can be wrong with the parts of a registry that are not in its folder: database, object store, cache, server."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import figures
from modelyard.cli.diagnosis_line import Line

if TYPE_CHECKING:
    from modelyard.adapters.blobs.object_place import Place
    from modelyard.adapters.blobs.object_probe import Examined
    from modelyard.adapters.metadata.looked import Looked
    from modelyard.cli.session import Session

HTTP: Final = ("http://", "https://")
SKEW: Final = 5.0
"""Seconds by which a database's clock may differ from ours; leases and the order of what people see hang on it."""


def _judged(topic: str, wrong: str, fine: str, level: str = "warn") -> Line:
    """``ok`` with ``fine``, or ``level`` with what is wrong."""
    return Line(level=level if wrong else "ok", topic=topic, text=wrong or fine)


def database(session: Session) -> Iterator[Line]:
    """The database that keeps the records, if they are not in the folder. Nothing is made in it."""
    if not session.records_elsewhere():
        return
    from modelyard.adapters.metadata.sql import SqlMetadata
    from modelyard.wiring import metadata_store

    store: Any = metadata_store(session.settings())
    try:
        if isinstance(store, SqlMetadata):
            yield _file(store.is_made())
        else:
            yield from _database(store.look())
    finally:
        store.close()


def _file(made: bool) -> Line:
    text = "SQLite, in the file that database.url names"
    return _judged("database", "" if made else f"{text}: none yet, the first opening makes it", text)


def _database(found: Looked) -> Iterator[Line]:
    yield _judged("database", found.too_old, f"{found.place} answers: {found.version}", "fail")
    yield _schema(found)
    yield _judged(
        "db rights", found.refusal and f"only reading will work: {found.refusal}", "may write", "fail"
    )
    yield Line(level="ok", topic="isolation", text=found.isolation)
    yield _judged("db commits", found.careless, "on disk when acknowledged")
    yield _judged("db clock", _clock(found.skew, "the database"), f"{found.skew:+.1f} s off ours")
    yield _judged("db limits", "" if found.limits else "a call may wait for ever", f"at most {found.limits}")
    yield _room(found)
    exposed = "records and passwords cross the network unencrypted; use TLS" if not found.local else ""
    fine = "encrypted" if found.encrypted else "not encrypted, and does not leave this machine"
    yield _judged("db TLS", "" if found.encrypted else exposed, fine)


def _schema(found: Looked) -> Line:
    if found.schema > found.newest:
        text = f"number {found.schema}, made by a newer modelyard; this one knows up to {found.newest}: update this one"
        return Line(level="fail", topic="schema", text=text)
    if not found.schema:
        return Line(level="warn", topic="schema", text="none yet: the first opening makes it")
    if found.schema < found.newest:
        text = f"number {found.schema} of {found.newest}: the next opening brings it up to date"
        return Line(level="warn", topic="schema", text=text)
    return Line(level="ok", topic="schema", text=f"number {found.schema}, the newest")


def _clock(skew: float, whose: str) -> str:
    if abs(skew) <= SKEW:
        return ""
    return f"{whose}'s clock is {skew:+.0f} s off ours: set the clock of this machine or of the server"


def _room(found: Looked) -> Line:
    if found.room is None:
        return Line(level="ok", topic="connections", text=f"up to {found.pool} for each process")
    text = f"up to {found.pool} of its {found.room} for each process"
    if found.pool <= found.room / 2:
        return Line(level="ok", topic="connections", text=text)
    return Line(
        level="warn",
        topic="connections",
        text=f"{text}: two have no room; lower database.pool_size or raise its limit",
    )


def objects(session: Session) -> Iterator[Line]:
    """The buckets that keep the bytes, if any do. What is written to find out is removed again."""
    from modelyard.wiring import object_places

    for place in object_places(session.settings()):
        yield from _bucket(place)


def _bucket(place: Place) -> Iterator[Line]:
    from modelyard.adapters.blobs.object_probe import SOON, examine, examine_parts
    from modelyard.adapters.blobs.objectstore import ObjectBlobs

    blobs = ObjectBlobs(dataclasses.replace(place, patience=SOON))
    next(blobs.list(), None)
    yield Line(level="ok", topic="objects", text=f"{place.name} answers, and may be read")
    found = examine(blobs)
    yield Line(level="ok", topic="obj rights", text="may write and remove")
    yield from _promises(place, found)
    examine_parts(blobs)
    yield Line(level="ok", topic="multipart", text="an object in two parts arrived whole")


def _promises(place: Place, found: Examined) -> Iterator[Line]:
    from modelyard.adapters.blobs.object_place import endpoint_of
    from modelyard.adapters.blobs.object_probe import SKEW as MOST

    careless = (
        "it ignores the condition of a PUT with If-None-Match: no server starts on it and nothing can be collected "
        "there; use a store that has conditional PUT"
    )
    yield _judged("conditions", "" if found.conditional_put else careless, "conditional PUT is kept", "fail")
    off = _clock(found.skew, "the store") if abs(found.skew) > MOST else ""
    yield _judged("obj clock", off, f"{found.skew:+.1f} s off ours")
    links = (
        "can be signed"
        if found.links
        else "cannot be signed by these credentials: bytes go through the server"
    )
    yield Line(level="ok", topic="links", text=links)
    exposed = _exposed(endpoint_of(place) or "")
    yield _judged("obj TLS", exposed, "encrypted, or does not leave this machine")


def _exposed(endpoint: str) -> str:
    from urllib.parse import urlsplit

    from modelyard.adapters.metadata.looked import stays_here

    parts = urlsplit(endpoint)
    if parts.scheme != "http" or stays_here(parts.hostname or ""):
        return ""
    return f"models cross the network to {parts.hostname} unencrypted; use its https address"


def cache(session: Session) -> Iterator[Line]:
    """Where bytes fetched from a server are kept, if the registry is one."""
    if not session.place().startswith(HTTP):
        return
    from modelyard.wiring import cache_folder

    place, limit = cache_folder(), session.settings().cache.limit
    used = _used(place)
    text = f"{figures.size(used)} of at most {figures.size(limit)} in {place}"
    yield _judged("cache", _unfit(place), text, "fail")


def _used(place: Path) -> int:
    """Bytes of files that are there and stay there while they are counted."""
    total = 0
    for path in place.rglob("*"):
        with suppress(OSError):
            total += path.stat(follow_symlinks=False).st_size if path.is_file() else 0
    return total


def _unfit(place: Path) -> str:
    import os

    while not place.exists():
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return ""
    return f"{place} cannot be written: set MODELYARD_CACHE to a folder that can"


def address(session: Session) -> Iterator[Line]:
    """The server that answers for the registry, or the address at which one is to."""
    where = session.place()
    if where.startswith(HTTP):
        yield from _answering(where.rstrip("/"))
    elif session.as_server:
        yield from _listening(session)


def _answering(where: str) -> Iterator[Line]:
    from datetime import UTC, datetime

    from modelyard.adapters.metadata.looked import ahead
    from modelyard.remote.transport import Transport

    transport = Transport(where, timeout=15)
    before = datetime.now(UTC)
    try:
        answer = _asked(transport, f"{where}/healthz")
    finally:
        transport.close()
    wrong = f"{where} answers {answer.status_code} where 200 is expected: see that it is a modelyard server"
    yield _judged("address", "" if answer.status_code == 200 else wrong, f"{where} answers", "fail")
    told = answer.headers.get("date")
    if told:
        from email.utils import parsedate_to_datetime

        skew = ahead(parsedate_to_datetime(told), before)
        yield _judged("its clock", _clock(skew, "the server"), "agrees with ours")


def _asked(transport: Any, url: str) -> Any:
    """The answer to a GET.

    Raises:
        Unreachable: There is none.
    """
    client = transport.client
    import httpx

    from modelyard.domain.errors import Unreachable

    try:
        return client.get(url)
    except httpx.HTTPError as error:
        raise Unreachable(
            f"{url} does not answer ({type(error).__name__}): see that the server runs, and check address and network"
        ) from error


def _listening(session: Session) -> Iterator[Line]:
    from modelyard.domain.errors import InvalidConfig
    from modelyard.server.plan import planned

    settings = session.settings()
    try:
        plan = planned(settings.server, settings.security.oidc)
        plan.check()
    except InvalidConfig as error:
        yield Line(level="fail", topic="address", text=error.detail)
        return
    taken = ""
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    try:
        socket.create_server((plan.host, plan.port), family=family).close()
    except OSError as error:
        taken = f"{plan.host}:{plan.port}: {error.strerror}: a server is running there, or choose another"
    yield _judged("address", taken, f"{plan.host}:{plan.port} is free, callers use {plan.url(plan.port)}")
