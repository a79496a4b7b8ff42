"""Before a server takes connections: can it work with the store of its bytes?"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.errors import InvalidConfig, ModelyardError, StorageError
from modelyard.server.links import prove_links
from modelyard.server.plan import Plan
from modelyard.settings import Settings
from modelyard.wire import problems
from modelyard.wiring import blob_stores, object_places

if TYPE_CHECKING:
    from modelyard.ports.blobs import BlobStore

log: Final = logging.getLogger("modelyard.server")


def prove(settings: Settings, *, workers: int) -> None:
    """Look at the object stores that the settings name, if any; what can be lived with is logged.

    The client of object stores has threads that do not survive a fork, so with several workers a child looks.

    Raises:
        ModelyardError: A store cannot be used; the message says which, and what to do.
    """
    places = object_places(settings)
    if not places:
        return
    from modelyard.adapters.blobs.object_probe import prove as look

    for warning in look(places) if workers == 1 else in_a_child(lambda: look(places)):
        log.warning("%s", warning)


def prove_direct(settings: Settings, plan: Plan) -> None:
    """See that readers can be sent to the store of the bytes, if they are to be; to sign begins threads too.

    Raises:
        InvalidConfig: Its bytes have no addresses, or only ones that are less safe.
    """
    if plan.direct is None:
        return

    def look() -> tuple[str, ...]:
        blobs, _ = blob_stores(settings, Path())
        _prove_links(blobs, plan)
        return ()

    look() if plan.workers == 1 else in_a_child(look)


def warn_of_links(service: Any, plan: Plan) -> None:
    """Say it in the log if nothing can be signed at this moment, by a worker that was started later."""
    try:
        _prove_links(service.blobs, plan)
    except InvalidConfig as error:
        log.warning("bytes are sent by this server until they can be signed for: %s", error.detail)


def _prove_links(blobs: BlobStore, plan: Plan) -> None:
    if plan.direct is not None:
        prove_links(blobs, plan.direct, encrypted=plan.reached_over_tls)


def in_a_child(look: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """What ``look`` returns or raises, found out by a process of its own that ends afterwards."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(look, writing)
    os.close(writing)
    with open(reading, "rb") as answers:
        told = answers.read()
    os.waitpid(child, 0)
    if not told:
        raise StorageError("the process that looked at the object store died; see the lines above")
    found = json.loads(told)
    if isinstance(found, dict):
        raise problems.raised(found, status=found["status"])
    return tuple(found)


def _answer(look: Callable[[], tuple[str, ...]], writing: int) -> None:
    """In the child: never returns, and runs nothing that was meant for the parent's end."""
    try:
        found: Any
        try:
            found = look()
        except ModelyardError as error:
            found = problems.problem(error)
        with open(writing, "w", encoding="utf-8") as answer:
            json.dump(found, answer)
    except BaseException:
        log.exception("looking at the object store failed")
        os._exit(1)
    os._exit(0)
