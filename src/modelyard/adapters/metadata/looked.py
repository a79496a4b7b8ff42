"""What is found when a database is looked at without making or changing anything in it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One database, as our own connections have it.

    Attributes:
        place: Where it is, without credentials.
        version: Product and version.
        too_old: What it should be instead; empty if it is new enough.
        schema: Number of the schema found; 0 if nothing was set up yet.
        newest: Number of the schema that this build makes.
        refusal: Why this user may not write there; empty if it may.
        isolation: How transactions see each other.
        skew: Seconds by which its clock is ahead of ours, as far as one question can tell.
        limits: What a call waits for at most, in words; empty if something may wait for ever.
        encrypted: Whether TLS protects the connection.
        local: Whether it does not leave this machine.
        careless: Why an acknowledged commit may be lost when its machine fails; empty if none can.
        room: Connections that it takes in all; ``None`` if it does not say.
        pool: Connections that one process of ours opens at most.
    """

    place: str
    version: str
    too_old: str
    schema: int
    newest: int
    refusal: str
    isolation: str
    skew: float
    limits: str
    encrypted: bool
    local: bool
    careless: str
    room: int | None
    pool: int


def ahead(theirs: datetime, before: datetime) -> float:
    """Seconds by which ``theirs``, answered to a question asked at ``before`` and answered now, is ahead of us."""
    middle = before + (datetime.now(UTC) - before) / 2
    return (theirs - middle).total_seconds()


def stays_here(host: str) -> bool:
    """Whether a host is a socket's path or an address of this machine alone."""
    if not host or host.startswith("/") or host.partition(":")[0] == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
