"""The parts that answer, put together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.permissions import OWNER, Principal
from modelyard.edge.doorkeeper import Doorkeeper, Everybody
from modelyard.edge.front import Front
from modelyard.edge.logs import AccessLog
from modelyard.edge.metrics import Metrics
from modelyard.rest.api import Api
from modelyard.rest.health import Health
from modelyard.rest.uploads import Uploads
from modelyard.server.links import links_of
from modelyard.server.plan import Plan
from modelyard.wiring import uploads_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from modelyard.edge.routing import Route
    from modelyard.ports.service import RegistryService

CONNECTION_WAIT: Final = 4.0
"""Seconds that a request waits for a connection to the database."""


class Application:
    """The ASGI application of one process.

    Attributes:
        draining: Whether it was told to stop: it is not ready any more, and finishes what it has.
    """

    def __init__(
        self, service: RegistryService, plan: Plan, doorkeeper: Doorkeeper, metrics: Metrics | None
    ) -> None:
        self.draining = False
        self._tracing = plan.tracing
        health = Health(service, is_draining=lambda: self.draining, figures=self._figures)
        routes = [
            *health.routes(),
            *Uploads(service, uploads_of(service)).routes(),
            *login_routes(service, plan),
        ]
        links = links_of(service, plan.direct, encrypted=plan.reached_over_tls)
        self.api = Api(service, doorkeeper, more=routes, state=state_of(service), links=links)
        self.metrics = metrics or Metrics(routes_of(self.api))
        self.front = Front(
            self.api,
            limits=plan.limits,
            hosts=plan.known_hosts(),
            metrics=self.metrics,
            log=AccessLog(sys.stderr, as_json=plan.json_logs) if plan.access_log else None,
            encrypted=plan.encrypted,
        )

    def begin(self) -> None:
        """What runs threads of its own begins here: after this process was forked, before it answers."""
        if self._tracing:
            from modelyard.edge.tracing import exporting

            self.front.spans = exporting()

    def end(self) -> None:
        """The process answers nothing more: what is left goes out, for a few seconds at most."""
        if self.front.spans is not None:
            self.front.spans.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self.front(scope, receive, send)

    def _figures(self) -> str:
        return self.metrics.text()

    def note(self, connections: int) -> None:
        """Once a second: what is the case."""
        self.metrics.now(self.front.places.taken, connections)


def build(
    service: RegistryService,
    plan: Plan | None = None,
    doorkeeper: Doorkeeper | None = None,
    metrics: Metrics | None = None,
) -> Application:
    """The application over one service.

    Args:
        plan: Limits, names, logs; the defaults are those of a server on this machine.
        doorkeeper: Who asks; if not given, whoever the service's tokens say, or everybody if the plan says so.
        metrics: Where to count; if not given, somewhere of its own.
    """
    plan = plan or Plan()
    answer_soon(service)
    return Application(service, plan, doorkeeper or _doorkeeper(service, plan), metrics)


def answer_soon(service: object) -> None:
    """Refuse, while all connections to a database server are taken, before callers or proxies give up by themselves."""
    from modelyard.adapters.metadata.servers import ServerMetadata

    if isinstance(store := getattr(service, "store", None), ServerMetadata):
        store.hurry(CONNECTION_WAIT)


def _doorkeeper(service: Any, plan: Plan) -> Doorkeeper:
    if not plan.authenticate:
        return Everybody(Principal(actor=service.actor, grants=OWNER))
    from modelyard.edge.doorkeeper import PeopleDoorkeeper, SessionDoorkeeper, TokenDoorkeeper

    if plan.oidc is None:
        return TokenDoorkeeper(service.access)
    from modelyard.edge import cookies
    from modelyard.service.sessions import ServiceSessions

    cookie = cookies.name_of(cookies.SESSION, secure=plan.oidc.secure)
    return PeopleDoorkeeper(service.access, SessionDoorkeeper(ServiceSessions(service), cookie))


def login_routes(service: Any, plan: Plan) -> Iterable[Route]:
    """The routes by which people log in, if they do."""
    if plan.oidc is None:
        return ()
    from modelyard.edge.provider import Provider
    from modelyard.rest.login import Login
    from modelyard.service.sessions import ServiceSessions

    sessions = ServiceSessions(service)
    login = Login(Provider(plan.oidc), service, service.access, sessions, service.clock.now)
    return login.routes()


def routes_of(api: Api) -> Iterable[str]:
    """Its routes as they are counted."""
    return (f"{route.method} {route.path}" for route in api.router.routes)


def state_of(service: object) -> Callable[[], Hashable] | None:
    """What the records are in, where a point read takes microseconds whatever others do: in a local SQLite whose
    readers wait for no writer."""
    from modelyard.adapters.metadata.sql import SqlMetadata
    from modelyard.adapters.metadata.sqlite import journal

    store = getattr(service, "store", None)
    return store.state if isinstance(store, SqlMetadata) and journal() == "WAL" else None
