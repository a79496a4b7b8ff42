"""The REST door as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from modelyard.domain.errors import ModelyardError
from modelyard.domain.permissions import Action, Grant, Principal, can
from modelyard.domain.records import Actor
from modelyard.edge.addresses import check_names
from modelyard.edge.admission import Admission
from modelyard.edge.answers import as_json, as_problem
from modelyard.edge.doorkeeper import Doorkeeper
from modelyard.edge.guard import Guarded
from modelyard.edge.origins import check_origin
from modelyard.edge.routing import PUBLIC, Call, Public, Route, Router, Shape
from modelyard.edge.trail import trail
from modelyard.ports.service import RegistryService
from modelyard.rest.blobs import Blobs
from modelyard.rest.docs import Docs
from modelyard.rest.kept import Kept
from modelyard.rest.operations import Operations
from modelyard.wire.operations import PREFIX

log: Final = logging.getLogger("modelyard.server")
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoami:
    """Who the server takes a caller for, and what they may do."""

    actor: Actor
    grants: tuple[Grant, ...]


class Api:
    """Answers requests over one service.

    Args:
        service: Whom to ask, on behalf of whoever the doorkeeper recognises.
        doorkeeper: Who asks.
        more: Routes of other parts of the same server.
        state: What the service's records are in, if point reads of it never wait: equal if nothing was committed
            between two calls. Answers to what is asked most are then kept.
        links: Where bytes may be fetched from the object store itself, if anywhere.
    """

    def __init__(
        self,
        service: RegistryService,
        doorkeeper: Doorkeeper,
        more: Iterable[Route] = (),
        *,
        state: Callable[[], Hashable] | None = None,
        links: Callable[[str], str | None] | None = None,
    ) -> None:
        self._service = service
        self._admission = Admission(doorkeeper)
        self.router = Router(
            [
                Route(method="GET", path="/healthz", action=PUBLIC, handler=self.health),
                Route(
                    method="GET",
                    path=f"{PREFIX}/whoami",
                    action=Action.READ,
                    handler=self.whoami,
                    shape=Shape(gives=Whoami),
                ),
                *Operations(service, kept=None if state is None else Kept(state)).routes(),
                *Blobs(service, links).routes(),
                *Docs(lambda: self.router.routes).routes(),
                *more,
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        request_id = trail(scope).request_id
        try:
            response = await self._answer(request)
        except ModelyardError as error:
            response = as_problem(error, request_id=request_id)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception:
            log.exception("request %s failed", request_id)
            broken = ModelyardError(f"the server failed; its log tells why, under request {request_id}")
            response = as_problem(broken, request_id=request_id)
        response.headers["X-Request-ID"] = request_id
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        try:
            route, path = self.router.match(request.method, raw.partition(b"?")[0])
        except ModelyardError:
            await self._admission.principal(request)  # strangers do not learn which addresses there are
            raise
        check_origin(request.method, request.headers)
        if route.shape is not None:
            check_names(request, route.shape.query)
        notes = trail(request.scope)
        notes.route = f"{route.method} {route.path}"
        if isinstance(route.action, Public):
            return await route.handler(Call(request, Principal(actor=self._service.actor), path))
        principal = await self._admission.principal(request)
        notes.recognised(principal)
        if route.wide and not can(principal, route.action):
            guarded = Guarded(self._service, principal)
            await run_in_threadpool(guarded.deny, route.path, route.action, "the registry as a whole")
        return await route.handler(Call(request, principal, path))

    async def health(self, call: Call) -> Response:
        """The process is up; nothing is said about the registry."""
        return as_json({"status": "ok"})

    async def whoami(self, call: Call) -> Response:
        """Who the server takes the caller for."""
        return as_json(Whoami(actor=call.principal.actor, grants=call.principal.grants))
