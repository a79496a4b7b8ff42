"""A look at MongoDB: who answers, what may be done there, and what is promised."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from modelyard.adapters.metadata.looked import Looked, ahead, stays_here
from modelyard.adapters.metadata.mongo_schema import OLDEST_WIRE, VERSION
from modelyard.domain.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.adapters.metadata.mongo_client import Client

_NOBODY: Final = {"_id": "modelyard doctor"}
"""A document that is in no collection."""


def look(client: Client) -> Looked:
    """Connect, ask, and change nothing.

    Raises:
        StorageError: It does not answer, or does not let this user in.
    """
    with client.translated():
        database = client.database
        before = datetime.now(UTC)
        hello = database.client.admin.command("hello")
        skew = ahead(hello["localTime"].replace(tzinfo=UTC), before)
        found = database["schema"].find_one({"_id": "modelyard"})
        built = database.client.admin.command("buildInfo")["version"]
        pool = database.client.options.pool_options
    return Looked(
        place=client.shown,
        version=f"MongoDB {built}, {_members(hello)}",
        too_old=_unfit(hello),
        schema=found["version"] if found else 0,
        newest=VERSION,
        refusal=_refusal(client),
        isolation="snapshot transactions over what a majority holds",
        skew=skew,
        limits=_limits(database.client.options),
        encrypted=pool._ssl_context is not None,
        local=all(stays_here(host) for host, _ in database.client.nodes),
        careless="",  # every commit of ours asks for the journals of a majority
        room=None,
        pool=pool.max_pool_size or 0,
    )


def _members(hello: dict[str, Any]) -> str:
    if "setName" in hello:
        return f"replica set {hello['setName']} of {len(hello.get('hosts', ()))}"
    return "a sharded cluster" if hello.get("msg") == "isdbgrid" else "a standalone server"


def _unfit(hello: dict[str, Any]) -> str:
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return "a replica set (of one is enough) is expected: start mongod with --replSet"
    return "MongoDB 5.0 or newer is expected" if hello["maxWireVersion"] < OLDEST_WIRE else ""


def _refusal(client: Client) -> str:
    """Why a commit would be refused, found out by changing a document that is not there."""
    try:
        with client.translated():
            client.database["events"].update_one(_NOBODY, {"$set": {"seen": True}})
            client.database["events"].delete_one(_NOBODY)
    except ModelyardError as error:
        return error.detail.removeprefix(f"{client.shown}: ")
    return ""


def _limits(options: Any) -> str:
    pool = options.pool_options
    if not (options.server_selection_timeout and pool.socket_timeout and pool.connect_timeout):
        return ""
    return (
        f"an answer {pool.socket_timeout:.0f}s, a connection {pool.connect_timeout:.0f}s, "
        f"a primary {options.server_selection_timeout:.0f}s"
    )
